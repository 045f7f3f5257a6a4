#include "master/job_service.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server_posix.h"
#include "master/job_service.grpc.pb.h"

namespace skep {
namespace {

// The master answers from memory; more than this means that it is stuck.
constexpr absl::Duration kMasterTimeout = absl::Seconds(30);
// How often a Watch call looks whether its client has gone.
constexpr absl::Duration kWatchPoll = absl::Milliseconds(200);

// absl's codes are gRPC's.
grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(Message(status))};
}

// A value that comes from the executor. Shared with the closure that sets it: the one
// who waits may give up first.
template <typename T>
class Awaited {
 public:
  void Set(absl::StatusOr<T> value) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    value_ = std::move(value);
    set_.SignalAll();
  }

  absl::StatusOr<T> Wait() ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::Time end = Clock::Real().Now() + kMasterTimeout;
    MutexLock lock(mutex_);
    while (!value_) {
      const absl::Duration left = end - Clock::Real().Now();
      if (left <= absl::ZeroDuration()) {
        return DeadlineExceeded("the master did not answer within ",
                                absl::FormatDuration(kMasterTimeout));
      }
      set_.WaitFor(mutex_, left);
    }
    return *std::move(value_);
  }

 private:
  Mutex mutex_;
  CondVar set_;
  std::optional<absl::StatusOr<T>> value_ ABSL_GUARDED_BY(mutex_);
};

// Calls `start` with a callback and waits for what that is given.
template <typename T, typename StartFn>
absl::StatusOr<T> Await(StartFn start) {
  auto awaited = std::make_shared<Awaited<T>>();
  start([awaited](absl::StatusOr<T> value) { awaited->Set(std::move(value)); });
  return awaited->Wait();
}

// The newest status of a watched job; older ones that were not fetched are dropped.
class Mailbox {
 public:
  void Put(absl::StatusOr<JobStatus> status) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    newest_ = std::move(status);
    changed_.SignalAll();
  }

  std::optional<absl::StatusOr<JobStatus>> Take(absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (!newest_) changed_.WaitFor(mutex_, timeout);
    return std::exchange(newest_, std::nullopt);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<absl::StatusOr<JobStatus>> newest_ ABSL_GUARDED_BY(mutex_);
};

bool IsFinal(const JobStatus& status) {
  return status.state() == JOB_SUCCEEDED || status.state() == JOB_FAILED ||
         status.state() == JOB_CANCELLED;
}

class ServiceImpl final : public JobService::Service {
 public:
  explicit ServiceImpl(Master& master) : master_(master) {}

  void Stop() { stopping_ = true; }

  grpc::Status Submit(grpc::ServerContext*, const SubmitJobRequest* request,
                      SubmitJobReply* reply) override {
    const auto job = Await<JobId>(
        [&](auto done) { master_.Submit(request->spec(), std::move(done)); });
    if (job.ok()) reply->set_job(job->value());
    return ToGrpc(job.status());
  }

  grpc::Status Get(grpc::ServerContext*, const GetJobRequest* request,
                   JobStatus* reply) override {
    auto status = Await<JobStatus>(
        [&](auto done) { master_.Get(JobId(request->job()), std::move(done)); });
    if (status.ok()) *reply = *std::move(status);
    return ToGrpc(status.status());
  }

  grpc::Status List(grpc::ServerContext*, const ListJobsRequest*,
                    ListJobsReply* reply) override {
    const auto jobs = Await<std::vector<JobStatus>>(
        [&](auto done) { master_.List(std::move(done)); });
    if (jobs.ok()) reply->mutable_jobs()->Assign(jobs->begin(), jobs->end());
    return ToGrpc(jobs.status());
  }

  grpc::Status Outcomes(grpc::ServerContext*, const OutcomesRequest* request,
                        OutcomesReply* reply) override {
    const auto finished = Await<std::vector<FinishedTask>>([&](auto done) {
      master_.Outcomes(JobId(request->job()), request->from(), std::move(done));
    });
    if (finished.ok()) {
      reply->mutable_finished()->Assign(finished->begin(), finished->end());
    }
    return ToGrpc(finished.status());
  }

  grpc::Status Cancel(grpc::ServerContext*, const CancelJobRequest* request,
                      CancelJobReply*) override {
    const auto done = Await<bool>([&](auto done) {
      master_.Cancel(JobId(request->job()), request->reason(), std::move(done));
    });
    return ToGrpc(done.status());
  }

  grpc::Status Workers(grpc::ServerContext*, const ListWorkersRequest*,
                       ListWorkersReply* reply) override {
    const auto workers = Await<std::vector<WorkerStatus>>(
        [&](auto done) { master_.Workers(std::move(done)); });
    if (workers.ok()) {
      reply->mutable_workers()->Assign(workers->begin(), workers->end());
    }
    return ToGrpc(workers.status());
  }

  grpc::Status Watch(grpc::ServerContext* context, const WatchJobRequest* request,
                     grpc::ServerWriter<JobStatus>* writer) override {
    if (++watchers_ > JobServer::kMaxWatchers) {
      --watchers_;
      return ToGrpc(ResourceExhausted(JobServer::kMaxWatchers,
                                      " calls watch jobs already: use Get"));
    }
    auto mailbox = std::make_shared<Mailbox>();
    const uint64_t watch = master_.Watch(
        JobId(request->job()),
        [mailbox](const absl::StatusOr<JobStatus>& status) { mailbox->Put(status); });
    const grpc::Status ended = Forward(context, *mailbox, writer);
    master_.Unwatch(watch);
    --watchers_;
    return ended;
  }

 private:
  grpc::Status Forward(grpc::ServerContext* context, Mailbox& mailbox,
                       grpc::ServerWriter<JobStatus>* writer) {
    while (!context->IsCancelled() && !stopping_) {
      const auto status = mailbox.Take(kWatchPoll);
      if (!status) continue;
      if (!status->ok()) return ToGrpc(status->status());
      if (!writer->Write(**status)) break;
      if (IsFinal(**status)) return grpc::Status::OK;
    }
    return ToGrpc(stopping_ ? Unavailable("the master is stopping")
                            : Cancelled("the client has gone"));
  }

  Master& master_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> watchers_{0};
};

class JobServerImpl final : public JobServer {
 public:
  explicit JobServerImpl(Master& master) : service_(master) {}
  ~JobServerImpl() override { Shutdown(absl::ZeroDuration()); }

  absl::Status Start() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    builder.SetMaxSendMessageSize(kMaxMessageBytes);
    // Clients that watch ping every 20 s (grpc_job_client.cc); by default gRPC takes
    // that for an attack.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               10'000);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return Unavailable("gRPC's server did not start");
    server_->GetHealthCheckService()->SetServingStatus(true);
    server_->GetHealthCheckService()->SetServingStatus("skep.JobService", true);
    MutexLock lock(mutex_);
    open_ = true;
    return absl::OkStatus();
  }

  void Adopt(int fd) override {
    MutexLock lock(mutex_);
    if (open_) {
      grpc::AddInsecureChannelFromFd(server_.get(), fd);
    } else {
      close(fd);
    }
  }

  void Shutdown(absl::Duration grace) override {
    {
      MutexLock lock(mutex_);
      if (!std::exchange(open_, false)) return;
    }
    service_.Stop();
    server_->Shutdown(std::chrono::system_clock::now() +
                      absl::ToChronoMilliseconds(grace));
    server_->Wait();
  }

 private:
  ServiceImpl service_;
  std::unique_ptr<grpc::Server> server_;
  Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<JobServer>> JobServer::Start(Master& master) {
  auto server = std::make_unique<JobServerImpl>(master);
  SKEP_RETURN_IF_ERROR(server->Start());
  return std::unique_ptr<JobServer>(std::move(server));
}

}  // namespace skep
