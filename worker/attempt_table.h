// What a worker knows of the attempts that it was given: running ones with those who
// wait for them, finished ones with their results, until the master releases their job.

#ifndef SKEP_WORKER_ATTEMPT_TABLE_H_
#define SKEP_WORKER_ATTEMPT_TABLE_H_

#include <map>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/mutex.h"
#include "jobs/api/fleet.pb.h"
#include "jobs/api/task.pb.h"
#include "worker/attempt.h"

namespace skep {

// Thread-safe. Callbacks run outside its lock.
class AttemptTable {
 public:
  // Gets the attempt's result, once.
  using Waiter = absl::AnyInvocable<void(const TaskResult&)>;

  enum class Found {
    kNew,       // the caller must start it; the waiter waits
    kRunning,   // the waiter waits with the others
    kFinished,  // the waiter has been run
  };
  // RunTask's idempotence.
  Found Join(const AttemptId& id, Waiter waiter) ABSL_LOCKS_EXCLUDED(mutex_);

  void SetProgress(const AttemptRef& key, float fraction) ABSL_LOCKS_EXCLUDED(mutex_);

  // The attempt has ended: runs its waiters. True if its result and files are kept;
  // false if its job was released or it was dropped meanwhile: then delete its files.
  bool Finish(const AttemptRef& key, TaskResult result) ABSL_LOCKS_EXCLUDED(mutex_);

  // Forgets an attempt that was new and could not be started: its waiters are dropped.
  void Abandon(const AttemptRef& key) ABSL_LOCKS_EXCLUDED(mutex_);

  // Forgets what is finished, and marks what is running to be forgotten when it ends;
  // the running ones are returned, to be cancelled.
  std::vector<AttemptRef> ReleaseJob(uint64_t job) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for one attempt; true if it is running.
  bool Drop(const AttemptRef& key) ABSL_LOCKS_EXCLUDED(mutex_);

  // For Register and Heartbeat. Without those that are marked to be forgotten.
  void Describe(RegisterRequest* request) const ABSL_LOCKS_EXCLUDED(mutex_);
  void Describe(HeartbeatRequest* request) const ABSL_LOCKS_EXCLUDED(mutex_);
  int running() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Attempt {
    AttemptId id;
    bool finished = false;
    bool forget = false;  // when it ends
    float progress = 0;
    TaskResult result;
    std::vector<Waiter> waiters;
  };

  mutable Mutex mutex_;
  std::map<AttemptRef, Attempt> attempts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace skep

#endif  // SKEP_WORKER_ATTEMPT_TABLE_H_
