// Sums over arrays of numbers, as fast as memory gives them: what the exact summary
// (exact_summary.h) and the fast averages are made of.
//
// Exact sums of doubles go by blocks. With 2^e above every magnitude of a block, each
// value is cut at fixed places below e into slices of 41 bits: q = (x + M) - M rounds x
// to a multiple of the last place of M without an error in x - q (S. M. Rump, T. Ogita,
// S. Oishi, Accurate floating-point summation I, 2008, "ExtractVector"; J. Demmel, H.
// D. Nguyen, Fast reproducible floating-point summation, 2013). Sums of 2048 slices are
// exact doubles. A square is a product and its rounding error, by a fused
// multiply-add, and both are sliced. So a block costs some vector additions, and a
// handful of doubles whose sum is the exact sum. A block that does not fit the slices
// (magnitudes over 2^30 apart, not finite, squares out of range) says so.

#ifndef SKEP_JOBS_KERNELS_NUMBER_SUMS_H_
#define SKEP_JOBS_KERNELS_NUMBER_SUMS_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/cpu_path.h"

namespace skep {

// --- Integers ------------------------------------------------------------------------

struct IntegerTotals {
  __int128 sum = 0;
  // The sum of squares is low + high * 2^32, by words of the squares: no carry between
  // them. Each has room for 2^31 numbers.
  unsigned __int128 squares_low = 0;
  unsigned __int128 squares_high = 0;
  int64_t min = INT64_MAX;
  int64_t max = INT64_MIN;
};

// Adds the values to the totals. At most 2^31 values a call.
void AddIntegers(std::span<const int64_t> values, IntegerTotals* totals,
                 CpuPath path = BestCpuPath());

// The exact sum alone: as fast as memory.
__int128 SumIntegers(std::span<const int64_t> values, CpuPath path = BestCpuPath());

// --- Doubles -------------------------------------------------------------------------

inline constexpr size_t kSumBlock = 2048;

// The exact sums of a block, as unevaluated sums of doubles.
struct RealBlock {
  double sum[2];
  double squares[4];
  double min;  // -0.0 and 0.0 are not told apart
  double max;
};

// False, with nothing said about the block, if its values do not fit the slices, and
// always on the plain path. Requires 1 <= values.size() <= kSumBlock.
bool SumBlockExactly(std::span<const double> values, RealBlock* block,
                     CpuPath path = BestCpuPath());

// The sum of doubles, compensated (A. Neumaier 1974, by the branchless two-sum of D.
// Knuth, TAOCP 4.2.2): the error is about one rounding of the result plus 2^-106 n
// times the sum of magnitudes. The last bit may depend on the path and on how the
// values are split: for an answer that does not, see ExactSummary. Infinities give NaN.
double FastSum(std::span<const double> values, CpuPath path = BestCpuPath());

// The sum as a loop gives it, for comparison: its error grows with n.
double NaiveSum(std::span<const double> values);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_NUMBER_SUMS_H_
