#include "master/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "base/strings.h"

namespace skep {
namespace {

// Tasks that avoid the only free worker are passed over, but no more than this many, so
// that an event's cost does not grow with the number of tasks.
constexpr int kLookAhead = 16;

// The codes that say: the user must mend it, another attempt would end alike.
bool IsFinal(absl::StatusCode code) {
  return code == absl::StatusCode::kInvalidArgument ||
         code == absl::StatusCode::kNotFound ||
         code == absl::StatusCode::kFailedPrecondition;
}

// The codes that say: the task is not to blame.
bool IsLoss(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable ||
         code == absl::StatusCode::kCancelled || code == absl::StatusCode::kAborted;
}

}  // namespace

Scheduler::Scheduler(SchedulerOptions options) : options_(options), pick_(1) {}

std::vector<Command> Scheduler::Step(Event event, absl::Time now) {
  now_ = now;
  // Here rather than at ticks, so that a replay, which lacks most ticks, does the same.
  workers_.Forgive(now);
  switch (event.what_case()) {
    case Event::kMasterStarted:
      OnMasterStarted(event.master_started());
      break;
    case Event::kWorkerRegistered:
      OnRegistered(event.worker_registered());
      break;
    case Event::kWorkerDisconnected:
      OnDisconnected(event.worker_disconnected());
      break;
    case Event::kWorkerHeartbeat:
      OnHeartbeat(event.worker_heartbeat());
      break;
    case Event::kTick:
      OnTick(event.tick());
      break;
    case Event::kJobSubmitted:
      OnSubmitted(std::move(*event.mutable_job_submitted()));
      break;
    case Event::kJobCancelled:
      OnCancelled(event.job_cancelled());
      break;
    case Event::kAttemptFinished:
      OnFinished(std::move(*event.mutable_attempt_finished()));
      break;
    case Event::kAttemptDropped:
      OnDropped(event.attempt_dropped());
      break;
    case Event::kCommitRequested:
      OnCommit(event.commit_requested());
      break;
    case Event::WHAT_NOT_SET:
      break;
  }
  for (JobId id : std::exchange(touched_, {})) {
    if (ActiveJob* job = FindJob(id)) Settle(*job);
  }
  doomed_.clear();
  Dispatch();
  return std::exchange(out_, {});
}

bool Scheduler::Matters(const Event& event, const std::vector<Command>& commands) {
  if (!event.has_tick() && !event.has_worker_heartbeat()) return true;
  return std::any_of(commands.begin(), commands.end(), [](const Command& command) {
    return !std::holds_alternative<ReplyHeartbeat>(command);
  });
}

ActiveJob* Scheduler::FindJob(JobId id) {
  const auto it = jobs_.find(id);
  return it == jobs_.end() ? nullptr : &it->second;
}

Scheduler::Found Scheduler::FindLive(const AttemptId& id, WorkerId worker) {
  ActiveJob* job = FindJob(JobId(id.job()));
  if (job == nullptr || !TaskKind_IsValid(id.kind())) return {};
  // Plan and publish tasks carry the index of the stage that is next.
  if (id.stage() != job->stage()) return {};
  TaskGroup& group = job->group(id.kind());
  Attempt* attempt = group.FindLive(id.task(), id.attempt());
  if (attempt == nullptr || attempt->epoch != id.epoch()) return {};
  if (worker && attempt->worker != worker) return {};
  return {job, &group, attempt};
}

void Scheduler::OnFinished(AttemptFinished event) {
  const Found found = FindLive(event.id(), WorkerId(event.worker()));
  WorkerEntry* worker = workers_.Find(WorkerId(event.worker()));
  if (found.job == nullptr || worker == nullptr) return;  // stale
  const AttemptKey key = KeyOf(event.id());
  TaskResult& result = *event.mutable_result();
  absl::Status status(static_cast<absl::StatusCode>(result.status_code()),
                      ToAbsl(result.status_message()));
  if (status.ok()) status = CheckResult(found, key, result);
  Touch(*found.job);
  if (status.ok()) {
    Succeed(found, key, *worker, std::move(result));
  } else if (absl::IsDataLoss(status) && result.lost_inputs_size() > 0) {
    LoseInputs(*found.job, result);
    LoseAttempt(key, StrCat("lost inputs: ", Message(status)));
  } else if (IsLoss(status.code())) {
    workers_.Punish(*worker, now_ + options_.punishment);
    LoseAttempt(key, Message(status).empty() ? status.ToString()
                                             : std::string(Message(status)));
  } else {
    FailAttempt(found, key, *worker, status);
  }
}

// What a worker says is not believed blindly: these would make us die later.
absl::Status Scheduler::CheckResult(const Found& found, const AttemptKey& key,
                                    const TaskResult& result) const {
  const size_t partitions = found.job->group(TASK_REDUCE).size();
  switch (key.task.kind) {
    case TASK_MAP:
      if (partitions > 0 && result.produced_size() != static_cast<int>(partitions)) {
        return Internal("accounts for ", result.produced_size(), " partitions of ",
                        partitions);
      }
      break;
    case TASK_REDUCE:
      if (const Account consumed(result.consumed());
          consumed != found.attempt->expected) {
        return DataLoss("the ledger does not balance in partition ", key.task.task,
                        ": map tasks produced ", found.attempt->expected.ToString(),
                        " but the reduce task consumed ", consumed.ToString());
      }
      break;
    case TASK_PLAN:
      if (result.plan().what_case() == PlanResult::WHAT_NOT_SET) {
        return Internal("the planner gave neither a stage nor an answer");
      }
      break;
    default:
      break;
  }
  return absl::OkStatus();
}

void Scheduler::Succeed(const Found& found, const AttemptKey& key, WorkerEntry& worker,
                        TaskResult result) {
  worker.live.erase(key);
  const std::vector<Attempt> others =
      found.group->Finish(key.task.task, key.attempt, std::move(result));
  for (const Attempt& other : others) {
    WorkerEntry* runner = workers_.Find(other.worker);
    if (runner == nullptr) continue;
    const AttemptKey other_key{key.task, other.number};
    runner->live.erase(other_key);
    if (runner->connected()) {
      Emit(CancelTask{runner->connection, ToProto(other_key, other.epoch)});
    }
  }
  if (key.task.kind != TASK_MAP) return;
  if (found.job->OutputsNeeded()) worker.held.insert(key);
  found.job->KeepOutcome(key.task.task);
}

void Scheduler::FailAttempt(const Found& found, const AttemptKey& key,
                            WorkerEntry& worker, const absl::Status& error) {
  ActiveJob& job = *found.job;
  Task& task = (*found.group)[key.task.task];
  worker.live.erase(key);
  workers_.Punish(worker, now_ + options_.punishment);
  found.group->End(key.task.task, key.attempt, TaskGroup::Why::kFailed);
  task.avoid = worker.id;
  job.status().set_attempts_failed(job.status().attempts_failed() + 1);
  Emit(Note{StrCat("attempt_failed attempt=", key, " worker=", worker.id,
                   " error=", error.ToString())});
  if (IsFinal(error.code())) {
    task.state = TaskState::kFailed;
    doomed_.emplace(job.id(), error);
  } else if (task.failures >= job.max_attempts()) {
    task.state = TaskState::kFailed;
    doomed_.emplace(
        job.id(),
        MakeStatus(error.code(), job.Describe(key.task.kind, key.task.task), " failed ",
                   task.failures, " of ", job.max_attempts(),
                   " attempts, the last one on ", worker.name, ": ", Message(error)));
  }
}

// A report names an attempt's output; if the map has run again since, it is stale.
void Scheduler::LoseInputs(ActiveJob& job, const TaskResult& result) {
  for (const MapOutput& input : result.lost_inputs()) {
    TaskGroup& maps = job.group(TASK_MAP);
    if (input.task() >= maps.size()) continue;
    const Attempt& winner = maps[input.task()].winner;
    if (winner.number != input.attempt() || winner.epoch != input.epoch()) continue;
    LoseOutput({job.KeyOf(TASK_MAP, input.task()), winner.number}, "not fetchable");
  }
}

void Scheduler::OnDropped(const AttemptDropped& event) {
  WorkerEntry* worker = workers_.Find(WorkerId(event.worker()));
  // The end of an older connection says nothing about this one.
  if (worker == nullptr || worker->connection != ConnectionId(event.connection()))
    return;
  const auto code = static_cast<absl::StatusCode>(event.status_code());
  if (code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kCancelled) {
    Suspect(*worker, event.status_message());
    return;
  }
  const Found found = FindLive(event.id(), worker->id);
  if (found.job == nullptr) return;
  if (IsFinal(code)) {  // as too large a message: no worker will take it
    Touch(*found.job);
    FailAttempt(found, KeyOf(event.id()), *worker,
                MakeStatus(code, event.status_message()));
    return;
  }
  workers_.Punish(*worker, now_ + options_.punishment);
  LoseAttempt(KeyOf(event.id()), StrCat("call failed: ", event.status_message()));
}

void Scheduler::OnCommit(const CommitRequested& event) {
  const Found found = FindLive(event.id());
  ReplyCommit reply{event.call(), {}};
  if (found.job != nullptr) {
    Task& task = (*found.group)[event.id().task()];
    if (task.committer == 0) task.committer = event.id().attempt();
    reply.reply.set_granted(task.committer == event.id().attempt());
  }
  Emit(std::move(reply));
}

void Scheduler::Dispatch() {
  // Ends when as many jobs in a row as there are could start nothing.
  size_t idle = 0;
  JobId looked_at = last_served_;
  while (idle < ready_.size() && workers_.AnyFree()) {
    auto next = ready_.upper_bound(looked_at);
    if (next == ready_.end()) next = ready_.begin();
    looked_at = *next;
    if (StartOne(*FindJob(looked_at))) {
      last_served_ = looked_at;
      idle = 0;
    } else {
      ++idle;
    }
  }
}

bool Scheduler::StartOne(ActiveJob& job) {
  TaskGroup* group = job.ready_group();
  if (group == nullptr) {
    ready_.erase(job.id());
    return false;
  }
  int looked_at = 0;
  for (uint32_t task : group->waiting()) {
    const WorkerId avoid = (*group)[task].avoid;
    if (WorkerEntry* worker = workers_.Pick(job.spec().binary_digest(), avoid, pick_)) {
      const auto kind = static_cast<TaskKind>(group - &job.group(TASK_MAP));
      StartTask(job, kind, task, *worker);
      if (job.ready_group() == nullptr) ready_.erase(job.id());
      return true;
    }
    if (!avoid || ++looked_at >= kLookAhead) return false;
  }
  return false;
}

void Scheduler::StartTask(ActiveJob& job, TaskKind kind, uint32_t task,
                          WorkerEntry& worker) {
  Attempt& attempt = job.group(kind).Start(task, worker.id, epoch_, now_);
  const AttemptKey key{job.KeyOf(kind, task), attempt.number};
  worker.live.insert(key);
  job.workers.insert(worker.id);
  if (job.status().state() == JOB_WAITING) {
    job.status().set_state(JOB_RUNNING);
    job.status().set_started_ms(absl::ToUnixMillis(now_));
    Emit(JobChanged{job.id()});
  }
  Emit(RunTask{worker.id, worker.connection,
               job.MakeTask(kind, task, attempt, workers_)});
}

}  // namespace skep
