// When a call that takes long is also sent to another backend, the first reply winning
// (Dean and Barroso, "The Tail at Scale", CACM 56(2), 2013, "hedged requests").

#ifndef SKEP_RPC_BALANCE_HEDGE_POLICY_H_
#define SKEP_RPC_BALANCE_HEDGE_POLICY_H_

#include <algorithm>

#include "absl/time/time.h"
#include "base/histogram.h"
#include "rpc/balance/retry_budget.h"

namespace skep {

// Only methods that are idempotent are hedged.
struct HedgeOptions {
  // After so long; infinite: never, unless `percentile` says otherwise.
  absl::Duration delay = absl::InfiniteDuration();
  // If over 0, after this percentile of the latency that the channel's own calls had in
  // the last 10 to 20 seconds, once there were 100 of them, and not before `min_delay`.
  // Replaces `delay`, which stands until there are.
  double percentile = 0;
  absl::Duration min_delay = absl::Milliseconds(1);
  // By definition one call in twenty is over the 95th percentile.
  RetryBudgetOptions budget = {.ratio = 0.1, .min_per_second = 1};
};

// The delay as it follows from latencies. Not thread-safe; `now` never goes back.
class HedgeDelay {
 public:
  explicit HedgeDelay(const HedgeOptions& options)
      : options_(options), delay_(options.delay) {}

  // A call succeeded after so long.
  void Record(absl::Duration latency, absl::Time now) {
    if (options_.percentile <= 0) return;
    if (now - begun_ >= kWindow) {
      before_ = std::move(current_);
      current_ = Histogram();
      begun_ = now;
    }
    current_.Record(
        static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Nanoseconds(latency), 0)));
    // A percentile is a walk over thousands of buckets: not at every call.
    if (++since_ < kCalls) return;
    since_ = 0;
    if (count() < kCalls) return;
    Histogram both = current_;
    both.Merge(before_);
    delay_ = std::max(
        options_.min_delay,
        absl::Nanoseconds(static_cast<int64_t>(both.Percentile(options_.percentile))));
  }

  absl::Duration delay() const { return delay_; }

 private:
  static constexpr absl::Duration kWindow = absl::Seconds(10);
  static constexpr uint64_t kCalls = 100;

  uint64_t count() const { return current_.count() + before_.count(); }

  const HedgeOptions options_;
  absl::Duration delay_;
  Histogram current_;
  Histogram before_;
  absl::Time begun_;
  uint64_t since_ = 0;  // calls, since delay_ was reckoned
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_HEDGE_POLICY_H_
