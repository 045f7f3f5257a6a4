// The master's mind: a pure function of events.
//
// Step takes one event and the time and answers with what is to be done. No I/O, no
// clock, no threads, no log; only ordered containers, and the random state is part of
// the state: the same events give the same commands on every machine. The shell around
// it (master.h) turns calls and timers into events and carries the commands out; the
// simulator is another shell, and testdata/*.txt are scenarios with golden traces.
//
// Rules:
//  - An attempt is known by (job, stage, kind, task, attempt, epoch); a message about
//  one
//    that is not live is stale and changes nothing.
//  - A worker whose connection ends is suspect: nothing is repeated until its lease
//  ends.
//    If it registers again before, its attempts go on. When the lease ends they are
//    lost, and so are the finished map outputs it holds that reducers still need.
//  - A failure is the task's own fault and counts against JobSpec.max_attempts;
//    InvalidArgument, NotFound and FailedPrecondition end the job at once. A loss is
//    the machine's fault and does not count, up to max_losses a task, so that nothing
//    goes on for ever.
//  - Dispatch: the jobs that have tasks to start take turns, a task each. It goes to
//  the
//    connected worker with the job's binary that has the fewest pending attempts
//    relative to its slots, never over its slots; random among equals. Work waits here.
//    A worker where an attempt failed has one slot less for a while, and its task
//    prefers others.
//  - Commit: the first live attempt of a task that asks gets it; another only after
//  that
//    one was lost.
//  - The ledger: what a reduce attempt consumed must equal the sum of what the map
//    attempts that it fetched from produced for its partition; else it has failed
//    (DataLoss).
//
// After MapReduce (Dean and Ghemawat, OSDI 2004, section 3); leases after Gray and
// Cheriton (SOSP 1989).
//
// Costs: an event costs O(log tasks + workers), besides building the specs it sends.

#ifndef SKEP_MASTER_SCHEDULER_H_
#define SKEP_MASTER_SCHEDULER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "master/active_job.h"
#include "master/command.h"
#include "master/event.pb.h"
#include "master/names.h"
#include "master/worker_table.h"
#include "rpc/balance/pick.h"

namespace skep {

struct SchedulerOptions {
  // A worker that has not been heard of for this long is lost. Shorter repeats work
  // sooner after a death, and sooner for nothing after a stall.
  absl::Duration lease = absl::Seconds(3);
  // For how long an error keeps a slot of its worker empty.
  absl::Duration punishment = absl::Seconds(1);
  // Times that one task may be lost before its job fails.
  uint32_t max_losses = 30;
  // Jobs that have ended and are remembered; those that ended first are forgotten.
  size_t history = 1000;
  // Bytes of what is remembered of them; an answer may have 60 MiB. The newest is kept
  // in any case.
  size_t history_bytes = size_t{256} << 20;
};

class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions options);

  std::vector<Command> Step(Event event, absl::Time now);

  // Whether a journal needs the event that gave these commands, besides those that
  // always change something: most ticks and heartbeats do not.
  static bool Matters(const Event& event, const std::vector<Command>& commands);

  // The id for the next JobSubmitted.
  JobId next_job() const { return JobId(last_job_ + 1); }
  uint64_t epoch() const { return epoch_; }
  // Jobs that have not ended.
  size_t active_jobs() const { return jobs_.size(); }
  const WorkerTable& workers() const { return workers_; }
  // Nullopt: never submitted, or forgotten.
  std::optional<JobStatus> Status(JobId id) const;
  // What tasks of an active job have come to (JobSpec.keep_outcomes), from the
  // `from`th on: at least one, if there is one, and about `max_bytes` at most.
  std::vector<FinishedTask> Outcomes(JobId id, size_t from, size_t max_bytes) const;
  // All jobs that are remembered, by id.
  std::vector<JobId> Jobs() const;

 private:
  // A live attempt and where it belongs; job is null if there is none.
  struct Found {
    ActiveJob* job = nullptr;
    TaskGroup* group = nullptr;
    Attempt* attempt = nullptr;
  };

  // Workers (scheduler_workers.cc).
  void OnMasterStarted(const MasterStarted& event);
  void OnRegistered(const WorkerRegistered& event);
  void OnDisconnected(const WorkerDisconnected& event);
  void OnHeartbeat(const WorkerHeartbeat& event);
  void OnTick(const Tick& event);
  void Suspect(WorkerEntry& worker, const std::string& reason);
  void LoseWorker(WorkerId id);
  bool Keeps(const WorkerEntry& worker, const AttemptId& id);
  void LoseAttempt(const AttemptKey& key, const std::string& reason);
  void LoseOutput(const AttemptKey& key, const std::string& reason);
  void CheckLosses(ActiveJob& job, const TaskKey& key, const std::string& reason);

  // Attempts (scheduler.cc).
  void OnFinished(AttemptFinished event);
  void OnDropped(const AttemptDropped& event);
  void OnCommit(const CommitRequested& event);
  absl::Status CheckResult(const Found& found, const AttemptKey& key,
                           const TaskResult& result) const;
  void Succeed(const Found& found, const AttemptKey& key, WorkerEntry& worker,
               TaskResult result);
  void FailAttempt(const Found& found, const AttemptKey& key, WorkerEntry& worker,
                   const absl::Status& error);
  void LoseInputs(ActiveJob& job, const TaskResult& result);
  void Dispatch();
  bool StartOne(ActiveJob& job);
  void StartTask(ActiveJob& job, TaskKind kind, uint32_t task, WorkerEntry& worker);

  // Jobs (scheduler_jobs.cc).
  void OnSubmitted(JobSubmitted event);
  void OnCancelled(const JobCancelled& event);
  void Settle(ActiveJob& job);
  void LeaveStage(ActiveJob& job, bool job_ended);
  void EndJob(ActiveJob& job, JobState end, const absl::Status& error);
  void Remember(JobId id, JobStatus status);
  std::string WaitingFor(const ActiveJob& job) const;

  ActiveJob* FindJob(JobId id);
  // The live attempt that `id` names, run by `worker` if that is given.
  Found FindLive(const AttemptId& id, WorkerId worker = WorkerId());
  void Emit(Command command) { out_.push_back(std::move(command)); }
  void Touch(const ActiveJob& job) { touched_.insert(job.id()); }

  const SchedulerOptions options_;
  PickState pick_;
  uint64_t epoch_ = 0;  // until MasterStarted
  uint64_t last_job_ = 0;
  WorkerTable workers_;
  std::map<JobId, ActiveJob> jobs_;
  std::map<JobId, JobStatus> history_;
  std::deque<JobId> ended_;  // those of history_, in the order of their ends
  size_t history_bytes_ = 0;
  std::set<JobId> ready_;  // jobs with tasks to start
  JobId last_served_;      // of the turns
  absl::Time last_tick_ = absl::InfinitePast();

  // Within one Step only.
  absl::Time now_;
  std::vector<Command> out_;
  std::set<JobId> touched_;               // to be settled at its end
  std::map<JobId, absl::Status> doomed_;  // jobs to fail, by their first error
};

}  // namespace skep

#endif  // SKEP_MASTER_SCHEDULER_H_
