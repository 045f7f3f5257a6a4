// One connection with a table of outstanding calls; both ends may call and serve.
//
// A Channel is thread-safe: calls may be made from any thread and complete on the
// channel's executor (a loop). Each call completes exactly once, with the reply, an error,
// DeadlineExceeded, Cancelled, or Unavailable when the connection ends. A completion
// never runs inside the call that started it.

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

struct CallOptions {
  absl::Duration timeout = kDefaultCallTimeout;
  // Bulk bytes sent beside the request.
  std::string attachment;
};

class Channel : public google::protobuf::RpcChannel {
 public:
  // Completion of a raw call: the controller holds status and response attachment.
  using Done = absl::AnyInvocable<void(const Controller&)>;

  // The primitive under everything else. `response` must live until `done` has run; it
  // is filled only if the status is Ok.
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

  // protobuf's door, for generated stubs. `controller` may be null or must be a
  // skep::Controller; `done` may be null, and the call then blocks (never on the
  // channel's own executor).
  void CallMethod(const google::protobuf::MethodDescriptor* method,
                  google::protobuf::RpcController* controller,
                  const google::protobuf::Message* request,
                  google::protobuf::Message* response,
                  google::protobuf::Closure* done) override;
};

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
      [response = std::move(response), done = std::move(done)](const Controller& c) mutable {
        if (!c.status().ok()) {
          done(c.status());
        } else {
          done(Reply<Response>{std::move(*response), c.response_attachment()});
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
