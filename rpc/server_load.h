// What a server holds and does, over all its connections: its memory, its calls, the
// handlers that run on its pool.

#ifndef SKEP_RPC_SERVER_LOAD_H_
#define SKEP_RPC_SERVER_LOAD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "rpc/admission.h"

namespace skep {

// What a server holds, over all its connections. Thread-safe.
class ServerLoad {
 public:
  explicit ServerLoad(size_t max_memory_bytes) : max_memory_bytes_(max_memory_bytes) {}

  // `bytes`: of the call's request.
  void CallBegins(size_t bytes) {
    state_.fetch_add(kOneCall + bytes, std::memory_order_relaxed);
  }
  void CallEnds(size_t bytes) {
    state_.fetch_sub(kOneCall + bytes, std::memory_order_relaxed);
  }
  uint32_t calls() const {
    return static_cast<uint32_t>(state_.load(std::memory_order_relaxed) / kOneCall);
  }
  // What a connection holds beside that, unsent replies and the front of a frame, has
  // changed.
  void Hold(size_t now, size_t before) {
    state_.fetch_add(now - before, std::memory_order_relaxed);
  }
  size_t held() const {
    return state_.load(std::memory_order_relaxed) & (kOneCall - 1);
  }
  bool full() const { return held() > max_memory_bytes_; }
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
