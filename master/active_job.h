// One job that has not ended: its current stage, what the stages before gave, and the
// specs of its tasks.
//
// The life of a job: a plan task -> a stage's map tasks -> its reduce tasks -> a plan
// task that sees the results -> ... -> an answer -> a publish task if there is output.

#ifndef SKEP_MASTER_ACTIVE_JOB_H_
#define SKEP_MASTER_ACTIVE_JOB_H_

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "jobs/api/task.pb.h"
#include "master/job_status.pb.h"
#include "master/ledger.h"
#include "master/names.h"
#include "master/task_state.h"
#include "master/worker_table.h"

namespace skep {

// Bounds on what a planner may ask for.
inline constexpr uint32_t kMaxStages = 1'000;
inline constexpr uint32_t kMaxTasks = 1'000'000;     // map tasks of one stage
inline constexpr uint32_t kMaxPartitions = 100'000;  // reduce tasks of one stage
inline constexpr int kMaxWarnings = 20;
inline constexpr uint32_t kDefaultMaxAttempts = 4;
// Of the results that are kept for whoever goes on from them; later ones are not.
inline constexpr size_t kMaxOutcomeBytes = size_t{48} << 20;

class ActiveJob {
 public:
  enum class Phase { kPlan, kStage, kPublish };

  ActiveJob(JobId id, JobSpec spec, absl::Time now);

  JobId id() const { return id_; }
  const JobSpec& spec() const { return spec_; }
  Phase phase() const { return phase_; }
  uint32_t max_attempts() const;
  // The index of the stage that runs or is planned; how many ran, when publishing.
  uint32_t stage() const { return stage_; }

  // --- Tasks ---------------------------------------------------------------------
  TaskGroup& group(TaskKind kind) { return groups_[kind]; }
  const TaskGroup& group(TaskKind kind) const { return groups_[kind]; }
  // The group whose tasks may be started now, or null: reduce tasks wait until every
  // map task's output is there.
  TaskGroup* ready_group();
  TaskKey KeyOf(TaskKind kind, uint32_t task) const {
    return {id_, stage_, kind, task};
  }
  // "map task 3 of stage main", for messages.
  std::string Describe(TaskKind kind, uint32_t task) const;
  // All there is to know to run it. Costs O(map tasks) for a reduce task, whose list of
  // inputs is as long; fills attempt.expected for it. Else O(1), or the size of what a
  // planner sees.
  TaskSpec MakeTask(TaskKind kind, uint32_t task, Attempt& attempt,
                    const WorkerTable& workers) const;

  // --- From stage to stage ---------------------------------------------------------
  // All that the phase needed is done.
  bool PhaseDone() const;
  // Whether a map task's output is still wanted by reducers.
  bool OutputsNeeded() const;
  // After the plan task: the next stage, or the answer (*answered).
  absl::Status TakePlan(bool* answered);
  // After the stage: its results are kept, the next is planned. ResourceExhausted: they
  // are more than a planner can be given.
  absl::Status EndStage();
  void BeginPublish();

  // --- Going on from what is finished ----------------------------------------------
  // Map task `task` is done: keeps what it came to, if the job wants that.
  void KeepOutcome(uint32_t task);
  // What was kept, in the order in which the tasks ended.
  const std::vector<FinishedTask>& outcomes() const { return outcomes_; }

  // --- For people ------------------------------------------------------------------
  JobStatus& status() { return status_; }
  JobStatus Status() const;
  void AddWarnings(const TaskResult& result);
  void AddTimes(const TaskResult& result);
  // Part files of the stages that ended, in their order.
  const std::vector<OutputFile>& parts() const { return parts_; }

  // Workers that may hold something of it.
  std::set<WorkerId> workers;

 private:
  absl::Status CheckStage(const StageSpec& stage) const;
  absl::Status CheckResults() const;
  void BeginPlan();
  void BeginStage(StageSpec stage);
  void FillReduce(TaskSpec& spec, Attempt& attempt, const WorkerTable& workers) const;
  void FillPlan(TaskSpec& spec) const;
  void FillPublish(TaskSpec& spec) const;
  StageProgress Progress() const;
  void RestoreFinished();
  bool reduces_follow() const { return stage_spec_.partitions() > 0; }
  // Whether a result is all that is left of a map task of the stage.
  bool resumable() const { return !reduces_follow() && !stage_spec_.writes_output(); }

  JobId id_;
  JobSpec spec_;
  JobContext context_;
  JobStatus status_;
  Phase phase_ = Phase::kPlan;
  uint32_t stage_ = 0;
  StageSpec stage_spec_;  // without payloads
  TaskPayloads payloads_;
  TaskGroup groups_[4];  // by TaskKind
  std::vector<StageResult> finished_;
  std::vector<OutputFile> parts_;
  uint64_t stage_digest_ = 0;  // if outcomes are kept or given
  std::vector<FinishedTask> outcomes_;
  size_t outcome_bytes_ = 0;
};

}  // namespace skep

#endif  // SKEP_MASTER_ACTIVE_JOB_H_
