// Quantiles by a sketch (kernels/quantile_sketch.h), in one round; with --check in two:
// the second counts what ranks the answers really have.

#ifndef SKEP_JOBS_SKETCH_ROUNDS_H_
#define SKEP_JOBS_SKETCH_ROUNDS_H_

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/quantiles.h"

namespace skep {

// Adds the stage, --approx and --check.
void TakeSketches(Job& job);

// Whether --approx names a sketch.
bool WantsSketch(const Options& options);

// The planner then.
absl::StatusOr<PlanResult> PlanSketch(
    const PlanInput& input, const std::vector<Quantile>& quantiles,
    const std::function<PlanResult(const QuantileValues&)>& answer);

}  // namespace skep

#endif  // SKEP_JOBS_SKETCH_ROUNDS_H_
