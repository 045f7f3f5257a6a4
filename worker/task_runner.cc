#include "worker/task_runner.h"

#include <exception>
#include <new>
#include <utility>

#include "base/status.h"
#include "worker/attempt.h"
#include "worker/phase_clock.h"

namespace skep {
namespace {

absl::Status RunKind(const TaskInput& input, TaskResult* result) {
  switch (input.spec.id().kind()) {
    case TASK_MAP:
      return RunMapTask(input, result);
    case TASK_REDUCE:
      return RunReduceTask(input, result);
    case TASK_PLAN:
      return RunPlanTask(input, result);
    case TASK_PUBLISH:
      return RunPublishTask(input, result);
    default:
      return Internal("task kind ", static_cast<int>(input.spec.id().kind()),
                      " is unknown: master and worker are not the same version");
  }
}

// A reply that the channel refuses would end as a connection's error, and the task
// would run again to no avail.
absl::Status CheckSize(const AttemptId& id, const TaskResult& result) {
  const size_t bytes = result.ByteSizeLong();
  if (bytes <= kMaxTaskResultBytes) return absl::OkStatus();
  return InvalidArgument(
      AttemptName(id), ": its report has ", bytes, " bytes (result ",
      result.result().size(), ", plan ", result.plan().ByteSizeLong(), ", counters ",
      result.counters_size(), "); at most ", kMaxTaskResultBytes,
      " fit into one message: give the planner less, or write output");
}

absl::Status Run(const TaskSpec& spec, const TaskEnvironment& env,
                 const AttemptControl& control, PhaseClock& phases,
                 TaskResult* result) {
  const Job* const job = env.jobs.Find(spec.job().name());
  if (job == nullptr) {
    return FailedPrecondition("host ", env.host, " has no job \"", spec.job().name(),
                              "\": its skep is not the binary that was submitted");
  }
  Options options(job->flags());
  for (const auto& [flag, value] : spec.job().options()) {
    SKEP_RETURN_IF_ERROR(options.Set(flag, value));
  }
  SKEP_RETURN_IF_ERROR(env.local.MakeDirectory(AttemptScratch(env.scratch, spec.id())));
  return RunKind(TaskInput{spec, env, control, *job, options, phases}, result);
}

}  // namespace

TaskResult RunTask(const TaskSpec& spec, const TaskEnvironment& env,
                   const AttemptControl& control) {
  PhaseClock phases;
  TaskResult result;
  absl::Status status;
  try {
    status = Run(spec, env, control, phases, &result);
  } catch (const std::bad_alloc&) {
    status =
        ResourceExhausted(AttemptName(spec.id()), ": out of memory on host ", env.host);
  } catch (const std::exception& e) {
    status = absl::UnknownError(ToAbsl(StrCat("the job threw: ", e.what())));
  } catch (...) {
    status = absl::UnknownError("the job threw something that is no std::exception");
  }
  if (absl::Status fits = CheckSize(spec.id(), result); !fits.ok()) {
    if (status.ok()) status = std::move(fits);
    result.Clear();
  }
  // Only a reducer can lose inputs; other damaged bytes are this machine's disk, and
  // the attempt counts as failed.
  if (absl::IsDataLoss(status) && result.lost_inputs().empty()) {
    status = absl::UnknownError(status.message());
  }
  env.local.RemoveAll(AttemptScratch(env.scratch, spec.id())).IgnoreError();
  SetStatus(status, &result);
  phases.Report(&result);
  return result;
}

}  // namespace skep
