// Sketches: quantiles of a stream, nearly, in little memory, in one pass; mergeable.
//
//   kll       rank error: the value's rank is off by at most so many percent of all,
//   for
//             any input, with probability 0.99 (Z. Karnin, K. Lang, E. Liberty, Optimal
//             quantile approximation in streams, 2016)
//   tdigest   rank error that shrinks towards both ends; no guarantee, but good on
//             smooth data (T. Dunning, O. Ertl, Computing extremely accurate
//             quantiles using t-digests, 2019)
//   ddsketch  value error: the value is off by at most so many percent of itself,
//   always
//             (C. Masson, J. E. Rim, H. K. Lee, DDSketch, 2019)
//
// The least and the greatest number, ranks 1 and count(), are exact. The bounds are
// those of a number of one rank: of a quantile between two numbers, each of the two
// keeps them.
//
// They hold doubles: integers beyond 2^53 are rounded. Infinities are numbers. The same
// numbers in the same order with the same seed give the same sketch; merging in another
// order gives another one within the same bound. Not thread-safe.

#ifndef SKEP_JOBS_KERNELS_QUANTILE_SKETCH_H_
#define SKEP_JOBS_KERNELS_QUANTILE_SKETCH_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "jobs/kernels/quantile.h"

namespace skep {

enum class SketchKind { kKll, kTDigest, kDdSketch };

// "kll", "tdigest", "ddsketch"; InvalidArgument for anything else.
absl::StatusOr<SketchKind> ParseSketchKind(std::string_view text);
std::string_view SketchKindName(SketchKind kind);

class QuantileSketch {
 public:
  virtual ~QuantileSketch() = default;

  virtual void Add(double value) = 0;  // not NaN
  void Add(std::span<const double> values) {
    for (const double value : values) Add(value);
  }
  // Requires one of the same kind.
  virtual void Merge(const QuantileSketch& other) = 0;

  virtual uint64_t count() const = 0;
  // About the value of that rank, from 1; of the first and the last it is that value.
  // Requires 1 <= rank <= count().
  virtual double ValueOfRank(uint64_t rank) = 0;

  // What its answers are worth: "rank within 0.26 % of all, with probability 0.99".
  virtual std::string Bound() const = 0;
  virtual size_t memory_used() const = 0;

  virtual std::string Serialize() const = 0;
};

// How many ranks an answer is off, of which `below` numbers are smaller and `equal`
// ones equal to it: its own ranks are below + 1 to below + equal, and one that is none
// of the numbers lies between the ranks below and below + 1, as near to the one as to
// the other.
uint64_t RanksOff(uint64_t below, uint64_t equal, const QuantileRanks& wanted);

// Empty. The seed drives what is random in kll.
std::unique_ptr<QuantileSketch> MakeSketch(SketchKind kind, uint64_t seed);
// DataLoss for bytes that Serialize of a sketch of that kind cannot have made.
absl::StatusOr<std::unique_ptr<QuantileSketch>> ParseSketch(SketchKind kind,
                                                            std::string_view bytes);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUANTILE_SKETCH_H_
