// One connection with a table of outstanding calls; both ends may call and serve.
//
// A Channel is thread-safe: calls may be made from any thread and complete on the
// channel's executor (a loop). Each call completes exactly once, with the reply, an
// error, DeadlineExceeded, Cancelled, or Unavailable when the connection ends. A
// completion never runs inside the call that started it.

#ifndef SKEP_RPC_CHANNEL_H_
#define SKEP_RPC_CHANNEL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/ids.h"
#include "google/protobuf/service.h"
#include "rpc/controller.h"

namespace skep {

struct CallTag;
// Names one call of one channel: generation << 32 | slot, as on the wire.
using CallId = StrongId<CallTag>;

// What a channel has seen that was not meant for it, and what became of its calls.
struct ChannelCounters {
  uint64_t sent = 0;
  uint64_t replies = 0;
  uint64_t deadlines = 0;
  uint64_t cancelled = 0;
  uint64_t disconnected = 0;       // calls that ended with their connection
  uint64_t late_replies = 0;       // dropped: the call had ended otherwise
  uint64_t duplicate_replies = 0;  // dropped: the call had its reply
  uint64_t foreign_replies = 0;    // dropped: never asked for
  uint64_t error_frames = 0;       // dropped: frames of type ERROR
};

struct CallOptions {
  absl::Duration timeout = kDefaultCallTimeout;
  // Bulk bytes sent beside the request.
  std::string attachment;
  // For a channel over several backends: when to try a second one beside the first, if
  // the method is idempotent. Zero: as the channel's own options say; infinite: never.
  absl::Duration hedge_after;
};

class Channel : public google::protobuf::RpcChannel {
 public:
  // Completion of a raw call: the controller holds status and response attachment.
  using Done = absl::AnyInvocable<void(const Controller&)>;

  // The primitive under everything else. `request` is serialized before it returns. A
  // method with the option noreturn completes as soon as its bytes are queued.
  // Deadlines beyond 71 minutes hold here but are not told to the peer. `response` must
  // live until `done` has run; it is filled only if the status is Ok.
  virtual CallId Start(const google::protobuf::MethodDescriptor& method,
                       const google::protobuf::Message& request,
                       google::protobuf::Message* response, CallOptions options,
                       Done done) = 0;

  // Completes the call with Cancelled, unless it has completed. Thread-safe.
  virtual void Cancel(CallId call) = 0;

  // Ends the connection: outstanding calls complete with `reason`.
  virtual void Close(absl::Status reason) = 0;

  virtual bool connected() const = 0;
  // Calls started and not completed: the load that least-pending balances.
  virtual int pending() const = 0;
  // The peer, for logs and errors: "127.0.0.1:9981".
  virtual std::string peer() const = 0;
  virtual ChannelCounters counters() const { return {}; }
  // Whether the caller runs on the executor on which calls complete, and so must not
  // wait for one.
  virtual bool OnExecutor() const { return false; }

  // protobuf's door, for generated stubs. `controller` may be null or must be a
  // skep::Controller; `done` may be null, and the call then blocks (never on the
  // channel's own executor).
  void CallMethod(const google::protobuf::MethodDescriptor* method,
                  google::protobuf::RpcController* controller,
                  const google::protobuf::Message* request,
                  google::protobuf::Message* response,
                  google::protobuf::Closure* done) override;
};

// For a handler that calls on: `options` with a timeout that is no longer than what
// `incoming` has left.
CallOptions Onward(const Controller& incoming, CallOptions options = {});
// Start with such options, cancelled when `incoming` is: when its caller cancelled it,
// its deadline passed or its connection ended.
CallId StartOnward(const std::shared_ptr<Channel>& channel, const Controller& incoming,
                   const google::protobuf::MethodDescriptor& method,
                   const google::protobuf::Message& request,
                   google::protobuf::Message* response, CallOptions options,
                   Channel::Done done);

// Whether a call failed before a byte of it left this process: then it is safe to make
// it elsewhere, even if its method is not idempotent.
bool NeverSent(const absl::Status& status);
absl::Status MarkNeverSent(absl::Status status);

// A typed reply: the message and the attachment that came with it.
template <typename Response>
struct Reply {
  Response message;
  std::string attachment;
};

// Asynchronous typed call:
//   Call<EchoResponse>(channel, Method<EchoService>("Echo"), request, {.timeout = ...},
//                      [](absl::StatusOr<Reply<EchoResponse>> reply) { ... });
template <typename Response>
CallId Call(Channel& channel, const google::protobuf::MethodDescriptor& method,
            const google::protobuf::Message& request, CallOptions options,
            absl::AnyInvocable<void(absl::StatusOr<Reply<Response>>)> done) {
  auto response = std::make_unique<Response>();
  Response* const out = response.get();
  return channel.Start(
      method, request, out, std::move(options),
      [response = std::move(response),
       done = std::move(done)](const Controller& c) mutable {
        if (!c.status().ok()) {
          done(c.status());
        } else {
          done(Reply<Response>{std::move(*response), c.TakeResponseAttachment()});
        }
      });
}

// The same, waiting for it. Never call it on the channel's own executor.
absl::Status BlockingStart(Channel& channel,
                           const google::protobuf::MethodDescriptor& method,
                           const google::protobuf::Message& request,
                           google::protobuf::Message* response, CallOptions options,
                           std::string* response_attachment);
template <typename Response>
absl::StatusOr<Reply<Response>> BlockingCall(
    Channel& channel, const google::protobuf::MethodDescriptor& method,
    const google::protobuf::Message& request, CallOptions options = {}) {
  Reply<Response> reply;
  absl::Status status = BlockingStart(channel, method, request, &reply.message,
                                      std::move(options), &reply.attachment);
  if (!status.ok()) return status;
  return reply;
}

// The descriptor of a generated service's method; a wrong name is our bug and dies.
const google::protobuf::MethodDescriptor& MethodOf(
    const google::protobuf::ServiceDescriptor& service, const char* name);
template <typename Service>
const google::protobuf::MethodDescriptor& Method(const char* name) {
  return MethodOf(*Service::descriptor(), name);
}

}  // namespace skep

#endif  // SKEP_RPC_CHANNEL_H_
