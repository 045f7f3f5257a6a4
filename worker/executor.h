// Where attempts run: the interface between the worker, which speaks with the master,
// and the code of jobs, which may do anything.

#ifndef SKEP_WORKER_EXECUTOR_H_
#define SKEP_WORKER_EXECUTOR_H_

#include "jobs/api/task.pb.h"
#include "worker/task_environment.h"

namespace skep {

// Runs one attempt after the other: one TaskExecutor a slot.
class TaskExecutor {
 public:
  virtual ~TaskExecutor() = default;

  // Blocks until the attempt has ended; control.stop ends it soon, with Cancelled.
  // Called from one thread at a time, always the same one.
  virtual TaskResult Run(const TaskSpec& spec, const AttemptControl& control) = 0;
};

}  // namespace skep

#endif  // SKEP_WORKER_EXECUTOR_H_
