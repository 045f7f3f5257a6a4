// How many extra attempts (retries, hedges) the calls of the last seconds pay for: so
// that a fleet in trouble gets a fifth more calls than it would, and not three times as
// many (Finagle's RetryBudget; "The Site Reliability Workbook", ch. 22, retries).

#ifndef SKEP_RPC_BALANCE_RETRY_BUDGET_H_
#define SKEP_RPC_BALANCE_RETRY_BUDGET_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace skep {

struct RetryBudgetOptions {
  // Extra attempts that each call pays for.
  double ratio = 0.2;
  // And so many a second whatever the calls are, for who calls rarely.
  double min_per_second = 10;
};

// Over a sliding window of ten seconds. Not thread-safe; `now` never goes back.
class RetryBudget {
 public:
  explicit RetryBudget(RetryBudgetOptions options) : options_(options) {}

  // A call was made.
  void Deposit(absl::Time now) { ++At(now).calls; }

  // True: an extra attempt may be made, and has been paid for. O(1).
  bool TryWithdraw(absl::Time now) {
    Slot& slot = At(now);
    if (Balance() < 1) return false;
    ++slot.extras;
    return true;
  }

  // Extra attempts that could be made at `now`.
  double Left(absl::Time now) {
    At(now);
    return Balance();
  }

 private:
  static constexpr int64_t kSlots = 10;
  static constexpr absl::Duration kSlot = absl::Seconds(1);
  struct Slot {
    uint64_t calls = 0;
    uint64_t extras = 0;
  };

  double Balance() const {
    Slot sum;
    for (const Slot& slot : slots_) {
      sum.calls += slot.calls;
      sum.extras += slot.extras;
    }
    return options_.ratio * static_cast<double>(sum.calls) +
           options_.min_per_second * static_cast<double>(kSlots) -
           static_cast<double>(sum.extras);
  }

  // The slot of `now`, those that are over being empty.
  Slot& At(absl::Time now) {
    const int64_t tick = (now - absl::UnixEpoch()) / kSlot;
    if (tick - last_ >= kSlots) {
      slots_ = {};
      last_ = tick;
    }
    for (; last_ < tick; ++last_) slots_[(last_ + 1) % kSlots] = {};
    return slots_[tick % kSlots];
  }

  RetryBudgetOptions options_;
  std::array<Slot, kSlots> slots_{};
  int64_t last_ = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_RETRY_BUDGET_H_
