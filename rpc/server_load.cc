#include "rpc/server_load.h"

#include "base/clock.h"
#include "base/status.h"

namespace skep {

constinit thread_local ServerLoad::Batch* ServerLoad::Batch::current_ = nullptr;

absl::Status ServerLoad::Admit(size_t bytes) const {
  const size_t held = this->held();
  if (held == 0 || held + bytes <= max_memory_bytes_) return absl::OkStatus();
  return ResourceExhausted("the server holds ", held,
                           " bytes of requests and replies: with another ", bytes,
                           " it is over its limit of ", max_memory_bytes_);
}

void ServerLoad::HandlerEnds() {
  // Released: who waits for it destroys what the handler used.
  if (handlers_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // Under the lock, so that nobody is between its look and its wait.
  MutexLock lock(mutex_);
  idle_.SignalAll();
}

bool ServerLoad::AwaitHandlers(absl::Duration timeout) {
  const absl::Time end = Clock::Real().Now() + timeout;
  MutexLock lock(mutex_);
  while (handlers_.load(std::memory_order_acquire) > 0) {
    const absl::Duration left = end - Clock::Real().Now();
    if (left <= absl::ZeroDuration()) return false;
    idle_.WaitFor(mutex_, left);
  }
  return true;
}

}  // namespace skep
