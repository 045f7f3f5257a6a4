// The last calls that took long, and where their time went.

#ifndef SKEP_RPC_SLOW_CALLS_H_
#define SKEP_RPC_SLOW_CALLS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace skep {

struct SlowCall {
  absl::Time ended;  // when it was answered
  std::string method;
  std::string backend;  // a balancer's choice; "": it had none
  std::string peer;     // the caller
  absl::StatusCode code = absl::StatusCode::kOk;
  size_t request_bytes = 0;  // messages and attachments
  size_t reply_bytes = 0;
  uint64_t trace = 0;  // 0: none

  // Its stages, one after the other.
  absl::Duration queued;    // from the request's arrival to the handler's start
  absl::Duration handler;   // from there to its answer
  absl::Duration encoding;  // until the reply was with its connection
  absl::Duration writing;   // until the kernel had taken all that the connection held
  absl::Duration total() const { return queued + handler + encoding + writing; }
};

// Which calls are slow.
struct SlowCallRule {
  // Zero: the slowest call of each second, where it took longer than the 99th
  // percentile of its method so far. Else all of so long and more.
  absl::Duration at_least;
  size_t kept = 32;  // the last of them

  std::string ToString() const;
  // "p99", or a time: "100ms".
  static absl::StatusOr<SlowCallRule> Parse(const std::string& text);
};

// Thread-safe. To ask Wants costs an atomic load for a call that is not slow.
class SlowCallLog {
 public:
  explicit SlowCallLog(SlowCallRule rule) : rule_(rule) {}

  const SlowCallRule& rule() const { return rule_; }
  // Whether a call of that length, which ended `now`, is to be added. `p99`: of its
  // method, in nanoseconds; negative: not known yet.
  bool Wants(absl::Duration total, int64_t p99, absl::Time now) const {
    if (rule_.at_least > absl::ZeroDuration()) return total >= rule_.at_least;
    const int64_t nanoseconds = absl::ToInt64Nanoseconds(total);
    if (p99 < 0 || nanoseconds <= p99) return false;
    return absl::ToUnixSeconds(now) != second_.load(std::memory_order_relaxed) ||
           nanoseconds > slowest_.load(std::memory_order_relaxed);
  }
  void Add(SlowCall call) ABSL_LOCKS_EXCLUDED(mutex_);
  // Newest first.
  std::vector<SlowCall> Newest() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const SlowCallRule rule_;
  // Of the newest call, where one is kept for each second.
  std::atomic<int64_t> second_{0};
  std::atomic<int64_t> slowest_{0};
  mutable Mutex mutex_;
  std::deque<SlowCall> calls_ ABSL_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace skep

#endif  // SKEP_RPC_SLOW_CALLS_H_
