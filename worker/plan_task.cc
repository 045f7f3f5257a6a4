// A plan task: asks the job's planner for the next stage, or for the answer.

#include <algorithm>
#include <vector>

#include "base/status.h"
#include "worker/phase_clock.h"
#include "worker/running_task.h"
#include "worker/task_runner.h"

namespace skep {
namespace {

// A reduce task should outlast its start by far, and what it sorts should mostly fit
// into its memory; past the largest number, the parts are a burden to whoever reads
// them.
constexpr uint64_t kInputBytesPerPartition = 32 << 20;
constexpr uint64_t kMaxDefaultPartitions = 512;

// Depends on the input only: output is the same on any fleet.
uint32_t DefaultPartitions(const std::vector<InputSplit>& splits) {
  uint64_t bytes = 0;
  for (const InputSplit& split : splits) bytes += split.length();
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(bytes / kInputBytesPerPartition, 1, kMaxDefaultPartitions));
}

}  // namespace

absl::Status RunPlanTask(const TaskInput& input, TaskResult* result) {
  const InPhase plan_phase(&input.phases, PHASE_PLAN);
  const TaskSpec& spec = input.spec;
  const std::vector<InputSplit> splits(spec.splits().begin(), spec.splits().end());
  const std::vector<StageResult> finished(spec.finished().begin(),
                                          spec.finished().end());
  const PlanInput plan_input{.options = input.options,
                             .splits = splits,
                             .finished = finished,
                             .default_partitions = spec.partitions_hint() > 0
                                                       ? spec.partitions_hint()
                                                       : DefaultPartitions(splits)};
  absl::StatusOr<PlanResult> plan = input.job.MakePlan(plan_input);
  const RunningTask state(spec, input.options, input.control.stop, nullptr);
  SKEP_RETURN_IF_ERROR(FromUserCode(plan.status(), state));
  *result->mutable_plan() = *std::move(plan);
  return absl::OkStatus();
}

}  // namespace skep
