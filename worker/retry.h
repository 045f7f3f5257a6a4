// Trying again, with backoff and an end.

#ifndef SKEP_WORKER_RETRY_H_
#define SKEP_WORKER_RETRY_H_

#include <algorithm>
#include <stop_token>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace skep {

struct RetryOptions {
  // After this long without success the last error is final. Long enough for a peer to
  // restart, short enough that a task on a cut-off machine is soon tried elsewhere.
  absl::Duration give_up_after = absl::Seconds(60);
  // Between two tries; doubles from the first to the second.
  absl::Duration min_backoff = absl::Milliseconds(50);
  absl::Duration max_backoff = absl::Seconds(2);
};

// Whether the same call may succeed later: Unavailable, DeadlineExceeded and
// ResourceExhausted (the peer is there but busy).
bool IsTransient(const absl::Status& status);

// Waits; false when `stop` was asked for before the time had passed.
bool SleepUnlessStopped(absl::Duration duration, std::stop_token stop);

// Calls attempt() -> Status or StatusOr until it succeeds, fails for good, `stop` is
// asked for or time is up; the answer is the last one.
template <typename Attempt>
auto Retry(const RetryOptions& options, std::stop_token stop, Attempt attempt) {
  const absl::Time give_up = absl::Now() + options.give_up_after;
  absl::Duration backoff = options.min_backoff;
  while (true) {
    auto outcome = attempt();
    if (outcome.ok()) return outcome;
    absl::Status status;
    if constexpr (requires { outcome.status(); }) {
      status = outcome.status();
    } else {
      status = outcome;
    }
    if (!IsTransient(status) || absl::Now() + backoff > give_up ||
        !SleepUnlessStopped(backoff, stop)) {
      return outcome;
    }
    backoff = std::min(2 * backoff, options.max_backoff);
  }
}

}  // namespace skep

#endif  // SKEP_WORKER_RETRY_H_
