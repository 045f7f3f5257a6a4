// A backend that comes, or comes back, takes its share little by little: caches are
// cold, and all that waits would fall on it at once.

#ifndef SKEP_RPC_BALANCE_SLOW_START_H_
#define SKEP_RPC_BALANCE_SLOW_START_H_

#include <algorithm>

#include "absl/time/time.h"

namespace skep {

// The least part of its weight that a backend has, so that it gets calls at all.
inline constexpr double kLeastRamp = 0.1;

// The part of its weight that a backend has which has been up for `age`: rises evenly
// from kLeastRamp to 1 in `window`. A window of zero: 1 at once.
inline double RampOf(absl::Duration age, absl::Duration window) {
  if (age >= window) return 1;
  return std::max(kLeastRamp, absl::FDivDuration(age, window));
}

// The weight of a backend of weight `weight` that has been up for `age`.
inline double WeightNow(double weight, absl::Duration age, absl::Duration window) {
  return weight * RampOf(age, window);
}

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_SLOW_START_H_
