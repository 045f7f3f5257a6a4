// Tasks and their attempts: who waits, who runs, who is done.
//
// A task is what must be done once; an attempt is one try at it on one worker. Attempts
// may fail (the task's own fault, counted against the job's limit) or be lost (the
// machine's fault: the task runs again). A done map task is lost too when the worker
// that holds its output goes.

#ifndef SKEP_MASTER_TASK_STATE_H_
#define SKEP_MASTER_TASK_STATE_H_

#include <cstdint>
#include <set>
#include <vector>

#include "absl/time/time.h"
#include "jobs/api/task.pb.h"
#include "master/ledger.h"
#include "master/names.h"

namespace skep {

enum class TaskState {
  kWaiting,
  kRunning,
  kDone,
  kLost,    // waits to run again, through no fault of its own
  kFailed,  // as often as its job allows: final
};

struct Attempt {
  uint32_t number = 0;  // 1, 2, ... within its task
  uint64_t epoch = 0;
  WorkerId worker;
  absl::Time started;
  // A reduce attempt's: what the map outputs that it was sent to fetch hold for it.
  Account expected;
};

struct Task {
  TaskState state = TaskState::kWaiting;
  uint32_t attempts = 0;  // started so far
  uint32_t failures = 0;
  uint32_t losses = 0;
  uint32_t committer = 0;     // the attempt that may commit; 0: none has asked
  WorkerId avoid;             // where the last attempt failed
  std::vector<Attempt> live;  // attempts now running
  // Of the attempt that finished it. Kept when a map's output is lost: the planner's
  // bytes are not lost with it.
  Attempt winner;
  TaskResult result;
};

// The tasks of one kind of one stage. Every operation costs O(log tasks).
class TaskGroup {
 public:
  // Forgets all tasks and makes `count` waiting ones.
  void Reset(size_t count);

  size_t size() const { return tasks_.size(); }
  const Task& operator[](uint32_t task) const { return tasks_[task]; }
  Task& operator[](uint32_t task) { return tasks_[task]; }
  // Tasks to start, in their order; lost ones too.
  const std::set<uint32_t>& waiting() const { return waiting_; }
  size_t running() const { return running_; }
  size_t done() const { return done_; }
  // Of the attempts that finished the tasks which are done.
  double cpu_seconds() const { return cpu_seconds_; }
  bool all_done() const { return done_ == tasks_.size(); }

  // The live attempt of that number, or null.
  Attempt* FindLive(uint32_t task, uint32_t attempt);

  // waiting or lost -> running.
  Attempt& Start(uint32_t task, WorkerId worker, uint64_t epoch, absl::Time now);
  // running -> done, by the live attempt `attempt`. Returns the other live attempts,
  // which are of no use any more.
  std::vector<Attempt> Finish(uint32_t task, uint32_t attempt, TaskResult result);
  // waiting -> done, as an earlier submission of the job had it.
  void Restore(uint32_t task, TaskResult result);
  // Ends a live attempt without a result; the task waits again unless another attempt
  // of it is live.
  enum class Why { kFailed, kLost };
  void End(uint32_t task, uint32_t attempt, Why why);
  // done -> lost.
  void LoseOutput(uint32_t task);

 private:
  std::vector<Task> tasks_;
  std::set<uint32_t> waiting_;
  size_t running_ = 0;
  size_t done_ = 0;
  double cpu_seconds_ = 0;
};

}  // namespace skep

#endif  // SKEP_MASTER_TASK_STATE_H_
