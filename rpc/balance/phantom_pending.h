// Errors of one backend, and calls that it owes, each counted for a while as a call
// that is still outstanding.
//
// A backend that fails at once always has the fewest calls outstanding, and so least
// pending would send it nearly everything. If an error keeps its place for a hold time,
// the backend gets a new call only when it would have finished one of its own had it
// worked: it is probed now and then, and comes back by itself when it works again.
//
// Held places sway the choice and nothing else: a backend is never full of them.

#ifndef SKEP_RPC_BALANCE_PHANTOM_PENDING_H_
#define SKEP_RPC_BALANCE_PHANTOM_PENDING_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace skep {

// Not thread-safe.
class PhantomPending {
 public:
  // Zero or less: nothing is held.
  explicit PhantomPending(absl::Duration hold) : hold_(hold) {}

  // Whether an error of this code is the backend's rather than the caller's fault. (A
  // caller's errors meet all backends alike; holding places for them would drown the
  // counts that matter.)
  static bool IsBackendsFault(absl::StatusCode code);

  // A call ended so at `now`, which never goes back.
  void Ended(absl::StatusCode code, absl::Time now) { Ended(code, now, hold_); }
  // The same with another hold time, but at least as long as those before have left.
  void Ended(absl::StatusCode code, absl::Time now, absl::Duration hold) {
    if (IsBackendsFault(code)) Hold(now, hold);
  }
  // A call was given up at `now` though the backend has not answered it: it is still
  // the backend's, and a backend that is frozen must not look idle.
  void Hold(absl::Time now) { Hold(now, hold_); }
  void Hold(absl::Time now, absl::Duration hold) {
    if (hold <= absl::ZeroDuration()) return;
    if (held_.size() == kMost) held_.pop_front();
    const absl::Time until = now + hold;
    held_.push_back(held_.empty() ? until : std::max(until, held_.back()));
  }

  bool empty() const { return held_.empty(); }
  // Places held at `now`. Amortized O(1).
  int64_t Count(absl::Time now) {
    while (!held_.empty() && held_.front() <= now) held_.pop_front();
    return static_cast<int64_t>(held_.size());
  }

 private:
  // More say no more than so many do.
  static constexpr size_t kMost = 10'000;

  absl::Duration hold_;
  std::deque<absl::Time> held_;  // until when; ascending
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_PHANTOM_PENDING_H_
