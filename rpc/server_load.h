// What a server holds and does, over all its connections: its memory, its calls, the
// handlers that run on its pool.

#ifndef SKEP_RPC_SERVER_LOAD_H_
#define SKEP_RPC_SERVER_LOAD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "rpc/admission.h"

namespace skep {

// What a server holds, over all its connections. Thread-safe.
class ServerLoad {
 public:
  explicit ServerLoad(size_t max_memory_bytes) : max_memory_bytes_(max_memory_bytes) {}

  // While one lives, on its thread: a call that ends leaves its place in the counts to
  // the next that begins, so that calls which are answered at once count nothing. Made
  // for the calls of one read.
  class Batch {
   public:
    explicit Batch(ServerLoad& load) : load_(load), outer_(current_) {
      current_ = this;
    }
    ~Batch() {
      current_ = outer_;
      if (place_ != 0) load_.state_.fetch_sub(place_, std::memory_order_relaxed);
    }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

   private:
    friend class ServerLoad;
    static constinit thread_local Batch* current_;
    ServerLoad& load_;
    Batch* const outer_;
    uint64_t place_ = 0;  // of a call that ended, in state_
  };

  // `bytes`: of the call's request.
  void CallBegins(size_t bytes) {
    uint64_t more = kOneCall + bytes;
    if (Batch* const batch = CurrentBatch()) more -= std::exchange(batch->place_, 0);
    if (more != 0) state_.fetch_add(more, std::memory_order_relaxed);
  }
  void CallEnds(size_t bytes) {
    if (Batch* const batch = CurrentBatch(); batch != nullptr && batch->place_ == 0) {
      batch->place_ = kOneCall + bytes;
      return;
    }
    state_.fetch_sub(kOneCall + bytes, std::memory_order_relaxed);
  }
  uint32_t calls() const { return static_cast<uint32_t>(State() / kOneCall); }
  // What a connection holds beside that, unsent replies and the front of a frame, has
  // changed.
  void Hold(size_t now, size_t before) {
    state_.fetch_add(now - before, std::memory_order_relaxed);
  }
  size_t held() const { return State() & (kOneCall - 1); }
  // Whether who holds some is to hold no more: the last eighth is for the others.
  bool full() const { return held() > max_memory_bytes_ - max_memory_bytes_ / 8; }
  // Ok if a request of `bytes` may be taken on.
  absl::Status Admit(size_t bytes) const;

  // Whether calls may wait for the pool.
  Admission& admission() { return admission_; }

  // Handlers queued or running on the pool: they use the services that the server
  // borrows.
  void HandlerBegins() { handlers_.fetch_add(1, std::memory_order_relaxed); }
  void HandlerEnds() ABSL_LOCKS_EXCLUDED(mutex_);
  // False when some still run after `timeout`.
  bool AwaitHandlers(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // This thread's, if it is of this load.
  Batch* CurrentBatch() const {
    Batch* const batch = Batch::current_;
    return batch != nullptr && &batch->load_ == this ? batch : nullptr;
  }
  uint64_t State() const {
    const Batch* const batch = CurrentBatch();
    return state_.load(std::memory_order_relaxed) -
           (batch == nullptr ? 0 : batch->place_);
  }

  const size_t max_memory_bytes_;
  // Calls and bytes in one number, for one atomic addition a call and not two: 1 TiB,
  // and above it the calls.
  static constexpr uint64_t kOneCall = uint64_t{1} << 40;
  std::atomic<uint64_t> state_{0};
  Admission admission_;
  Mutex mutex_;
  CondVar idle_;
  std::atomic<int> handlers_{0};
};

}  // namespace skep

#endif  // SKEP_RPC_SERVER_LOAD_H_
