#include "master/active_job.h"

#include <algorithm>
#include <map>
#include <string>

#include "base/digest.h"
#include "base/status.h"
#include "base/strings.h"
#include "master/receipt.h"

namespace skep {
namespace {

// Results of all stages; 64 MiB go into a message, with the splits.
constexpr size_t kMostPlannerBytes = 63 << 20;

// Of what its tasks are. A JobSpec has a map, whose bytes come in any order: its
// options are taken by their names.
uint64_t DigestOfStage(const StageSpec& stage, const JobSpec& job) {
  StreamingDigest64 digest;
  digest.Add(StrCat(job.name(), "\n"));
  const std::map<std::string, std::string> options(job.options().begin(),
                                                   job.options().end());
  for (const auto& [name, value] : options) {
    digest.Add(StrCat(name, "=", value.size(), ":", value));
  }
  digest.Add(stage.SerializeAsString());
  if (stage.job_input()) {
    for (const InputSplit& split : job.splits()) digest.Add(split.SerializeAsString());
  }
  return digest.value();
}

}  // namespace

ActiveJob::ActiveJob(JobId id, JobSpec spec, absl::Time now)
    : id_(id), spec_(std::move(spec)) {
  context_.set_name(spec_.name());
  *context_.mutable_options() = spec_.options();
  *context_.mutable_output() = spec_.output();
  context_.set_submitter_address(spec_.submitter_address());
  context_.set_submitter_host(spec_.submitter_host());
  context_.set_task_memory_bytes(spec_.task_memory_bytes());
  status_.set_id(id.value());
  status_.set_name(spec_.name());
  status_.set_user(spec_.user());
  status_.set_submission(spec_.submission());
  status_.set_submitted_ms(absl::ToUnixMillis(now));
  BeginPlan();
}

uint32_t ActiveJob::max_attempts() const {
  return spec_.max_attempts() > 0 ? spec_.max_attempts() : kDefaultMaxAttempts;
}

TaskGroup* ActiveJob::ready_group() {
  for (TaskKind kind : {TASK_PLAN, TASK_MAP, TASK_PUBLISH}) {
    if (!groups_[kind].waiting().empty()) return &groups_[kind];
  }
  TaskGroup& reduces = groups_[TASK_REDUCE];
  if (reduces.waiting().empty() || !groups_[TASK_MAP].all_done()) return nullptr;
  return &reduces;
}

std::string ActiveJob::Describe(TaskKind kind, uint32_t task) const {
  if (kind == TASK_PLAN) return StrCat("the plan of stage ", stage_);
  if (kind == TASK_PUBLISH) return "publishing the output";
  return StrCat(KindName(kind), " task ", task, " of stage ", stage_spec_.name());
}

TaskSpec ActiveJob::MakeTask(TaskKind kind, uint32_t task, Attempt& attempt,
                             const WorkerTable& workers) const {
  TaskSpec spec;
  *spec.mutable_id() = ToProto({KeyOf(kind, task), attempt.number}, attempt.epoch);
  *spec.mutable_job() = context_;
  if (phase_ == Phase::kStage) *spec.mutable_stage() = stage_spec_;
  switch (kind) {
    case TASK_MAP:
      if (stage_spec_.has_tasks()) {
        spec.set_payload(payloads_.payload(task));
      } else {
        *spec.mutable_split() = spec_.splits(task);
      }
      break;
    case TASK_REDUCE:
      FillReduce(spec, attempt, workers);
      break;
    case TASK_PLAN:
      FillPlan(spec);
      break;
    default:
      FillPublish(spec);
  }
  return spec;
}

// The attempt's expectation is taken from the very outputs that it is sent to fetch: a
// map that runs again later changes nothing about what this attempt must consume.
void ActiveJob::FillReduce(TaskSpec& spec, Attempt& attempt,
                           const WorkerTable& workers) const {
  const TaskGroup& maps = groups_[TASK_MAP];
  spec.mutable_map_outputs()->Reserve(static_cast<int>(maps.size()));
  for (uint32_t m = 0; m < maps.size(); ++m) {
    const Task& map = maps[m];
    MapOutput& output = *spec.add_map_outputs();
    output.set_task(m);
    output.set_attempt(map.winner.number);
    output.set_epoch(map.winner.epoch);
    output.set_worker(map.winner.worker.value());
    if (const WorkerEntry* worker = workers.Find(map.winner.worker)) {
      output.set_address(worker->shuffle_address);
    }
    attempt.expected.Add(map.result.produced(static_cast<int>(spec.id().task())));
  }
}

void ActiveJob::FillPlan(TaskSpec& spec) const {
  *spec.mutable_splits() = spec_.splits();
  spec.mutable_finished()->Assign(finished_.begin(), finished_.end());
  spec.set_partitions_hint(spec_.partitions());
}

void ActiveJob::FillPublish(TaskSpec& spec) const {
  spec.mutable_parts()->Assign(parts_.begin(), parts_.end());
  spec.set_receipt(MakeReceipt(spec_, parts_));
}

bool ActiveJob::PhaseDone() const {
  switch (phase_) {
    case Phase::kPlan:
      return groups_[TASK_PLAN].all_done();
    case Phase::kStage:
      // Maps that run again do not matter once every reduce task is done.
      return groups_[reduces_follow() ? TASK_REDUCE : TASK_MAP].all_done();
    case Phase::kPublish:
      return groups_[TASK_PUBLISH].all_done();
  }
  return false;
}

bool ActiveJob::OutputsNeeded() const {
  return phase_ == Phase::kStage && reduces_follow() && !PhaseDone();
}

absl::Status ActiveJob::TakePlan(bool* answered) {
  PlanResult plan = std::move(*groups_[TASK_PLAN][0].result.mutable_plan());
  AddWarnings(groups_[TASK_PLAN][0].result);
  AddTimes(groups_[TASK_PLAN][0].result);
  groups_[TASK_PLAN].Reset(0);
  *answered = plan.has_answer();
  if (*answered) {
    *status_.mutable_answer() = std::move(*plan.mutable_answer());
    return absl::OkStatus();
  }
  SKEP_RETURN_IF_ERROR(CheckStage(plan.stage()));
  BeginStage(std::move(*plan.mutable_stage()));
  return absl::OkStatus();
}

absl::Status ActiveJob::CheckStage(const StageSpec& stage) const {
  if (stage_ >= kMaxStages) {
    return Internal("job ", spec_.name(), " planned more than ", kMaxStages,
                    " stages: its planner does not come to an end");
  }
  // Their parts would have the same names.
  if (stage.writes_output() && !parts_.empty()) {
    return Internal("job ", spec_.name(), " has two stages that write output");
  }
  const int tasks =
      stage.has_tasks() ? stage.tasks().payload_size() : spec_.splits_size();
  if (tasks > static_cast<int>(kMaxTasks) || stage.partitions() > kMaxPartitions) {
    return ResourceExhausted("stage ", stage.name(), " of job ", spec_.name(), " has ",
                             tasks, " map tasks and ", stage.partitions(),
                             " partitions; at most ", kMaxTasks, " and ",
                             kMaxPartitions, " are allowed");
  }
  if (stage.range_bounds_size() > 0 &&
      stage.range_bounds_size() + 1 != static_cast<int>(stage.partitions())) {
    return Internal("stage ", stage.name(), " of job ", spec_.name(), " has ",
                    stage.partitions(), " partitions but ", stage.range_bounds_size(),
                    " range bounds");
  }
  return absl::OkStatus();
}

void ActiveJob::BeginPlan() {
  phase_ = Phase::kPlan;
  groups_[TASK_PLAN].Reset(1);
}

void ActiveJob::BeginStage(StageSpec stage) {
  phase_ = Phase::kStage;
  payloads_.Clear();
  if (spec_.keep_outcomes() || spec_.finished_size() > 0) {
    stage_digest_ = DigestOfStage(stage, spec_);
  }
  size_t maps = spec_.splits_size();
  if (stage.has_tasks()) {
    maps = stage.tasks().payload_size();
    payloads_.Swap(stage.mutable_tasks());
  }
  stage_spec_ = std::move(stage);
  groups_[TASK_MAP].Reset(maps);
  groups_[TASK_REDUCE].Reset(stage_spec_.partitions());
  RestoreFinished();
}

void ActiveJob::RestoreFinished() {
  if (!resumable()) return;
  TaskGroup& maps = groups_[TASK_MAP];
  for (const FinishedTask& finished : spec_.finished()) {
    if (finished.stage() != stage_ || finished.stage_digest() != stage_digest_ ||
        finished.task() >= maps.size() ||
        maps[finished.task()].state == TaskState::kDone) {
      continue;
    }
    maps.Restore(finished.task(), finished.result());
    KeepOutcome(finished.task());
  }
}

void ActiveJob::KeepOutcome(uint32_t task) {
  if (!spec_.keep_outcomes() || !resumable()) return;
  const TaskResult& result = groups_[TASK_MAP][task].result;
  // With what FinishedTask adds.
  const size_t bytes = result.ByteSizeLong() + stage_spec_.name().size() + 32;
  if (outcome_bytes_ + bytes > kMaxOutcomeBytes) return;
  outcome_bytes_ += bytes;
  FinishedTask& outcome = outcomes_.emplace_back();
  outcome.set_stage(stage_);
  outcome.set_task(task);
  outcome.set_stage_digest(stage_digest_);
  outcome.set_stage_name(stage_spec_.name());
  *outcome.mutable_result() = result;
}

absl::Status ActiveJob::EndStage() {
  *status_.add_stages() = Progress();
  StageResult& finished = finished_.emplace_back();
  *finished.mutable_spec() = stage_spec_;
  auto take = [&](TaskKind kind) {
    TaskGroup& group = groups_[kind];
    for (uint32_t i = 0; i < group.size(); ++i) {
      TaskResult& result = group[i].result;
      (kind == TASK_MAP ? finished.add_map_results() : finished.add_reduce_results())
          ->swap(*result.mutable_result());
      for (const auto& [name, n] : result.counters()) {
        (*finished.mutable_counters())[name] += n;
        (*status_.mutable_counters())[name] += n;
      }
      for (OutputFile& file : *result.mutable_output())
        parts_.push_back(std::move(file));
      for (const RecordAccount& account : result.produced()) {
        status_.set_bytes_moved(status_.bytes_moved() + account.bytes());
      }
      AddWarnings(result);
      AddTimes(result);
    }
    group.Reset(0);
  };
  take(TASK_MAP);
  take(TASK_REDUCE);
  ++stage_;
  BeginPlan();
  return CheckResults();
}

// The planner's task is one message, which no channel would take.
absl::Status ActiveJob::CheckResults() const {
  size_t bytes = 0;
  for (const StageResult& result : finished_) bytes += result.ByteSizeLong();
  if (bytes <= kMostPlannerBytes) return absl::OkStatus();
  const StageResult& last = finished_.back();
  return ResourceExhausted(
      "the planner of job ", spec_.name(), " cannot be given ", bytes,
      " bytes of results, after the ",
      last.map_results_size() + last.reduce_results_size(), " tasks of stage ",
      stage_spec_.name(), "; at most ", kMostPlannerBytes,
      " fit into one message: let tasks answer with less or write output, or run "
      "fewer of them with a larger --split-size");
}

void ActiveJob::BeginPublish() {
  phase_ = Phase::kPublish;
  groups_[TASK_PUBLISH].Reset(1);
}

void ActiveJob::AddTimes(const TaskResult& result) {
  status_.set_cpu_seconds(status_.cpu_seconds() + result.cpu_seconds());
  auto& phases = *status_.mutable_phases();
  for (const PhaseTime& time : result.phases()) {
    auto phase = std::find_if(
        phases.begin(), phases.end(),
        [&](const PhaseTime& other) { return other.phase() == time.phase(); });
    if (phase == phases.end()) {
      // Of a newer worker: not to be added up without bound.
      if (!TaskPhase_IsValid(time.phase())) continue;
      *phases.Add() = time;
      continue;
    }
    phase->set_cpu_seconds(phase->cpu_seconds() + time.cpu_seconds());
    phase->set_wall_seconds(phase->wall_seconds() + time.wall_seconds());
  }
}

void ActiveJob::AddWarnings(const TaskResult& result) {
  for (const std::string& warning : result.warnings()) {
    if (status_.warnings_size() >= kMaxWarnings) return;
    status_.add_warnings(warning);
  }
}

StageProgress ActiveJob::Progress() const {
  auto fill = [](const TaskGroup& group, TaskCounts& counts) {
    counts.set_waiting(static_cast<uint32_t>(group.waiting().size()));
    counts.set_running(static_cast<uint32_t>(group.running()));
    counts.set_done(static_cast<uint32_t>(group.done()));
  };
  StageProgress progress;
  progress.set_name(stage_spec_.name());
  fill(groups_[TASK_MAP], *progress.mutable_maps());
  fill(groups_[TASK_REDUCE], *progress.mutable_reduces());
  return progress;
}

JobStatus ActiveJob::Status() const {
  JobStatus status = status_;
  if (phase_ != Phase::kStage) return status;
  *status.add_stages() = Progress();
  // EndStage adds them for good.
  status.set_cpu_seconds(status.cpu_seconds() + groups_[TASK_MAP].cpu_seconds() +
                         groups_[TASK_REDUCE].cpu_seconds());
  return status;
}

}  // namespace skep
