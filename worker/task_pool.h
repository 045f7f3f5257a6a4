// The slots of a worker: a thread each, with an executor of its own.

#ifndef SKEP_WORKER_TASK_POOL_H_
#define SKEP_WORKER_TASK_POOL_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "jobs/api/task.pb.h"
#include "worker/attempt.h"
#include "worker/executor.h"

namespace skep {

// Thread-safe. Attempts start in the order in which they came.
class TaskPool {
 public:
  using Done = absl::AnyInvocable<void(TaskResult)>;
  using Progress = std::function<void(float)>;

  // Work waits at the master: a queue here covers only the moment between an attempt's
  // end and the master's hearing of it.
  static constexpr size_t kMaxQueued = 1024;

  // `make_executor` runs once a slot, on that slot's thread.
  TaskPool(int slots,
           std::function<std::unique_ptr<TaskExecutor>(int slot)> make_executor);
  // As Shutdown.
  ~TaskPool();

  // Cancels everything, waits for it, and has run every `done` when it returns. From
  // then on Run is Unavailable. Idempotent, from one thread at a time.
  void Shutdown();

  // `done` runs once, on a slot's thread. ResourceExhausted: the queue is full, and
  // neither callback will run.
  absl::Status Run(TaskSpec spec, Progress progress, Done done);

  // Asks an attempt to stop; its `done` runs all the same. No such attempt: nothing.
  void Cancel(const AttemptRef& key);

  // Slots without work.
  int free_slots() const;

 private:
  struct Work {
    TaskSpec spec;
    Progress progress;
    Done done;
    std::stop_source stop;
  };
  void RunSlot(int slot);

  const int slots_;
  const std::function<std::unique_ptr<TaskExecutor>(int)> make_executor_;
  mutable Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Work> queue_ ABSL_GUARDED_BY(mutex_);
  // Queued and running.
  std::map<AttemptRef, std::stop_source> stops_ ABSL_GUARDED_BY(mutex_);
  int busy_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::thread> threads_;
};

}  // namespace skep

#endif  // SKEP_WORKER_TASK_POOL_H_
