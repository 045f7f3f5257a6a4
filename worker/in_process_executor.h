// Runs attempts on the calling thread: for `skep run`, tests and the executor process.

#ifndef SKEP_WORKER_IN_PROCESS_EXECUTOR_H_
#define SKEP_WORKER_IN_PROCESS_EXECUTOR_H_

#include "worker/executor.h"
#include "worker/task_runner.h"

namespace skep {

// A crash of user code takes the whole process with it.
class InProcessExecutor final : public TaskExecutor {
 public:
  // What `environment` refers to is borrowed.
  explicit InProcessExecutor(TaskEnvironment environment)
      : environment_(std::move(environment)) {}

  TaskResult Run(const TaskSpec& spec, const AttemptControl& control) override {
    return RunTask(spec, environment_, control);
  }

 private:
  const TaskEnvironment environment_;
};

}  // namespace skep

#endif  // SKEP_WORKER_IN_PROCESS_EXECUTOR_H_
