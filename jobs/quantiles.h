// Exact quantiles of any amount of numbers, in rounds: the common part of the jobs
// median and quantile.
//
// Each number is a key of 80 bits (order_key.h). A round is a stage that reads the
// input with some windows of the order of numbers (key_windows.h): each task counts
// what lies below, at the ends of and inside each window, and samples the inside; a
// round whose samples held all that is inside is the last. Small inputs take one, whose
// window holds everything. Of others about one in a hundred numbers are parsed first
// (number_skim.h), and the planner chooses a window around each wanted rank, of four
// standard deviations to both sides: so nearly all inputs are read whole once. Equal
// numbers at a window's end are only counted. Where what was skimmed says little, or a
// rank is outside its window (one in 10^4), the next round's windows come from the
// samples inside this one's, or lie between its neighbours; samples grow with each
// round, so that rounds end.

#ifndef SKEP_JOBS_QUANTILES_H_
#define SKEP_JOBS_QUANTILES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/kernels/number.h"
#include "jobs/kernels/quantile.h"
#include "jobs/numbers.h"
#include "jobs/textbook_rounds.h"

namespace skep {

// More would make the windows of a round many.
inline constexpr size_t kMaxQuantiles = 1000;

struct QuantileValues {
  std::vector<Number> values;  // in the order in which they were asked for
  InputAccount account;
  // What else there is to say: for people, and for JSON as ",\"name\":value".
  std::vector<std::string> notes;
  std::string json;

  // Of the account, and those.
  std::vector<std::string> AllNotes() const;
};

// Adds the stages, and the flags of TakeNumbers, --definition and those of sketches.
// `quantiles` says which are wanted, for lines of groups (grouped_numbers.h).
using QuantilesOf = std::function<std::vector<Quantile>(const Options&)>;
void TakeQuantiles(Job& job, QuantilesOf quantiles);

// The definition that --definition names.
QuantileDefinition DefinitionOf(const Options& options);

// The planner: the next round, or `answer` of the values. With --approx it is that of
// sketch_rounds.h, with --group-by that of grouped_numbers.h, with another algorithm
// than kWindowAlgorithm that of textbook_rounds.h.
absl::StatusOr<PlanResult> PlanQuantiles(
    const PlanInput& input, const std::vector<Quantile>& quantiles,
    const std::function<PlanResult(const QuantileValues&)>& answer,
    std::string_view algorithm = kWindowAlgorithm);

}  // namespace skep

#endif  // SKEP_JOBS_QUANTILES_H_
