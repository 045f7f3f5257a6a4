// One call in progress: its messages, how its handler is run, and how it is answered.

#ifndef SKEP_RPC_SERVER_CALL_H_
#define SKEP_RPC_SERVER_CALL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "google/protobuf/message.h"
#include "google/protobuf/stubs/callback.h"
#include "rpc/controller.h"
#include "rpc/rpc0_codec.h"
#include "rpc/server_load.h"
#include "rpc/service_table.h"
#include "rpc/serving.h"
#include "rpc/slow_calls.h"

namespace skep {

// A frame that an encoder made as one string, checksum included.
OutFrame FromWhole(std::string frame);

// How the caller is to be answered.
struct CallOrigin {
  uint64_t id = 0;
  uint64_t trace = 0;
  bool has_trace = false;
  bool extended = false;
  bool no_reply = false;
  bool pb = false;
};

// One call, from its request to its reply. It and its messages serve one call after
// another: a call is over when the handler runs it, which is its `done`. Where that is
// done on another thread, the call itself goes to its connection's executor, which
// encodes the reply where it is written and keeps the call for the next: so handlers on
// a pool cost no allocation either.
class ServerCall final : public google::protobuf::Closure, public ServedReply {
 public:
  // A call that has ended on this thread, or a new one.
  static ServerCall* Take(const ServedMethod& method) {
    Kept& kept = KeptFor(method);
    if (kept.empty()) return new ServerCall(method);
    ServerCall* const call = kept.back().release();
    kept.pop_back();
    return call;
  }
  explicit ServerCall(const ServedMethod& method)
      : request_(method.request->New()), response_(method.response->New()) {}

  // `method` is copied: a late `done` may outlive the table. `peer` is shared: handlers
  // outlive connections. `sink` and `load` are the peer's.
  void Begin(const ServedMethod& method, const CallOrigin& origin, ServedCall name,
             size_t bytes, absl::Time arrived, const std::shared_ptr<Channel>& peer,
             ReplySink& sink, ServerLoad& load, const Clock& clock) {
    clock_ = &clock;
    arrived_ = begun_ = arrived;
    method_ = method;
    bytes_ = bytes;
    origin_ = origin;
    name_ = name;
    peer_ = peer;
    sink_ = &sink;
    load_ = &load;
    controller_.set_peer(&peer_);
    load.CallBegins(bytes_);
    if (method.counts != nullptr) method.counts->Begin();
  }

  google::protobuf::Message& request() { return *request_; }
  Controller& controller() { return controller_; }

  // The request has been read: runs the handler here, or on `pool` (may be null) if its
  // method wants that and the call may wait for it.
  void Dispatch(ThreadPool* pool, absl::Time now,
                const std::shared_ptr<ServerLoad>& load);

  // Ends it without its handler.
  void FailFull(absl::Status status);
  void FailFull(absl::Status status, absl::Duration retry_after);
  void Fail(absl::Status status, WireError error);

  // The handler's `done`. On any thread.
  void Run() override;

  // ServedReply: what Run left for the executor.
  void Deliver(ReplySink* sink) override;

 private:
  using Kept = std::vector<std::unique_ptr<ServerCall>>;
  enum class Answer { kNone, kFrame, kFailure, kInPlace };

  // Those of the method that have ended on this thread.
  static Kept& KeptFor(const ServedMethod& method);

  // At `now`, or a little later. False: its caller no longer waits, and it was not
  // begun.
  bool Execute(absl::Time now);
  void RunOnPool();
  // Makes reply_, or an error of a response that cannot be sent.
  void Prepare();
  // What cannot be encoded in place, or not by the executor.
  void Encode(bool here);
  void Give(ReplySink& sink, std::string& attachment);
  // As its caller sees it, who does not take a reply that comes too late.
  absl::StatusCode Outcome(absl::Time now) const;
  // What there is to say of the call, if it was slow.
  std::unique_ptr<SlowCall> Count();
  OutFrame EncodePb() const;
  OutFrame EncodeError() const;
  // The last touch of this call, and maybe of its memory.
  void End();

  const Clock* clock_ = nullptr;
  absl::Time arrived_;
  absl::Time begun_;  // by the handler
  ServedMethod method_;
  size_t bytes_ = 0;
  CallOrigin origin_;
  ServedCall name_;
  std::shared_ptr<Channel> peer_;
  ReplySink* sink_ = nullptr;
  ServerLoad* load_ = nullptr;
  // While it waits for the pool.
  std::shared_ptr<ServerLoad> pool_load_;
  Admission::Ticket ticket_;
  const std::unique_ptr<google::protobuf::Message> request_;
  const std::unique_ptr<google::protobuf::Message> response_;
  Controller controller_;
  WireError error_ = WireError::kNone;
  Answer answer_ = Answer::kNone;
  Envelope reply_;
  size_t room_ = 0;  // for it
  OutFrame frame_;
  std::string attachment_;
};

}  // namespace skep

#endif  // SKEP_RPC_SERVER_CALL_H_
