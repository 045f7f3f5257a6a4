#include "rpc/balance/balancer_shared.h"

#include <glog/logging.h>

namespace skep {

void BalancerShared::OnEnded(SharedBackend& backend, absl::StatusCode code,
                             absl::Time now) {
  if (Health::SpeaksAgainst(code)) {
    MutexLock lock(mutex);
    backend.errors.store(true, std::memory_order_relaxed);
    if (health.OnError(backend.id, now)) Publish(backend, now);
  } else if (backend.errors.load(std::memory_order_relaxed)) {
    // Cancelled and late calls say nothing about the backend.
    if (code == absl::StatusCode::kCancelled ||
        code == absl::StatusCode::kDeadlineExceeded) {
      return;
    }
    MutexLock lock(mutex);
    health.OnSuccess(backend.id, now);
    backend.errors.store(health.errors(backend.id) > 0, std::memory_order_relaxed);
  }
}

void BalancerShared::OnCheck(SharedBackend& backend, bool passed, absl::Time now) {
  MutexLock lock(mutex);
  if (health.OnCheck(backend.id, passed, now)) Publish(backend, now);
}

void BalancerShared::CompareLatencies(absl::Time now) {
  MutexLock lock(mutex);
  std::vector<Health::Latency> latencies;
  for (const std::shared_ptr<SharedBackend>& backend : backends) {
    const Histogram all = backend->calls.latency();
    const uint64_t calls = all.count() - backend->seen_calls;
    const uint64_t nanoseconds = all.sum() - backend->seen_nanoseconds;
    backend->seen_calls = all.count();
    backend->seen_nanoseconds = all.sum();
    latencies.push_back({.id = backend->id,
                         .calls = calls,
                         .mean = calls == 0 ? absl::ZeroDuration()
                                            : absl::Nanoseconds(nanoseconds / calls)});
  }
  if (!health.OnLatencies(latencies, now)) return;
  for (const std::shared_ptr<SharedBackend>& backend : backends) {
    const absl::Time until = health.ejected_until(backend->id);
    if (until > now && !backend->ejected_until.Is(until)) {
      Publish(*backend, now);
    }
  }
}

void BalancerShared::Publish(SharedBackend& backend, absl::Time now) {
  const absl::Time until = health.ejected_until(backend.id);
  backend.ejected_until.Set(until);
  if (until == absl::InfiniteFuture()) {
    LOG(WARNING) << "backend_ejected backend=" << backend.address.ToString()
                 << " reason=\"it does not answer checks\"";
  } else if (until > now) {
    LOG(WARNING) << "backend_ejected backend=" << backend.address.ToString()
                 << " for=" << until - now << " reason=\"errors or latency\"";
    backend.up_since.Set(until);
  } else {
    LOG(INFO) << "backend_readmitted backend=" << backend.address.ToString();
    backend.up_since.Set(now);
  }
  backend.errors.store(health.errors(backend.id) > 0, std::memory_order_relaxed);
}

void BalancerShared::ConnectionEnded() {
  if (connections.fetch_sub(1, std::memory_order_relaxed) != 1) return;
  MutexLock lock(mutex);
  idle.SignalAll();
}

}  // namespace skep
