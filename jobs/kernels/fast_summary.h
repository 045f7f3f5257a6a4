// Count, sum and mean of numbers, fast rather than exact: integers in 128 bits without
// any rounding, doubles by a compensated sum, with a bound of the error. The last bits
// may depend on how the numbers are split and on the CPU; for a sum that does not, see
// exact_summary.h.

#ifndef SKEP_JOBS_KERNELS_FAST_SUMMARY_H_
#define SKEP_JOBS_KERNELS_FAST_SUMMARY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/cpu_path.h"

namespace skep {

// Not thread-safe.
class FastSummary {
 public:
  void Add(std::span<const int64_t> values, CpuPath path = BestCpuPath());
  void Add(std::span<const uint64_t> values);
  void Add(std::span<const double> values, CpuPath path = BestCpuPath());  // no NaN
  void Merge(const FastSummary& other);

  std::string Serialize() const;
  // DataLoss for bytes that Serialize cannot have made.
  static absl::StatusOr<FastSummary> Parse(std::string_view bytes);

  uint64_t count() const { return integers_ + reals_; }
  uint64_t positive_infinities() const { return positive_infinities_; }
  uint64_t negative_infinities() const { return negative_infinities_; }
  // The exact sum if all the numbers were integers.
  std::optional<__int128> IntegerSum() const;
  // An infinity if there were some of one sign, NaN if of both; without any, either if
  // the sum left the range of doubles on its way. SumError is then not finite.
  double Sum() const;
  // Sum() is off by at most this; not finite if the sum is not, or cannot be told.
  double SumError() const;
  // NaN for no numbers.
  double Mean() const;

 private:
  // A sum and, unevaluated, what was rounded off it.
  struct Compensated {
    double sum = 0;
    double rest = 0;
    void Add(double value);
  };
  Compensated Total() const;

  uint64_t integers_ = 0;
  uint64_t reals_ = 0;
  uint64_t positive_infinities_ = 0;
  uint64_t negative_infinities_ = 0;
  __int128 integer_sum_ = 0;
  Compensated real_sum_;
  double real_error_ = 0;  // bounds that of real_sum_
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_FAST_SUMMARY_H_
