// Whether a failed attempt of a call is made again, and when: a pure function.
//
// The rule: a method whose option says that it is idempotent, or an attempt of which no
// byte left this process (NeverSent). Anything else might be done twice.

#ifndef SKEP_RPC_BALANCE_RETRY_POLICY_H_
#define SKEP_RPC_BALANCE_RETRY_POLICY_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/random.h"
#include "rpc/balance/retry_budget.h"

namespace skep {

struct RetryOptions {
  // Of one call, the first included, hedges too; 1: nothing is tried again.
  int max_attempts = 3;
  // The codes after which another backend may do better.
  std::vector<absl::StatusCode> codes = {absl::StatusCode::kUnavailable,
                                         absl::StatusCode::kResourceExhausted};
  // Before the second attempt, doubling from one to the next, half of it jitter.
  absl::Duration min_backoff = absl::Milliseconds(25);
  absl::Duration max_backoff = absl::Milliseconds(250);
  // Attempts of which nothing was sent cost no backend anything and are not counted.
  RetryBudgetOptions budget;
  // A call's request is kept until the call ends, to be sent again; larger ones are not
  // kept, nor are any beyond so many bytes in all: those calls are made once.
  size_t max_call_bytes = 1 << 20;
  size_t max_kept_bytes = 64 << 20;
};

struct FailedAttempt {
  absl::StatusCode code;
  bool never_sent = false;
  bool idempotent = false;  // the method
  int attempts = 1;         // of the call so far, this one included
  // Whether there is a backend that this call has not tried: it need not wait until the
  // one that said so can take calls again.
  bool elsewhere = false;
  absl::Duration retry_after;  // as told with the error; zero: not told
  absl::Duration left;         // until the call's deadline
};

// Whether the code says that another attempt might succeed.
bool IsRetryable(const RetryOptions& options, absl::StatusCode code);

// How long to wait before the next attempt; nullopt: the call has failed.
std::optional<absl::Duration> RetryDelay(const RetryOptions& options,
                                         const FailedAttempt& failed, Random& random);

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_RETRY_POLICY_H_
