// The shell around the scheduler: turns calls and timers into events, and carries out
// the scheduler's commands over the workers' channels.
//
// Everything happens on one executor. It is also the channel service
// skep.MasterService; who serves it (master_server.h over sockets, the simulator over
// its network) is not its business.

#ifndef SKEP_MASTER_MASTER_H_
#define SKEP_MASTER_MASTER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/executor.h"
#include "jobs/api/fleet.pb.h"
#include "master/job_status.pb.h"
#include "master/journal.h"
#include "master/scheduler.h"
#include "rpc/channel.h"

namespace skep {

struct MasterOptions {
  SchedulerOptions scheduler;
  // Of the scheduler's choices.
  uint64_t seed = 1;
  // The term; each greater than those before, so that no attempt of an earlier master
  // is taken for one of this. With a journal at least one more than the last in it.
  uint64_t epoch = 1;
  // Workers of another fleet are refused; of an empty one, those that name any.
  std::string fleet;
  // How often leases are looked at, ended connections are noticed and watchers are told
  // of progress.
  absl::Duration tick = absl::Milliseconds(100);
  // Jobs that have not ended; one more is refused.
  size_t max_active_jobs = 1000;
};

// Public methods are thread-safe. Made by Start; stays alive while its closures run.
class Master : public MasterService, public std::enable_shared_from_this<Master> {
 public:
  // `executor` is borrowed and outlives it. shared: calls and timers on their way hold
  // it.
  // With a journal it goes on where the last term ended; DataLoss: the journal is
  // damaged.
  static absl::StatusOr<std::shared_ptr<Master>> Start(
      Executor& executor, MasterOptions options,
      std::unique_ptr<Journal> journal = nullptr);

  // Ends: calls in progress are answered with Unavailable, nothing happens any more. To
  // be called before it is let go of.
  void Stop();

  // --- For whoever serves jobs. `done` runs on the executor, exactly once
  // -------------
  template <typename T>
  using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;
  void Submit(JobSpec spec, Done<JobId> done);
  // NotFound: never submitted, or forgotten.
  void Get(JobId job, Done<JobStatus> done);
  // NotFound as Get; see Scheduler::Outcomes.
  void Outcomes(JobId job, size_t from, Done<std::vector<FinishedTask>> done);
  void List(Done<std::vector<JobStatus>> done);
  void Cancel(JobId job, std::string reason, Done<bool> done);
  void Workers(Done<std::vector<WorkerStatus>> done);

  // Calls `tell` on the executor with the job's status now, at every change and, where
  // its progress has changed, at ticks; until the status is final or Unwatch. NotFound
  // is told as such and is final too.
  using Tell = std::function<void(const absl::StatusOr<JobStatus>&)>;
  uint64_t Watch(JobId job, Tell tell);
  void Unwatch(uint64_t watch);

  // --- skep.MasterService
  // -------------------------------------------------------------
  void Register(google::protobuf::RpcController* controller,
                const RegisterRequest* request, RegisterReply* reply,
                google::protobuf::Closure* done) override;
  void Heartbeat(google::protobuf::RpcController* controller,
                 const HeartbeatRequest* request, HeartbeatReply* reply,
                 google::protobuf::Closure* done) override;
  void RequestCommit(google::protobuf::RpcController* controller,
                     const CommitRequest* request, CommitReply* reply,
                     google::protobuf::Closure* done) override;

 private:
  // A call to be answered: `reply` is of the type that its kind has.
  struct Call {
    google::protobuf::RpcController* controller = nullptr;
    google::protobuf::Message* reply = nullptr;
    google::protobuf::Closure* done = nullptr;
  };
  struct Connection {
    std::shared_ptr<Channel> channel;
    Call registering;  // until it is answered
  };
  struct Watcher {
    JobId job;
    Tell tell;
    std::string last;  // the status told last, serialized
  };

  Master(Executor& executor, MasterOptions options, std::unique_ptr<Journal> journal);

  static absl::Status Stopping();

  absl::Status Replay();
  void Record(Event event, const std::vector<Command>& commands, absl::Time now,
              bool sync);

  // Runs `fn` on the executor, or `otherwise` there if this has stopped.
  void Run(absl::AnyInvocable<void()> fn, absl::AnyInvocable<void()> otherwise);
  // The same for a call: stopped, it is answered with Unavailable.
  void RunCall(Call call, absl::AnyInvocable<void()> fn);

  void OnTick();
  void Step(Event event);
  void Do(const Command& command);
  void DoRunTask(const RunTask& run);
  void Answer(Call& call, const google::protobuf::Message& reply);
  void Fail(Call& call, const absl::Status& status);
  // A call to a worker whose answer is of no interest.
  void Send(ConnectionId to, const char* method, const google::protobuf::Message& what);
  void TellWatchers(std::optional<JobId> job);

  Executor& executor_;
  const MasterOptions options_;

  // On the executor only.
  Scheduler scheduler_;
  std::unique_ptr<Journal> journal_;  // null: none
  bool stopped_ = false;
  TimerId tick_;
  std::map<ConnectionId, Connection> connections_;
  std::map<const Channel*, ConnectionId> by_channel_;
  uint64_t last_connection_ = 0;
  std::map<uint64_t, Call> calls_;  // heartbeats and commits to be answered
  uint64_t last_call_ = 0;
  std::map<uint64_t, Watcher> watchers_;
  std::atomic<uint64_t> last_watch_{0};
};

}  // namespace skep

#endif  // SKEP_MASTER_MASTER_H_
