// One connection's calls in progress: finds the method, runs its handler inline or on
// the pool, and hands the encoded reply to the connection's channel.

#ifndef SKEP_RPC_SERVING_H_
#define SKEP_RPC_SERVING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "rpc/admission.h"
#include "rpc/channel.h"
#include "rpc/deadline_heap.h"
#include "rpc/pb_message.pb.h"
#include "rpc/rpc0_codec.h"
#include "rpc/server.h"

namespace skep {

// What a server holds, over all its connections. Thread-safe.
class ServerLoad {
 public:
  explicit ServerLoad(size_t max_memory_bytes) : max_memory_bytes_(max_memory_bytes) {}

  // `bytes`: of the call's request.
  void CallBegins(size_t bytes) {
    calls_.fetch_add(1, std::memory_order_relaxed);
    held_.fetch_add(bytes, std::memory_order_relaxed);
  }
  void CallEnds(size_t bytes) {
    calls_.fetch_sub(1, std::memory_order_relaxed);
    held_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  uint32_t calls() const { return calls_.load(std::memory_order_relaxed); }
  // What a connection holds beside that, unsent replies and the front of a frame, has
  // changed.
  void Hold(size_t now, size_t before) {
    held_.fetch_add(now - before, std::memory_order_relaxed);
  }
  size_t held() const { return held_.load(std::memory_order_relaxed); }
  bool full() const { return held() > max_memory_bytes_; }
  // Ok if a request of `bytes` may be taken on.
  absl::Status Admit(size_t bytes) const;

  // Whether calls may wait for the pool.
  Admission& admission() { return admission_; }

  // Handlers queued or running on the pool: they use the services that the server
  // borrows.
  void HandlerBegins() ABSL_LOCKS_EXCLUDED(mutex_);
  void HandlerEnds() ABSL_LOCKS_EXCLUDED(mutex_);
  // False when some still run after `timeout`.
  bool AwaitHandlers(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const size_t max_memory_bytes_;
  std::atomic<uint32_t> calls_{0};
  std::atomic<size_t> held_{0};
  Admission admission_;
  Mutex mutex_;
  CondVar idle_;
  int handlers_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Names a call in progress on one connection of a channel, so that a reply which comes
// after the connection ended reaches no other.
struct ServedCall {
  uint32_t connection = 0;
  uint32_t slot = 0;
  // Its handler asked for the stop token and may still hold it.
  bool stop_taken = false;
};

// Where replies go: the channel. Thread-safe.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
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
  // the latest. Not at all if the channel is gone. For slow calls: it costs a timer.
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
  // `extended`: the peer is known to read skep's fields.
  void Handle(const Envelope& request, absl::Time now, bool extended,
              std::shared_ptr<ReplySink> sink, std::shared_ptr<Channel> peer);
  // The same for a typed request: the method is the one that takes its type.
  void HandlePb(const PbMessage& request, std::shared_ptr<ReplySink> sink,
                std::shared_ptr<Channel> peer);

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
};

}  // namespace skep

#endif  // SKEP_RPC_SERVING_H_
