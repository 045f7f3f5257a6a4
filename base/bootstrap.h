// How far a statistic of a few measurements may be from the truth: confidence intervals
// by the bootstrap (Efron, "Bootstrap methods: another look at the jackknife", 1979).
//
// The sample is drawn anew from itself, with replacement, many times; the interval is
// what the middle 95 % of the statistics of these lie in (the percentile method). It
// asks for no distribution, which measured times do not have. It knows no more than the
// sample does: of fewer than five values it would be too narrow, and is not known.
//
// Pure: the same values and seed give the same interval. O(resamples * values) in time.

#ifndef SKEP_BASE_BOOTSTRAP_H_
#define SKEP_BASE_BOOTSTRAP_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace skep {

struct Interval {
  double estimate = 0;  // of the sample itself
  double low = 0;
  double high = 0;
  // Of too few values: `low` and `high` are the estimate, and say nothing.
  bool known = true;
};
inline constexpr size_t kLeastForInterval = 5;

// Of at least one value, which it may reorder.
using Statistic = double (*)(std::span<double> values);
double MeanOf(std::span<double> values);
double MedianOf(std::span<double> values);  // of an even number: the middle of the two

struct BootstrapOptions {
  double confidence = 0.95;
  int resamples = 2000;
  uint64_t seed = 1;
};

// At least one value.
Interval Bootstrap(std::span<const double> values, Statistic statistic,
                   const BootstrapOptions& options = {});

// statistic(numerator) / statistic(denominator): how many times faster, say.
// kPaired: the values of one index were measured side by side, in one round, and are
// drawn together, so that what slowed down a whole round cancels out; both must be
// equally many.
enum class Pairing { kIndependent, kPaired };
Interval BootstrapRatio(std::span<const double> numerator,
                        std::span<const double> denominator, Statistic statistic,
                        Pairing pairing, const BootstrapOptions& options = {});

}  // namespace skep

#endif  // SKEP_BASE_BOOTSTRAP_H_
