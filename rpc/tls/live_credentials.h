// The credentials that hold now: connections made from here on take them, and those
// that are there see, by the generation, when to look at their peers again.

#ifndef SKEP_RPC_TLS_LIVE_CREDENTIALS_H_
#define SKEP_RPC_TLS_LIVE_CREDENTIALS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace skep {

class TlsCredentials;

// Thread-safe.
class LiveCredentials {
 public:
  explicit LiveCredentials(std::shared_ptr<const TlsCredentials> first)
      : now_(std::move(first)) {}

  std::shared_ptr<const TlsCredentials> Get() const {
    MutexLock lock(mutex_);
    return now_;
  }
  void Replace(std::shared_ptr<const TlsCredentials> next) {
    {
      MutexLock lock(mutex_);
      now_.swap(next);
    }
    generation_.fetch_add(1, std::memory_order_release);
  }
  // Grows with each Replace, after it.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const TlsCredentials> now_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> generation_{0};
};

}  // namespace skep

#endif  // SKEP_RPC_TLS_LIVE_CREDENTIALS_H_
