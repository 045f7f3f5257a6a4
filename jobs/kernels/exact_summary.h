// Count, sum, mean, variance, smallest and largest of numbers, exactly.
//
// Nothing is rounded before the answer is asked for: integers are summed in 128 bits
// and their squares in 192; doubles and their squares in fixed-point numbers as wide as
// the range of a double. So an answer does not depend on the order of the numbers nor
// on how they were split over machines, and each is rounded once: Sum, Mean and the
// variances are the doubles nearest to the true values. Integers and doubles may be
// mixed.
//
// +inf and -inf take part as one expects of them (both together have no sum: NaN). NaNs
// are counted and otherwise left out.
//
// Limits: 2^63 numbers. Not thread-safe: one for each thread, then Merge.

#ifndef SKEP_JOBS_KERNELS_EXACT_SUMMARY_H_
#define SKEP_JOBS_KERNELS_EXACT_SUMMARY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/cpu_path.h"
#include "jobs/kernels/fixed_point_sum.h"
#include "jobs/kernels/number.h"

namespace skep {

class ExactSummary {
 public:
  void Add(std::span<const int64_t> values, CpuPath path = BestCpuPath());
  void Add(std::span<const uint64_t> values);
  void Add(std::span<const double> values, CpuPath path = BestCpuPath());
  void Merge(const ExactSummary& other);

  // The same bytes whenever the same numbers were added, in whatever order and parts.
  std::string Serialize() const;
  // DataLoss for bytes that Serialize cannot have made.
  static absl::StatusOr<ExactSummary> Parse(std::string_view bytes);

  // Numbers, infinities included, NaNs not.
  uint64_t count() const { return integers_ + reals_; }
  uint64_t nans() const { return nans_; }
  uint64_t positive_infinities() const { return positive_infinities_; }
  uint64_t negative_infinities() const { return negative_infinities_; }

  // The exact sum if all the numbers were integers.
  std::optional<__int128> IntegerSum() const;

  // 0 for no numbers.
  double Sum() const;
  // NaN for no numbers.
  double Mean() const;
  // The mean square deviation from the mean; NaN for no numbers or an infinite one.
  double PopulationVariance() const;
  // The same sum divided by count - 1: the unbiased estimate from a sample. NaN for
  // fewer than two numbers or an infinite one.
  double SampleVariance() const;

  // Require count() > 0. Of equal numbers an integer is preferred, and -0.0 is 0.0, so
  // that these do not depend on the order either.
  Number Min() const;
  Number Max() const;

 private:
  // A double is an integer multiple of 2^-1074 below 2^1024, so 2098 bits and a sign;
  // its square of 2^-2148, below 2^2048. 64 more bits hold the carries of 2^63
  // additions.
  static constexpr int kLowestExponent = -1074;
  using RealSum = FixedPointSum<2098 + 64>;
  using SquareSum = FixedPointSum<2 * 2098 + 64>;

  // Adds low + high * 2^128.
  void AddIntegerSquares(unsigned __int128 low, uint64_t high);
  // A block of doubles, whatever they are.
  void AddOneByOne(std::span<const double> values);
  void AddSpecial(double value);
  // NaN or an infinity if there are infinities that decide, else nothing.
  std::optional<double> InfiniteSum() const;
  // The finite sum in units of 2^-1074; that of the squares in units of 2^-2148.
  RealSum::Value TotalSum() const;
  WideUint TotalSquares() const;
  double Variance(uint64_t divisor) const;

  uint64_t integers_ = 0;
  uint64_t reals_ = 0;  // infinities included
  uint64_t nans_ = 0;
  uint64_t positive_infinities_ = 0;
  uint64_t negative_infinities_ = 0;

  __int128 integer_sum_ = 0;
  unsigned __int128 integer_squares_low_ = 0;
  uint64_t integer_squares_high_ = 0;  // times 2^128
  __int128 integer_min_ = UINT64_MAX;
  __int128 integer_max_ = INT64_MIN;

  RealSum real_sum_;
  SquareSum real_squares_;
  // Ordered as OrderedFromDouble orders.
  uint64_t real_min_ = UINT64_MAX;
  uint64_t real_max_ = 0;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_EXACT_SUMMARY_H_
