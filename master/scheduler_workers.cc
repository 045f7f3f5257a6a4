// The scheduler's dealings with workers: registration, leases, losses.

#include <algorithm>

#include "base/status.h"
#include "base/strings.h"
#include "master/scheduler.h"

namespace skep {

void Scheduler::OnMasterStarted(const MasterStarted& event) {
  epoch_ = event.epoch();
  pick_ = PickState(event.seed());
  last_job_ = std::max(last_job_, event.last_job());
  last_tick_ = now_;
  std::vector<WorkerId> ids;
  for (const auto& [id, worker] : workers_.all()) ids.push_back(id);
  for (WorkerId id : ids) {
    WorkerEntry& worker = *workers_.Find(id);
    workers_.Disconnect(worker);
    workers_.Renew(worker, now_ + options_.lease);
  }
}

void Scheduler::OnRegistered(const WorkerRegistered& event) {
  const RegisterRequest& request = event.request();
  WorkerEntry& worker = workers_.Register(ConnectionId(event.connection()), request);
  workers_.Renew(worker, now_ + options_.lease);
  Emit(Note{StrCat("worker_registered worker=", worker.id, " name=", worker.name,
                   " slots=", worker.slots, " running=", request.running_size(),
                   " finished=", request.finished_size())});

  ReplyRegister reply{worker.connection, {}};
  reply.reply.set_worker(worker.id.value());
  reply.reply.set_epoch(epoch_);
  reply.reply.set_lease_ms(
      static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.lease)));
  std::vector<RunTask> resumed;
  std::set<AttemptKey> reported;
  for (const auto* ids : {&request.running(), &request.finished()}) {
    const bool finished = ids == &request.finished();
    for (const AttemptId& id : *ids) {
      if (FindLive(id, worker.id).job != nullptr) {
        // Its result will come by a new call; the worker knows the rest of the spec.
        if (!reported.insert(KeyOf(id)).second) continue;
        RunTask& run = resumed.emplace_back(RunTask{worker.id, worker.connection, {}});
        *run.spec.mutable_id() = id;
      } else if (finished && Keeps(worker, id)) {
        reported.insert(KeyOf(id));
      } else {
        *reply.reply.add_drop() = id;
      }
    }
  }
  Emit(std::move(reply));
  for (RunTask& run : resumed) Emit(std::move(run));

  // What it does not report it does not have: calls that never reached it.
  const std::set<AttemptKey> live = worker.live, held = worker.held;
  for (const AttemptKey& key : live) {
    if (!reported.contains(key)) LoseAttempt(key, "never arrived");
  }
  for (const AttemptKey& key : held) {
    if (!reported.contains(key)) LoseOutput(key, "worker does not have it");
  }
}

// Whether the worker keeps this attempt's output for reducers to come.
bool Scheduler::Keeps(const WorkerEntry& worker, const AttemptId& id) {
  const AttemptKey key = KeyOf(id);
  if (!worker.held.contains(key)) return false;
  return FindJob(key.task.job)->group(TASK_MAP)[id.task()].winner.epoch == id.epoch();
}

void Scheduler::OnDisconnected(const WorkerDisconnected& event) {
  if (WorkerEntry* worker =
          workers_.FindByConnection(ConnectionId(event.connection()))) {
    Suspect(*worker, "disconnected");
  }
}

void Scheduler::Suspect(WorkerEntry& worker, const std::string& reason) {
  Emit(Note{StrCat("worker_suspect worker=", worker.id, " name=", worker.name,
                   " running=", worker.live.size(), " reason=", reason)});
  workers_.Disconnect(worker);
}

void Scheduler::OnHeartbeat(const WorkerHeartbeat& event) {
  WorkerEntry* worker = workers_.FindByConnection(ConnectionId(event.connection()));
  ReplyHeartbeat reply{event.call(), {}};
  if (worker != nullptr && worker->id == WorkerId(event.request().worker()) &&
      worker->incarnation == event.request().incarnation()) {
    workers_.Renew(*worker, now_ + options_.lease);
    reply.reply.set_known(true);
  }
  Emit(std::move(reply));
}

void Scheduler::OnTick(const Tick& event) {
  // A master that was stopped or starved heard nobody: heartbeats of that time may wait
  // in the sockets. So what it slept through does not count against anyone.
  const absl::Duration gap = now_ - last_tick_;
  if (last_tick_ != absl::InfinitePast() && gap > options_.lease / 2) {
    workers_.ExtendLeases(gap);
  }
  last_tick_ = now_;
  if (event.replayed()) {
    for (uint64_t id : event.lost_workers()) LoseWorker(WorkerId(id));
  } else {
    for (WorkerId id : workers_.Expired(now_)) LoseWorker(id);
  }
}

void Scheduler::LoseWorker(WorkerId id) {
  WorkerEntry* worker = workers_.Find(id);
  if (worker == nullptr) return;
  Emit(Note{StrCat("worker_lost worker=", id, " name=", worker->name, " running=",
                   worker->live.size(), " outputs=", worker->held.size())});
  Emit(WorkerLost{id});
  const std::set<AttemptKey> live = worker->live, held = worker->held;
  for (const AttemptKey& key : live) LoseAttempt(key, "lease ended");
  for (const AttemptKey& key : held) LoseOutput(key, "lease ended");
  workers_.Remove(id);
}

void Scheduler::LoseAttempt(const AttemptKey& key, const std::string& reason) {
  ActiveJob& job = *FindJob(key.task.job);
  TaskGroup& group = job.group(key.task.kind);
  const WorkerId id = group.FindLive(key.task.task, key.attempt)->worker;
  if (WorkerEntry* worker = workers_.Find(id)) worker->live.erase(key);
  group.End(key.task.task, key.attempt, TaskGroup::Why::kLost);
  job.status().set_attempts_lost(job.status().attempts_lost() + 1);
  Emit(Note{StrCat("attempt_lost attempt=", key, " worker=", id, " reason=", reason)});
  CheckLosses(job, key.task, reason);
}

void Scheduler::LoseOutput(const AttemptKey& key, const std::string& reason) {
  ActiveJob& job = *FindJob(key.task.job);
  TaskGroup& maps = job.group(TASK_MAP);
  Task& map = maps[key.task.task];
  if (map.state != TaskState::kDone) return;  // known, and on its way to run again
  if (WorkerEntry* worker = workers_.Find(map.winner.worker)) worker->held.erase(key);
  maps.LoseOutput(key.task.task);
  job.status().set_maps_lost(job.status().maps_lost() + 1);
  Emit(Note{StrCat("output_lost attempt=", key, " worker=", map.winner.worker,
                   " reason=", reason)});
  CheckLosses(job, key.task, reason);
}

void Scheduler::CheckLosses(ActiveJob& job, const TaskKey& key,
                            const std::string& reason) {
  Touch(job);
  const uint32_t losses = job.group(key.kind)[key.task].losses;
  if (losses <= options_.max_losses) return;
  doomed_.emplace(
      job.id(), Unavailable(job.Describe(key.kind, key.task), " was lost ", losses,
                            " times with its workers, the last time because: ", reason,
                            "; see whether workers are being killed or cut off"));
}

}  // namespace skep
