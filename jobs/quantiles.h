// Exact quantiles of any amount of numbers, in rounds: the common part of the jobs
// median and quantile.
//
// Each number is a key of 80 bits (order_key.h). A round is a stage that reads the
// input and counts the keys by their leading bits, but only below the prefixes that are
// known to hold a wanted rank; its planner walks the counts to each rank and so learns
// 16 more bits of all of them at once. When at most 2^20 numbers are left below the
// prefixes, the next round counts whole keys and is the last. Two rounds do for most
// inputs, five for any; memory does not depend on the input's size. (Munro and Paterson
// 1980 describe selection in few passes.)

#ifndef SKEP_JOBS_QUANTILES_H_
#define SKEP_JOBS_QUANTILES_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/kernels/number.h"
#include "jobs/kernels/quantile.h"
#include "jobs/numbers.h"

namespace skep {

// More would make the counts of a round large.
inline constexpr size_t kMaxQuantiles = 1000;

struct QuantileValues {
  std::vector<Number> values;  // in the order in which they were asked for
  InputAccount account;
};

// Adds the stage, the flags of TakeNumbers and --definition.
void TakeQuantiles(Job& job);

// The definition that --definition names.
QuantileDefinition DefinitionOf(const Options& options);

// The planner: the next round, or `answer` of the values.
absl::StatusOr<PlanResult> PlanQuantiles(
    const PlanInput& input, const std::vector<Quantile>& quantiles,
    const std::function<PlanResult(const QuantileValues&)>& answer);

}  // namespace skep

#endif  // SKEP_JOBS_QUANTILES_H_
