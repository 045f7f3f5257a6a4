// Quantiles: which ranks they are, and what lies between two ranks.
//
// Ranks count from 1 in ascending order; n numbers, 0 <= q <= 1. q is a decimal
// fraction kept exactly: as a double, 0.07 of 100 numbers would be rank 8.
//
//   definition    ranks                                value
//   lower         max(1, ceil(q n))                    that number; the default
//   upper         min(n, floor(q n) + 1)               that number
//   midpoint      lower and upper                      their average
//   interpolated  h = (n - 1) q + 1; floor(h), and     the straight line between the
//                 the next if h is not whole           two, at h - floor(h)
//
// The median (q = 0.5) of an even count is by these its lower middle element, k =
// (n + 1) / 2 rounded down; its upper one; or their average, twice. In the terms of
// Hyndman and Fan (1996), lower is type 1, midpoint type 2, interpolated type 7.

#ifndef SKEP_JOBS_KERNELS_QUANTILE_H_
#define SKEP_JOBS_KERNELS_QUANTILE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/kernels/number.h"

namespace skep {

enum class QuantileDefinition { kLower, kUpper, kMidpoint, kInterpolated };

// "lower", "upper", "midpoint", "interpolated" or "linear", which is the same;
// InvalidArgument for anything else.
absl::StatusOr<QuantileDefinition> ParseQuantileDefinition(std::string_view text);

// q = numerator / denominator, 0 <= q <= 1.
struct Quantile {
  uint64_t numerator = 1;
  uint64_t denominator = 2;
  std::string text = "0.5";  // as it was given
};

// A decimal fraction of at most 18 digits after the point: "0.5", ".999", "1", "0".
absl::StatusOr<Quantile> ParseQuantile(std::string_view text);
// Several, separated by commas: "0.5,0.99". At least one.
absl::StatusOr<std::vector<Quantile>> ParseQuantiles(std::string_view text);

// The numbers that decide a quantile: those of ranks `low` and `high`, and how far the
// value lies on the way from the one to the other: numerator / denominator < 1.
struct QuantileRanks {
  uint64_t low = 1;
  uint64_t high = 1;  // low or low + 1
  uint64_t numerator = 0;
  uint64_t denominator = 1;

  bool operator==(const QuantileRanks&) const = default;
};

// Requires n > 0.
QuantileRanks RanksOf(const Quantile& q, uint64_t n, QuantileDefinition definition);

// The value on the way from `low` to `high`. One of them itself if the ranks say so or
// they are equal; else the nearest double to the exact value, or, of two integers, the
// integer if it is one. An infinity outweighs what is finite; between both there is
// NaN. low <= high.
Number ValueAt(const QuantileRanks& ranks, const Number& low, const Number& high);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUANTILE_H_
