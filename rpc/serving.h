// One connection's calls in progress: finds the method, runs its handler inline or on
// the pool, and hands the encoded reply to the connection's channel.

#ifndef SKEP_RPC_SERVING_H_
#define SKEP_RPC_SERVING_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/thread_pool.h"
#include "rpc/channel.h"
#include "rpc/deadline_heap.h"
#include "rpc/inbox.h"
#include "rpc/pb_message.pb.h"
#include "rpc/rpc0_codec.h"
#include "rpc/server.h"
#include "rpc/server_load.h"
#include "rpc/slots_by_id.h"

namespace skep {

// Names a call in progress on one connection of a channel, so that a reply which comes
// after the connection ended reaches no other.
struct ServedCall {
  uint32_t connection = 0;
  uint32_t slot = 0;
  // Its handler asked for the stop token and may still hold it.
  bool stop_taken = false;
};

class ReplySink;

// A reply that another thread made, on its way to its connection's executor.
class ServedReply : public InboxNode {
 public:
  ServedReply() : InboxNode(Kind::kReply) {}
  virtual ~ServedReply() = default;
  // There: gives the reply to `sink`, or to nobody if that is null, because the channel
  // has gone. The last touch of this.
  virtual void Deliver(ReplySink* sink) = 0;
};

// Where replies go: the channel. On its executor only, but for what says otherwise.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // Whether the caller is on that executor. On any thread.
  virtual bool Here() const = 0;
  // Has it delivered. On any thread but that executor's.
  virtual void Submit(ServedReply* reply) = 0;
  // The call is over; `frame` answers it. An empty head: no reply is wanted.
  virtual void FinishCall(ServedCall call, OutFrame frame) = 0;
  // The call is over, and `frame` is the error that answers it. `extended`: the peer is
  // known to read skep's fields; one that is not may get no answer but the end.
  virtual void FailCall(ServedCall call, OutFrame frame, bool extended) = 0;
  // The same with a reply that is still to be encoded, which is cheapest where it can
  // be done in place. `room` is what FrameRoom said.
  virtual void Reply(ServedCall call, const Envelope& reply,
                     const google::protobuf::Message& response, size_t room,
                     std::string attachment) = 0;
  // Runs `done` when the kernel has taken what was given so far to the connection of
  // `call`, to within 1 ms or a fifth; when the connection has ended, or after 10 s, at
  // the latest. Not at all if the channel is gone. For slow calls: it costs a timer. On
  // any thread.
  virtual void WhenWritten(ServedCall call, std::function<void(absl::Time)> done) = 0;
};

// On the channel's executor only.
class Serving {
 public:
  // `services` (may be null) and `pool` are borrowed. `connection` numbers the
  // connection.
  Serving(const ServiceTable* services, ThreadPool* pool, const Clock& clock,
          std::shared_ptr<ServerLoad> load, uint32_t connection);
  ~Serving();
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  // Serves a REQUEST that came at `now`. The reply may come inside this call.
  // `extended`: the peer is known to read skep's fields. `sink` lives as long as
  // `peer`, which calls in progress share.
  void Handle(const Envelope& request, absl::Time now, bool extended,
              const std::shared_ptr<Channel>& peer, ReplySink& sink);
  // The same for a typed request: the method is the one that takes its type.
  void HandlePb(const PbMessage& request, const std::shared_ptr<Channel>& peer,
                ReplySink& sink);

  // The sink got the reply.
  void Finished(ServedCall call);
  int in_progress() const { return live_; }
  // Of the requests in progress.
  size_t request_bytes() const { return request_bytes_; }

  // Stops what the peer calls `id`, if it is in progress.
  void Cancel(uint64_t id);
  void StopAll();
  // Stops calls whose deadline has passed.
  void StopExpired(absl::Time now);
  absl::Time EarliestDeadline() const { return deadlines_.Earliest(); }

 private:
  struct Slot {
    uint64_t id = 0;
    size_t bytes = 0;
    bool live = false;
    // Serves one call after another until somebody took its token or it was stopped.
    std::stop_source stop{std::nostopstate};
    std::stop_token token;  // of it
  };
  uint32_t Begin(uint64_t id, size_t bytes, absl::Time deadline);

  const ServiceTable* const services_;
  ThreadPool* const pool_;
  const Clock& clock_;
  const std::shared_ptr<ServerLoad> load_;  // with calls, which may outlive this
  const uint32_t connection_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  int live_ = 0;
  size_t request_bytes_ = 0;
  DeadlineHeap deadlines_;
  // Kept from the first cancel on: most connections have none.
  bool cancels_ = false;
  SlotsById by_id_;
};

}  // namespace skep

#endif  // SKEP_RPC_SERVING_H_
