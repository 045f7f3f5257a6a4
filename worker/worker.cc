#include "worker/worker.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "glog/logging.h"
#include "rpc/server.h"
#include "worker/attempt_table.h"
#include "worker/in_process_executor.h"
#include "worker/master_link.h"
#include "worker/peer_channels.h"
#include "worker/shuffle/map_output.h"
#include "worker/shuffle/shuffle_client.h"
#include "worker/shuffle/shuffle_server.h"
#include "worker/submitter_files.h"
#include "worker/task_pool.h"

namespace skep {
namespace {

constexpr absl::Duration kShutdownPoll = absl::Milliseconds(5);
// All slots of a large worker at once; more only fills memory with replies.
constexpr int kMaxFetchesPerConnection = 256;

class WorkerImpl final : public Worker, public WorkerService {
 public:
  WorkerImpl(WorkerOptions options, Transport& transport, FileSystem& local,
             const JobTable& jobs)
      : options_(std::move(options)),
        transport_(transport),
        local_(local),
        jobs_(jobs),
        incarnation_(SystemRandom64()),
        scratch_(
            JoinPath(options_.scratch, absl::StrFormat("worker-%016x", incarnation_))),
        peers_(transport),
        shuffle_client_(peers_),
        submitter_(peers_),
        shuffle_server_(local, scratch_),
        shuffle_pool_("skep-shuffle", options_.shuffle_threads) {
    to_master_.Add(static_cast<WorkerService*>(this));
    to_reducers_.Add(&shuffle_server_, ServiceTable::Run::kPool);
  }
  ~WorkerImpl() override { Shutdown(absl::ZeroDuration()); }

  absl::Status Init();

  void Shutdown(absl::Duration grace) override;
  absl::Status state() const override { return link_->state(); }
  const std::string& shuffle_address() const override { return shuffle_address_; }
  int running() const override { return attempts_.running(); }

  // WorkerService, called by the master.
  void RunTask(google::protobuf::RpcController* controller, const TaskSpec* request,
               TaskResult* response, google::protobuf::Closure* done) override;
  void CancelTask(google::protobuf::RpcController* controller, const AttemptId* request,
                  Empty* response, google::protobuf::Closure* done) override;
  void ReleaseJob(google::protobuf::RpcController* controller,
                  const ReleaseJobRequest* request, Empty* response,
                  google::protobuf::Closure* done) override;

 private:
  std::unique_ptr<TaskExecutor> MakeExecutor();
  MasterLinkHooks Hooks();
  // Not taken: a stale attempt, a worker that is leaving.
  absl::Status CheckWanted(const AttemptId& id);
  void OnFinished(const AttemptId& id, TaskResult result);
  void OnRegistered(const RegisterReply& reply);
  void DeleteOutput(const AttemptId& id);

  const WorkerOptions options_;
  Transport& transport_;
  FileSystem& local_;
  const JobTable& jobs_;
  const uint64_t incarnation_;
  const std::string scratch_;

  PeerChannels peers_;
  ShuffleClient shuffle_client_;
  RemoteSubmitterFiles submitter_;
  ShuffleServer shuffle_server_;
  AttemptTable attempts_;
  ServiceTable to_master_;
  ServiceTable to_reducers_;
  std::string shuffle_address_;
  Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  ThreadPool shuffle_pool_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<MasterLink> link_;
  std::unique_ptr<TaskPool> pool_;
};

absl::Status WorkerImpl::Init() {
  SKEP_RETURN_IF_ERROR(local_.MakeDirectory(scratch_));
  ServerOptions server_options;
  server_options.pool = &shuffle_pool_;
  server_options.max_calls_per_connection = kMaxFetchesPerConnection;
  SKEP_ASSIGN_OR_RETURN(server_, Server::Listen(transport_, options_.shuffle_listen,
                                                to_reducers_, server_options));
  Address address = server_->address();
  if (!options_.shuffle_host.empty() && !address.is_unix()) {
    address = Address::Tcp(options_.shuffle_host, address.port());
  }
  shuffle_address_ = address.ToString();
  link_ = std::make_unique<MasterLink>(transport_, options_.master, options_.fleet,
                                       to_master_, Hooks());
  pool_ = std::make_unique<TaskPool>(options_.slots,
                                     [this](int) { return MakeExecutor(); });
  link_->Start();
  return absl::OkStatus();
}

std::unique_ptr<TaskExecutor> WorkerImpl::MakeExecutor() {
  if (options_.executors == WorkerOptions::Executors::kProcesses) {
    ProcessExecutorOptions process = options_.process;
    process.scratch = scratch_;
    process.host = options_.name;
    return std::make_unique<ProcessExecutor>(*options_.process_transport, *link_,
                                             std::move(process));
  }
  return std::make_unique<InProcessExecutor>(TaskEnvironment{.local = local_,
                                                             .scratch = scratch_,
                                                             .host = options_.name,
                                                             .jobs = jobs_,
                                                             .shuffle = shuffle_client_,
                                                             .submitter = submitter_,
                                                             .committer = *link_});
}

MasterLinkHooks WorkerImpl::Hooks() {
  MasterLinkHooks hooks;
  hooks.make_register = [this] {
    RegisterRequest request;
    request.set_name(options_.name);
    request.set_incarnation(incarnation_);
    request.set_slots(options_.slots);
    request.set_shuffle_address(shuffle_address_);
    request.set_binary_digest(options_.binary_digest);
    request.set_fleet(options_.fleet);
    attempts_.Describe(&request);
    return request;
  };
  hooks.make_heartbeat = [this] {
    HeartbeatRequest request;
    request.set_incarnation(incarnation_);
    request.set_free_slots(pool_->free_slots());
    attempts_.Describe(&request);
    return request;
  };
  hooks.registered = [this](const RegisterReply& reply) { OnRegistered(reply); };
  return hooks;
}

void WorkerImpl::OnRegistered(const RegisterReply& reply) {
  for (const AttemptId& id : reply.drop()) {
    if (attempts_.Drop(RefOf(id))) {
      pool_->Cancel(RefOf(id));
    } else {
      DeleteOutput(id);
    }
  }
}

absl::Status WorkerImpl::CheckWanted(const AttemptId& id) {
  MutexLock lock(mutex_);
  if (draining_) return Unavailable("worker ", options_.name, " is shutting down");
  if (id.epoch() < link_->epoch()) {
    return Aborted(AttemptName(id), " is of the master's term ", id.epoch(),
                   ", which has ended: it is ", link_->epoch(), " now");
  }
  return absl::OkStatus();
}

void WorkerImpl::RunTask(google::protobuf::RpcController* controller,
                         const TaskSpec* request, TaskResult* response,
                         google::protobuf::Closure* done) {
  const AttemptId& id = request->id();
  const AttemptRef key = RefOf(id);
  const AttemptTable::Found found =
      attempts_.Join(id, [response, done](const TaskResult& result) {
        *response = result;
        done->Run();
      });
  if (found != AttemptTable::Found::kNew) return;
  absl::Status started = CheckWanted(id);
  if (started.ok()) {
    started = pool_->Run(
        *request, [this, key](float fraction) { attempts_.SetProgress(key, fraction); },
        [this, id](TaskResult result) { OnFinished(id, std::move(result)); });
  }
  if (started.ok()) return;
  attempts_.Abandon(key);
  Controller::Of(controller).SetStatus(started);
  done->Run();
}

void WorkerImpl::OnFinished(const AttemptId& id, TaskResult result) {
  const absl::Status status = StatusOf(result);
  if (!status.ok()) {
    VLOG(1) << "attempt_failed job=" << id.job() << " attempt=\"" << AttemptName(id)
            << "\" status=\"" << status << "\"";
    // A process that died could not clear up after itself.
    local_.RemoveAll(AttemptScratch(scratch_, id)).IgnoreError();
    DeleteOutput(id);
  }
  if (!attempts_.Finish(RefOf(id), std::move(result))) DeleteOutput(id);
}

void WorkerImpl::DeleteOutput(const AttemptId& id) {
  if (id.kind() != TASK_MAP) return;
  shuffle_server_.Forget(RefOf(id));
  const std::string path = MapOutputPath(scratch_, id);
  // The index first: without it there is no output.
  for (const std::string& file : {path + kIndexSuffix, path}) {
    const absl::Status removed = local_.RemoveAll(file);
    LOG_IF(WARNING, !removed.ok()) << "cannot delete " << file << ": " << removed;
  }
}

void WorkerImpl::CancelTask(google::protobuf::RpcController*, const AttemptId* request,
                            Empty*, google::protobuf::Closure* done) {
  pool_->Cancel(RefOf(*request));
  done->Run();
}

void WorkerImpl::ReleaseJob(google::protobuf::RpcController*,
                            const ReleaseJobRequest* request, Empty*,
                            google::protobuf::Closure* done) {
  const uint64_t job = request->job();
  for (const AttemptRef& key : attempts_.ReleaseJob(job)) pool_->Cancel(key);
  shuffle_server_.ForgetJob(job);
  // Deleting may take long: not on the loop.
  const bool scheduled = shuffle_pool_.Schedule([this, job, done] {
    const absl::Status removed = local_.RemoveAll(JobFolder(scratch_, job));
    LOG_IF(WARNING, !removed.ok())
        << "job_files_left job=" << job << " reason=\"" << removed << "\"";
    done->Run();
  });
  // Shutdown deletes them at the latest.
  if (!scheduled) done->Run();
}

void WorkerImpl::Shutdown(absl::Duration grace) {
  {
    MutexLock lock(mutex_);
    draining_ = true;
    if (std::exchange(shut_down_, true)) return;
  }
  const absl::Time give_up = absl::Now() + grace;
  while (running() > 0 && absl::Now() < give_up) absl::SleepFor(kShutdownPoll);
  // First the attempts, so that their results leave by the link; what still runs is
  // cancelled.
  if (pool_ != nullptr) pool_->Shutdown();
  if (link_ != nullptr) link_->Stop();
  peers_.CloseAll();
  if (server_ != nullptr) server_->Shutdown(absl::ZeroDuration());
  server_.reset();
  const absl::Status removed = local_.RemoveAll(scratch_);
  LOG_IF(WARNING, !removed.ok()) << "cannot delete " << scratch_ << ": " << removed;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Worker>> Worker::Start(WorkerOptions options,
                                                      Transport& transport,
                                                      FileSystem& local,
                                                      const JobTable& jobs) {
  auto worker =
      std::make_unique<WorkerImpl>(std::move(options), transport, local, jobs);
  SKEP_RETURN_IF_ERROR(worker->Init());
  return worker;
}

}  // namespace skep
