// Runs one attempt, from its spec to its result, on the calling thread.

#ifndef SKEP_WORKER_TASK_RUNNER_H_
#define SKEP_WORKER_TASK_RUNNER_H_

#include "jobs/api/task.pb.h"
#include "worker/task_environment.h"

namespace skep {

class PhaseClock;

// Blocks until the attempt has ended, well or badly: TaskResult.status_code says how
// (its codes are described in task.proto). What user code throws is caught and becomes
// Unknown with its what(). Thread-safe.
//
// A map task with reducers leaves its output at MapOutputPath, for the shuffle service
// of the worker; everything below AttemptScratch is gone.
TaskResult RunTask(const TaskSpec& spec, const TaskEnvironment& env,
                   const AttemptControl& control);

// The bytes that a planner may get from one task: they travel in one message, of which
// 64 MiB is the limit.
inline constexpr size_t kMaxResultBytes = 60 << 20;
// Of all that an attempt reports: leaves room for the frame around it.
inline constexpr size_t kMaxTaskResultBytes = 63 << 20;

// What the kinds of tasks do. Everything that a task needs is checked before user code
// runs. `job` is the one that the spec names; `result` may be filled on errors too.
struct TaskInput {
  const TaskSpec& spec;
  const TaskEnvironment& env;
  const AttemptControl& control;
  const Job& job;
  const Options& options;
  PhaseClock& phases;
};
absl::Status RunMapTask(const TaskInput& input, TaskResult* result);
absl::Status RunReduceTask(const TaskInput& input, TaskResult* result);
absl::Status RunPlanTask(const TaskInput& input, TaskResult* result);
absl::Status RunPublishTask(const TaskInput& input, TaskResult* result);

}  // namespace skep

#endif  // SKEP_WORKER_TASK_RUNNER_H_
