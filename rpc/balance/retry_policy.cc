#include "rpc/balance/retry_policy.h"

#include <algorithm>

namespace skep {

bool IsRetryable(const RetryOptions& options, absl::StatusCode code) {
  return std::find(options.codes.begin(), options.codes.end(), code) !=
         options.codes.end();
}

std::optional<absl::Duration> RetryDelay(const RetryOptions& options,
                                         const FailedAttempt& failed, Random& random) {
  if (failed.attempts >= options.max_attempts) return std::nullopt;
  if (!IsRetryable(options, failed.code)) return std::nullopt;
  if (!failed.idempotent && !failed.never_sent) return std::nullopt;
  absl::Duration delay = options.min_backoff;
  for (int i = 1; i < failed.attempts && delay < options.max_backoff; ++i) delay *= 2;
  delay = std::min(delay, options.max_backoff) * (0.5 + 0.5 * random.Unit());
  if (!failed.elsewhere) {
    delay = std::max(delay, failed.retry_after);
  } else if (failed.never_sent && failed.attempts == 1) {
    delay = absl::ZeroDuration();  // as if it had been sent there at once
  }
  if (delay >= failed.left) return std::nullopt;
  return delay;
}

}  // namespace skep
