#include "master/master.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "glog/logging.h"
#include "rpc/controller.h"

namespace skep {
namespace {

// For calls to workers that are not watched by a lease.
constexpr absl::Duration kTellTimeout = absl::Seconds(10);

// A journal over this is begun anew when the master starts and no job is active.
constexpr uint64_t kForgetJournalBytes = 64 << 20;

// A worker that was given another --fleet, or none.
absl::Status OtherFleet(const RegisterRequest& worker, const std::string& ours) {
  const auto named = [](const std::string& fleet) {
    return fleet.empty() ? std::string("no fleet") : StrCat("fleet \"", fleet, "\"");
  };
  return FailedPrecondition("worker ", worker.name(), " is of ", named(worker.fleet()),
                            ", this master of ", named(ours),
                            ": give both the same --fleet, or neither");
}

}  // namespace

absl::StatusOr<std::shared_ptr<Master>> Master::Start(
    Executor& executor, MasterOptions options, std::unique_ptr<Journal> journal) {
  std::shared_ptr<Master> master(
      new Master(executor, std::move(options), std::move(journal)));
  SKEP_RETURN_IF_ERROR(master->Replay());
  master->Run(
      [master] {
        Event event;
        MasterStarted& started = *event.mutable_master_started();
        started.set_epoch(
            std::max(master->options_.epoch, master->scheduler_.epoch() + 1));
        started.set_seed(master->options_.seed);
        started.set_last_job(master->scheduler_.next_job().value() - 1);
        master->Step(std::move(event));
        master->OnTick();
      },
      [] {});
  return master;
}

Master::Master(Executor& executor, MasterOptions options,
               std::unique_ptr<Journal> journal)
    : executor_(executor),
      options_(std::move(options)),
      scheduler_(options_.scheduler),
      journal_(std::move(journal)) {}

// The commands were carried out, or not, in the terms that they belong to.
absl::Status Master::Replay() {
  if (journal_ == nullptr) return absl::OkStatus();
  int events = 0;
  SKEP_RETURN_IF_ERROR(journal_->Replay([&](Event event, absl::Time time) {
    scheduler_.Step(std::move(event), time);
    ++events;
  }));
  if (events == 0) return absl::OkStatus();
  LOG(INFO) << "journal_replayed events=" << events
            << " active_jobs=" << scheduler_.active_jobs();
  if (scheduler_.active_jobs() > 0 || journal_->bytes() < kForgetJournalBytes) {
    return absl::OkStatus();
  }
  // All that would be lost is the memory of old jobs: MasterStarted keeps their ids.
  return journal_->ForgetEarlier();
}

absl::Status Master::Stopping() { return Unavailable("the master is stopping"); }

void Master::Stop() {
  Run(
      [self = shared_from_this()] {
        self->stopped_ = true;
        self->executor_.Cancel(self->tick_);
        for (auto& [id, connection] : self->connections_) {
          if (connection.registering.done != nullptr) {
            self->Fail(connection.registering, Stopping());
          }
        }
        for (auto& [id, call] : self->calls_) self->Fail(call, Stopping());
        for (auto& [id, watcher] : self->watchers_) watcher.tell(Stopping());
        self->connections_.clear();
        self->by_channel_.clear();
        self->calls_.clear();
        self->watchers_.clear();
      },
      [] {});
}

void Master::Run(absl::AnyInvocable<void()> fn, absl::AnyInvocable<void()> otherwise) {
  executor_.Post([self = shared_from_this(), fn = std::move(fn),
                  otherwise = std::move(otherwise)]() mutable {
    self->stopped_ ? otherwise() : fn();
  });
}

void Master::RunCall(Call call, absl::AnyInvocable<void()> fn) {
  Run(std::move(fn), [this, call]() mutable { Fail(call, Stopping()); });
}

// --- skep.MasterService
// ---------------------------------------------------------------

void Master::Register(google::protobuf::RpcController* controller,
                      const RegisterRequest* request, RegisterReply* reply,
                      google::protobuf::Closure* done) {
  Call call{controller, reply, done};
  RunCall(call, [this, call, request]() mutable {
    const std::shared_ptr<Channel> channel = Controller::Of(call.controller).peer();
    if (channel == nullptr) {
      return Fail(call,
                  FailedPrecondition(
                      "a worker registers over a channel that can be called back"));
    }
    if (request->fleet() != options_.fleet) {
      return Fail(call, OtherFleet(*request, options_.fleet));
    }
    const ConnectionId id(++last_connection_);
    if (const auto old = by_channel_.find(channel.get()); old != by_channel_.end()) {
      connections_.erase(old->second);
    }
    by_channel_[channel.get()] = id;
    connections_[id] = Connection{channel, call};
    Event event;
    event.mutable_worker_registered()->set_connection(id.value());
    *event.mutable_worker_registered()->mutable_request() = *request;
    Step(std::move(event));
  });
}

void Master::Heartbeat(google::protobuf::RpcController* controller,
                       const HeartbeatRequest* request, HeartbeatReply* reply,
                       google::protobuf::Closure* done) {
  Call call{controller, reply, done};
  RunCall(call, [this, call, request]() mutable {
    const auto it = by_channel_.find(Controller::Of(call.controller).peer().get());
    if (it == by_channel_.end()) return Answer(call, HeartbeatReply());  // not known
    const uint64_t id = ++last_call_;
    calls_[id] = call;
    Event event;
    event.mutable_worker_heartbeat()->set_connection(it->second.value());
    event.mutable_worker_heartbeat()->set_call(id);
    *event.mutable_worker_heartbeat()->mutable_request() = *request;
    Step(std::move(event));
  });
}

void Master::RequestCommit(google::protobuf::RpcController* controller,
                           const CommitRequest* request, CommitReply* reply,
                           google::protobuf::Closure* done) {
  Call call{controller, reply, done};
  RunCall(call, [this, call, request] {
    const uint64_t id = ++last_call_;
    calls_[id] = call;
    Event event;
    event.mutable_commit_requested()->set_call(id);
    *event.mutable_commit_requested()->mutable_id() = request->id();
    Step(std::move(event));
  });
}

void Master::Answer(Call& call, const google::protobuf::Message& reply) {
  call.reply->CopyFrom(reply);
  std::exchange(call.done, nullptr)->Run();
}

void Master::Fail(Call& call, const absl::Status& status) {
  Controller::Of(call.controller).SetStatus(status);
  std::exchange(call.done, nullptr)->Run();
}

// --- Events and commands
// ----------------------------------------------------------------

void Master::OnTick() {
  // Connections that ended without a call outstanding on them.
  std::vector<ConnectionId> ended;
  for (const auto& [id, connection] : connections_) {
    if (!connection.channel->connected()) ended.push_back(id);
  }
  for (ConnectionId id : ended) {
    Event event;
    event.mutable_worker_disconnected()->set_connection(id.value());
    Step(std::move(event));
    const auto it = connections_.find(id);
    const auto by_channel = by_channel_.find(it->second.channel.get());
    if (by_channel != by_channel_.end() && by_channel->second == id) {
      by_channel_.erase(by_channel);
    }
    connections_.erase(it);
  }
  Event event;
  event.mutable_tick();
  Step(std::move(event));
  TellWatchers(std::nullopt);
  tick_ = executor_.PostAfter(options_.tick, [self = weak_from_this()] {
    if (const auto master = self.lock(); master != nullptr && !master->stopped_) {
      master->OnTick();
    }
  });
}

void Master::Step(Event event) {
  const absl::Time now = executor_.clock().Now();
  std::vector<Command> commands;
  if (journal_ == nullptr) {
    commands = scheduler_.Step(std::move(event), now);
  } else {
    const size_t active = scheduler_.active_jobs();
    commands = scheduler_.Step(event, now);
    // What people are told is not forgotten, whatever happens to the machine: that a
    // job was taken, is cancelled, or has ended.
    const bool told = event.has_job_submitted() || event.has_job_cancelled() ||
                      scheduler_.active_jobs() < active;
    Record(std::move(event), commands, now, told);
  }
  for (const Command& command : commands) Do(command);
}

// Before the commands are carried out: what others have seen, a replay knows too.
void Master::Record(Event event, const std::vector<Command>& commands, absl::Time now,
                    bool sync) {
  if (!Scheduler::Matters(event, commands)) return;
  if (event.has_tick()) {
    event.mutable_tick()->set_replayed(true);
    for (const Command& command : commands) {
      if (const auto* lost = std::get_if<WorkerLost>(&command)) {
        event.mutable_tick()->add_lost_workers(lost->worker.value());
      }
    }
  }
  const absl::Status status = journal_->Append(event, now, sync);
  if (status.ok()) return;
  // Half a journal would bring back jobs that have ended.
  LOG(ERROR) << "journal_failed: " << status
             << "; going on without: jobs will not survive a restart of the master";
  journal_->ForgetAll();
  journal_.reset();
}

void Master::Do(const Command& command) {
  if (const auto* run = std::get_if<RunTask>(&command)) {
    DoRunTask(*run);
  } else if (const auto* cancel = std::get_if<CancelTask>(&command)) {
    Send(cancel->connection, "CancelTask", cancel->id);
  } else if (const auto* release = std::get_if<ReleaseJob>(&command)) {
    ReleaseJobRequest request;
    request.set_job(release->job.value());
    Send(release->connection, "ReleaseJob", request);
  } else if (const auto* registered = std::get_if<ReplyRegister>(&command)) {
    Answer(connections_.at(registered->connection).registering, registered->reply);
  } else if (const auto* heartbeat = std::get_if<ReplyHeartbeat>(&command)) {
    Answer(calls_.at(heartbeat->call), heartbeat->reply);
    calls_.erase(heartbeat->call);
  } else if (const auto* commit = std::get_if<ReplyCommit>(&command)) {
    Answer(calls_.at(commit->call), commit->reply);
    calls_.erase(commit->call);
  } else if (const auto* changed = std::get_if<JobChanged>(&command)) {
    TellWatchers(changed->job);
  } else if (const auto* note = std::get_if<Note>(&command)) {
    LOG(INFO) << note->text;
  }
}

// The call is outstanding for as long as the attempt runs; what watches it is the
// lease.
void Master::DoRunTask(const RunTask& run) {
  auto finish = [self = shared_from_this(), id = run.spec.id(), worker = run.worker,
                 connection = run.connection](absl::StatusOr<Reply<TaskResult>> reply) {
    Event event;
    if (reply.ok()) {
      AttemptFinished& finished = *event.mutable_attempt_finished();
      *finished.mutable_id() = id;
      finished.set_worker(worker.value());
      *finished.mutable_result() = std::move(reply->message);
    } else {
      AttemptDropped& dropped = *event.mutable_attempt_dropped();
      *dropped.mutable_id() = id;
      dropped.set_worker(worker.value());
      dropped.set_connection(connection.value());
      dropped.set_status_code(static_cast<int>(reply.status().code()));
      dropped.set_status_message(std::string(Message(reply.status())));
    }
    self->Run([self = self.get(),
               event = std::move(event)]() mutable { self->Step(std::move(event)); },
              [] {});
  };
  const auto it = connections_.find(run.connection);
  if (it == connections_.end()) {
    finish(Unavailable("the connection has ended"));
    return;
  }
  skep::Call<TaskResult>(*it->second.channel, Method<WorkerService>("RunTask"),
                         run.spec, {.timeout = absl::InfiniteDuration()},
                         std::move(finish));
}

void Master::Send(ConnectionId to, const char* method,
                  const google::protobuf::Message& what) {
  const auto it = connections_.find(to);
  if (it == connections_.end()) return;
  skep::Call<Empty>(*it->second.channel, Method<WorkerService>(method), what,
                    {.timeout = kTellTimeout}, [](absl::StatusOr<Reply<Empty>>) {});
}

}  // namespace skep
