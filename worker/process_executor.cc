#include "worker/process_executor.h"

#include <csignal>
#include <utility>

#include "absl/time/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "glog/logging.h"
#include "rpc/server.h"
#include "rpc/tcp_transport.h"
#include "worker/attempt.h"
#include "worker/executor.pb.h"

namespace skep {
namespace {

// A process whose socket is gone is dying; this is for a core dump of some size.
constexpr absl::Duration kDeathPatience = absl::Seconds(5);
// An idle executor leaves at once when its socket closes.
constexpr absl::Duration kLeavePatience = absl::Seconds(1);

}  // namespace

absl::Status StatusOfDeath(const ProcessEnd& end, pid_t pid, const AttemptId& id) {
  const std::string what = StrCat("executor ", pid, " died: ", end.ToString(),
                                  " while running ", AttemptName(id));
  switch (end.signal) {
    case SIGKILL:
    case SIGTERM:
    case SIGINT:
    case SIGHUP:
      return Unavailable(what);
    default:
      return absl::UnknownError(what);
  }
}

// Serves the child's calls.
class ProcessExecutor::Supervisor final : public SupervisorService {
 public:
  explicit Supervisor(Committer& committer) : committer_(committer) {
    services_.Add(this);
  }

  const ServiceTable& services() const { return services_; }

  void SetProgress(std::function<void(float)> progress) {
    MutexLock lock(mutex_);
    progress_ = std::move(progress);
  }

  void RequestCommit(google::protobuf::RpcController* controller,
                     const CommitRequest* request, CommitReply* response,
                     google::protobuf::Closure* done) override {
    committer_.RequestCommit(
        request->id(), [controller, response, done](absl::StatusOr<bool> granted) {
          if (granted.ok()) {
            response->set_granted(*granted);
          } else {
            Controller::Of(controller).SetStatus(granted.status());
          }
          done->Run();
        });
  }

  void Progress(google::protobuf::RpcController*, const AttemptProgress* request,
                Empty*, google::protobuf::Closure* done) override {
    {
      MutexLock lock(mutex_);
      if (progress_) progress_(request->fraction());
    }
    done->Run();
  }

 private:
  Committer& committer_;
  ServiceTable services_;
  Mutex mutex_;
  std::function<void(float)> progress_ ABSL_GUARDED_BY(mutex_);
};

// Of the outstanding Run call.
struct ProcessExecutor::Outcome {
  Mutex mutex;
  CondVar wake;
  bool done ABSL_GUARDED_BY(mutex) = false;
  absl::Status status ABSL_GUARDED_BY(mutex);
  TaskResult result;  // filled before `done`
};

ProcessExecutor::ProcessExecutor(TcpTransport& transport, Committer& committer,
                                 ProcessExecutorOptions options)
    : transport_(transport),
      options_(std::move(options)),
      supervisor_(std::make_unique<Supervisor>(committer)) {}

ProcessExecutor::~ProcessExecutor() {
  if (channel_ != nullptr) channel_->Close(Unavailable("the worker is shutting down"));
  if (child_) child_->Reap(kLeavePatience);
}

absl::Status ProcessExecutor::EnsureChild() {
  if (child_ && channel_->connected()) return absl::OkStatus();
  // It died between two attempts, or was never there.
  DropChild();
  std::vector<std::string> args = options_.args;
  args.push_back(StrCat("--fd=", ChildProcess::kChildFd));
  SKEP_ASSIGN_OR_RETURN(ChildProcess child, ChildProcess::Start(options_.binary, args));
  child_.emplace(std::move(child));
  ConnectOptions options;
  options.services = &supervisor_->services();
  options.reconnect = false;
  channel_ = ChannelOver(transport_.StreamOverFd(child_->TakeFd()), std::move(options));
  VLOG(1) << "executor_started pid=" << child_->pid();
  return absl::OkStatus();
}

void ProcessExecutor::DropChild() {
  if (channel_ != nullptr)
    channel_->Close(Unavailable("the executor process has ended"));
  channel_.reset();
  child_.reset();
}

TaskResult ProcessExecutor::Run(const TaskSpec& spec, const AttemptControl& control) {
  TaskResult failed;
  if (absl::Status started = EnsureChild(); !started.ok()) {
    SetStatus(ResourceExhausted("cannot start an executor process: ", Message(started)),
              &failed);
    return failed;
  }
  supervisor_->SetProgress(control.progress);
  ExecutorRunRequest request;
  *request.mutable_spec() = spec;
  request.set_scratch(options_.scratch);
  request.set_host(options_.host);
  // Shared with the completion, which outlives nothing else of this call.
  auto outcome = std::make_shared<Outcome>();
  CallOptions options;
  options.timeout = absl::InfiniteDuration();  // the child's life is watched instead
  channel_->Start(Method<ExecutorService>("Run"), request, &outcome->result,
                  std::move(options), [outcome](const Controller& controller) {
                    MutexLock lock(outcome->mutex);
                    outcome->done = true;
                    outcome->status = controller.status();
                    outcome->wake.SignalAll();
                  });
  Await(*outcome, spec.id(), control.stop);
  supervisor_->SetProgress(nullptr);
  MutexLock lock(outcome->mutex);
  if (outcome->status.ok()) return std::move(outcome->result);

  // A call that could not be made says nothing about the child, which lives on.
  if (!absl::IsUnavailable(outcome->status) && channel_->connected()) {
    SetStatus(outcome->status, &failed);
    return failed;
  }
  const pid_t pid = child_->pid();
  const ProcessEnd end = child_->Reap(kDeathPatience);
  DropChild();
  absl::Status status = StatusOfDeath(end, pid, spec.id());
  LOG(WARNING) << "executor_died pid=" << pid << " end=" << end.ToString()
               << " job=" << spec.id().job() << " attempt=\"" << AttemptName(spec.id())
               << "\"";
  if (control.stop.stop_requested())
    status = Cancelled(AttemptName(spec.id()), ": cancelled");
  SetStatus(status, &failed);
  return failed;
}

void ProcessExecutor::Await(Outcome& outcome, const AttemptId& id,
                            std::stop_token stop) {
  std::stop_callback on_stop(stop, [&outcome] {
    MutexLock lock(outcome.mutex);
    outcome.wake.SignalAll();
  });
  {
    MutexLock lock(outcome.mutex);
    while (!outcome.done && !stop.stop_requested()) outcome.wake.Wait(outcome.mutex);
    if (outcome.done) return;
  }
  Call<Empty>(*channel_, Method<ExecutorService>("Cancel"), id, {},
              [](const absl::StatusOr<Reply<Empty>>&) {});
  const absl::Time kill_at = absl::Now() + options_.stop_grace;
  bool killed = false;
  MutexLock lock(outcome.mutex);
  while (!outcome.done) {
    const absl::Duration left = kill_at - absl::Now();
    if (killed) {
      outcome.wake.Wait(outcome.mutex);  // its socket closes with it
    } else if (left > absl::ZeroDuration()) {
      outcome.wake.WaitFor(outcome.mutex, left);
    } else {
      child_->Kill(SIGKILL);
      killed = true;
    }
  }
}

}  // namespace skep
