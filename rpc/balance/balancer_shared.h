// What all shards of a balancer share: its backends and their counts, what is known of
// their health, and the bytes that all hold. Internal.

#ifndef SKEP_RPC_BALANCE_BALANCER_SHARED_H_
#define SKEP_RPC_BALANCE_BALANCER_SHARED_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "rpc/balance/balancer.h"
#include "rpc/balance/health.h"
#include "rpc/balance/method_table.h"
#include "rpc/balance/phantom_pending.h"

namespace skep {

// Errors of a backend that count as calls, whichever shard met them. Thread-safe; while
// there are none, looking is one load.
class SharedPhantoms {
 public:
  void Ended(absl::StatusCode code, absl::Time now, absl::Duration hold) {
    if (!PhantomPending::IsBackendsFault(code)) return;
    MutexLock lock(mutex_);
    phantoms_.Ended(code, now, hold);
    any_.store(!phantoms_.empty(), std::memory_order_relaxed);
  }
  int64_t Count(absl::Time now) {
    if (!any_.load(std::memory_order_relaxed)) return 0;
    MutexLock lock(mutex_);
    const int64_t count = phantoms_.Count(now);
    if (count == 0) any_.store(false, std::memory_order_relaxed);
    return count;
  }

 private:
  std::atomic<bool> any_ = false;
  Mutex mutex_;
  PhantomPending phantoms_ ABSL_GUARDED_BY(mutex_){absl::ZeroDuration()};
};

// A time that other threads look at.
class AtomicTime {
 public:
  absl::Time Get() const {
    return absl::FromUnixNanos(nanoseconds_.load(std::memory_order_relaxed));
  }
  bool Is(absl::Time time) const {
    return nanoseconds_.load(std::memory_order_relaxed) == absl::ToUnixNanos(time);
  }
  bool IsAfter(absl::Time now) const {
    const int64_t nanoseconds = nanoseconds_.load(std::memory_order_relaxed);
    return nanoseconds != 0 && absl::FromUnixNanos(nanoseconds) > now;
  }
  void Set(absl::Time time) {
    nanoseconds_.store(absl::ToUnixNanos(time), std::memory_order_relaxed);
  }

 private:
  std::atomic<int64_t> nanoseconds_{0};
};

// What all shards know of one backend.
struct SharedBackend {
  SharedBackend(uint64_t id, const BackendSpec& spec)
      : id(id), address(spec.address), weight(spec.weight) {}

  const uint64_t id;
  const Address address;
  std::atomic<double> weight;
  // Calls given to it that it has not answered; of those that nobody waits for any
  // more, for a while.
  std::atomic<int64_t> pending = 0;
  std::atomic<int> links = 0;  // shards that are connected
  std::atomic<bool> draining = false;
  std::atomic<uint64_t> forwarded = 0;
  std::atomic<uint64_t> failed = 0;
  // Whether Health has counted errors since the last success.
  std::atomic<bool> errors = false;
  AtomicTime ejected_until;
  // Since when it takes its part of the calls (slow_start.h).
  AtomicTime up_since;
  SharedPhantoms held_errors;
  CallCounts calls;  // those that are answered
  // Of the shard that watches latencies.
  uint64_t seen_calls = 0;
  uint64_t seen_nanoseconds = 0;
};

// Bytes held for clients and backends, by all shards. Thread-safe.
class HeldBytes {
 public:
  int64_t total() const { return total_.load(std::memory_order_relaxed); }
  void Add(int64_t bytes) { total_.fetch_add(bytes, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> total_{0};
};

// One holder's part of them.
class HeldPart {
 public:
  explicit HeldPart(HeldBytes& all) : all_(all) {}
  ~HeldPart() { Set(0); }
  HeldPart(const HeldPart&) = delete;
  HeldPart& operator=(const HeldPart&) = delete;

  void Set(size_t bytes) {
    if (bytes == bytes_) return;
    all_.Add(static_cast<int64_t>(bytes) - static_cast<int64_t>(bytes_));
    bytes_ = bytes;
  }
  size_t bytes() const { return bytes_; }

 private:
  HeldBytes& all_;
  size_t bytes_ = 0;
};

// shared_ptr because shards end on their own loops.
struct BalancerShared {
  explicit BalancerShared(BalancerOptions given)
      : options(std::move(given)), slow(options.slow), health(options.health) {}

  // Tells of how calls and checks end. The lock is taken for errors only, and for the
  // first success after one.
  void OnEnded(SharedBackend& backend, absl::StatusCode code, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex);
  void OnCheck(SharedBackend& backend, bool passed, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex);
  // Compares what calls took since the last time.
  void CompareLatencies(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex);
  // What Health says now.
  void Publish(SharedBackend& backend, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  void ConnectionEnded() ABSL_LOCKS_EXCLUDED(mutex);

  const BalancerOptions options;
  std::atomic<int> connections = 0;
  HeldBytes held;
  SlowCallLog slow;
  CallCounts own;  // calls that no backend was given, by how they ended
  MethodTable methods;

  Mutex mutex;
  CondVar idle;  // connections is 0
  Health health ABSL_GUARDED_BY(mutex);
  std::vector<std::shared_ptr<SharedBackend>> backends ABSL_GUARDED_BY(mutex);
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCER_SHARED_H_
