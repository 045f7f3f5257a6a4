// Integration: the whole master on one loopback port, a model worker over the channel
// and a client over gRPC.

#include "master/master_server.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "master/job_service.grpc.pb.h"
#include "rpc/server.h"
#include "rpc/tls/test_fleet.h"
#include "rpc/tls/tls_transport.h"

namespace skep {
namespace {

// Answers every task at once: one map-only stage, then "done". While `held` no map
// ends.
class ModelWorker : public WorkerService {
 public:
  ModelWorker(Transport& transport, const Address& master) {
    services_.Add(this);
    ConnectOptions options;
    options.services = &services_;
    channel_ = Connect(transport, master, options);
  }

  absl::Status Register(const std::string& fleet = "") {
    RegisterRequest request;
    request.set_name("model");
    request.set_incarnation(7);
    request.set_slots(4);
    request.set_fleet(fleet);
    auto reply = BlockingCall<RegisterReply>(
        *channel_, Method<MasterService>("Register"), request);
    if (reply.ok()) worker_ = reply->message.worker();
    return reply.status();
  }

  bool Heartbeat() {
    HeartbeatRequest request;
    request.set_worker(worker_);
    request.set_incarnation(7);
    auto reply = BlockingCall<HeartbeatReply>(
        *channel_, Method<MasterService>("Heartbeat"), request);
    return reply.ok() && reply->message.known();
  }

  void RunTask(google::protobuf::RpcController*, const TaskSpec* spec,
               TaskResult* result, google::protobuf::Closure* done) override {
    if (spec->id().kind() == TASK_PLAN) {
      PlanResult& plan = *result->mutable_plan();
      if (spec->finished_size() == 0) {
        plan.mutable_stage()->set_name("main");
        plan.mutable_stage()->set_job_input(true);
      } else {
        plan.mutable_answer()->set_text("done");
      }
    } else if (spec->job().name() == "endless") {
      MutexLock lock(mutex_);
      held_.push_back(done);
      return;
    }
    done->Run();
  }

  void CancelTask(google::protobuf::RpcController*, const AttemptId*, Empty*,
                  google::protobuf::Closure* done) override {
    std::vector<google::protobuf::Closure*> held;
    {
      MutexLock lock(mutex_);
      ++cancelled_;
      held.swap(held_);
    }
    for (google::protobuf::Closure* h : held) h->Run();
    done->Run();
  }

  void ReleaseJob(google::protobuf::RpcController*, const ReleaseJobRequest*, Empty*,
                  google::protobuf::Closure* done) override {
    done->Run();
  }

  int cancelled() {
    MutexLock lock(mutex_);
    return cancelled_;
  }

 private:
  ServiceTable services_;
  std::shared_ptr<Channel> channel_;
  uint64_t worker_ = 0;
  Mutex mutex_;
  std::vector<google::protobuf::Closure*> held_ ABSL_GUARDED_BY(mutex_);
  int cancelled_ ABSL_GUARDED_BY(mutex_) = 0;
};

class MasterServerTest : public testing::Test {
 protected:
  void SetUp() override {
    MasterServerOptions options;
    options.listen = Address::Tcp("127.0.0.1", 0);
    options.master.fleet = "test";
    auto server = MasterServer::Start(transport_, std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    jobs_ = JobService::NewStub(grpc::CreateChannel(
        server_->address().ToString(), grpc::InsecureChannelCredentials()));
  }

  static std::unique_ptr<grpc::ClientContext> Context() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    return context;
  }

  uint64_t Submit(const std::string& name, int splits) {
    SubmitJobRequest request;
    request.mutable_spec()->set_name(name);
    for (int i = 0; i < splits; ++i) request.mutable_spec()->add_splits();
    SubmitJobReply reply;
    const grpc::Status status = jobs_->Submit(Context().get(), request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply.job();
  }

  // The statuses that a watcher is told, until `enough`.
  template <typename Enough>
  std::vector<JobStatus> Watch(uint64_t job, Enough enough) {
    WatchJobRequest request;
    request.set_job(job);
    const auto context = Context();
    const auto reader = jobs_->Watch(context.get(), request);
    std::vector<JobStatus> told;
    JobStatus status;
    while (reader->Read(&status)) {
      told.push_back(status);
      if (enough(status)) {
        context->TryCancel();
        break;
      }
    }
    while (reader->Read(&status)) {
    }
    reader->Finish();
    return told;
  }

  TcpTransport transport_{2};
  std::unique_ptr<MasterServer> server_;
  std::unique_ptr<JobService::Stub> jobs_;
};

TEST_F(MasterServerTest, RunsAJobOverBothProtocolsOnOnePort) {
  ModelWorker worker(transport_, server_->address());
  ASSERT_TRUE(worker.Register("test").ok());
  EXPECT_TRUE(worker.Heartbeat());
  const uint64_t job = Submit("quick", 10);
  const std::vector<JobStatus> told =
      Watch(job, [](const JobStatus&) { return false; });
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().state(), JOB_SUCCEEDED);
  EXPECT_EQ(told.back().answer().text(), "done");
  EXPECT_EQ(told.back().stages(0).maps().done(), 10u);

  ListJobsReply list;
  EXPECT_TRUE(jobs_->List(Context().get(), ListJobsRequest(), &list).ok());
  EXPECT_EQ(list.jobs_size(), 1);
  ListWorkersReply workers;
  EXPECT_TRUE(jobs_->Workers(Context().get(), ListWorkersRequest(), &workers).ok());
  ASSERT_EQ(workers.workers_size(), 1);
  EXPECT_TRUE(workers.workers(0).connected());
}

TEST_F(MasterServerTest, CancelReachesTheWorker) {
  ModelWorker worker(transport_, server_->address());
  ASSERT_TRUE(worker.Register("test").ok());
  const uint64_t job = Submit("endless", 1);
  Watch(job, [](const JobStatus& s) {
    return s.stages_size() > 0 && s.stages(0).maps().running() == 1;
  });
  CancelJobRequest request;
  request.set_job(job);
  request.set_reason("no longer wanted");
  CancelJobReply reply;
  EXPECT_TRUE(jobs_->Cancel(Context().get(), request, &reply).ok());
  const auto told = Watch(job, [](const JobStatus&) { return false; });
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().state(), JOB_CANCELLED);
  EXPECT_EQ(told.back().error_message(), "no longer wanted");
  // The cancel call left before the job was told to be over; it arrives soon.
  EXPECT_TRUE(worker.Heartbeat());
  EXPECT_EQ(worker.cancelled(), 1);
}

TEST_F(MasterServerTest, RefusesWorkersOfOtherFleets) {
  ModelWorker worker(transport_, server_->address());
  const absl::Status status = worker.Register("other");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_FALSE(worker.Register("").ok());

  MasterServerOptions options;
  options.listen = Address::Tcp("127.0.0.1", 0);
  const auto nameless = MasterServer::Start(transport_, std::move(options));
  ASSERT_TRUE(nameless.ok()) << nameless.status();
  ModelWorker lost(transport_, (*nameless)->address());
  const absl::Status named = lost.Register("test");
  EXPECT_EQ(named.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(named.message().find("of fleet \"test\", this master of no fleet"),
            absl::string_view::npos)
      << named;
  EXPECT_TRUE(lost.Register("").ok());
}

TEST_F(MasterServerTest, SaysWhatIsWrongWithARequest) {
  GetJobRequest get;
  get.set_job(99);
  JobStatus status;
  EXPECT_EQ(jobs_->Get(Context().get(), get, &status).error_code(),
            grpc::StatusCode::NOT_FOUND);
  SubmitJobReply reply;
  EXPECT_EQ(jobs_->Submit(Context().get(), SubmitJobRequest(), &reply).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(MasterServerTest, EndsWatchersWhenItStops) {
  const uint64_t job = Submit("waits for a worker", 1);
  const std::vector<JobStatus> told = Watch(job, [&](const JobStatus& status) {
    EXPECT_NE(status.waiting_for(), "");
    server_->Shutdown(absl::Seconds(1));
    return false;
  });
  EXPECT_EQ(told.size(), 1u);
}

TEST(MasterServerStartTest, RefusesOtherAddressesThanLoopback) {
  TcpTransport transport(1);
  MasterServerOptions options;
  options.listen = Address::Tcp("0.0.0.0", 0);
  const auto refused = MasterServer::Start(transport, options);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(Message(refused.status()).find("--plaintext"), std::string_view::npos);
  options.plaintext = true;
  EXPECT_TRUE(MasterServer::Start(transport, options).ok());
  options.plaintext = false;
  options.credentials = TestFleet("bees").Live("master");
  EXPECT_TRUE(MasterServer::Start(transport, options).ok());
}

// Both protocols on one port, under TLS.
class SecureMasterTest : public testing::Test {
 protected:
  SecureMasterTest() {
    MasterServerOptions options;
    options.listen = Address::Tcp("127.0.0.1", 0);
    options.credentials = fleet_.Live("master");
    auto server = MasterServer::Start(transport_, std::move(options));
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // A question over gRPC, as a member of `fleet` that takes `trusted` for its
  // authority.
  grpc::Status Ask(const TestFleet& fleet, const TestFleet& trusted, size_t bytes) {
    const CertifiedKey own = fleet.Member("client");
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(FleetHost("bees"));
    const auto jobs = JobService::NewStub(grpc::CreateCustomChannel(
        server_->address().ToString(),
        grpc::SslCredentials({.pem_root_certs = trusted.authority().certificate,
                              .pem_private_key = own.key,
                              .pem_cert_chain = own.certificate}),
        arguments));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    SubmitJobRequest request;
    request.mutable_spec()->set_name(std::string(bytes, 'n'));
    request.mutable_spec()->add_splits();
    SubmitJobReply reply;
    return jobs->Submit(&context, request, &reply);
  }

  const TestFleet fleet_{"bees"};
  TcpTransport transport_{2};
  std::unique_ptr<MasterServer> server_;
};

TEST_F(SecureMasterTest, TakesJobsAndWorkersOfItsFleet) {
  TlsTransport secure(transport_, fleet_.Credentials("worker-1"));
  {
    ModelWorker worker(secure, server_->address());
    const absl::Status registered = worker.Register();
    EXPECT_TRUE(registered.ok()) << registered;
  }
  const grpc::Status submitted = Ask(fleet_, fleet_, 5);
  EXPECT_TRUE(submitted.ok()) << submitted.error_message();
}

// More than the streams between TLS and gRPC hold at a time.
TEST_F(SecureMasterTest, CarriesLargeMessages) {
  const grpc::Status submitted = Ask(fleet_, fleet_, 3 << 20);
  EXPECT_NE(submitted.error_code(), grpc::StatusCode::UNAVAILABLE)
      << submitted.error_message();
  EXPECT_NE(submitted.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED)
      << submitted.error_message();
}

TEST_F(SecureMasterTest, RefusesOthers) {
  const TestFleet impostors("bees");
  EXPECT_EQ(Ask(impostors, fleet_, 5).error_code(), grpc::StatusCode::UNAVAILABLE);
  TlsTransport secure(transport_, impostors.Credentials("worker-1"));
  ModelWorker worker(secure, server_->address());
  EXPECT_FALSE(worker.Register().ok());
  ModelWorker plain(transport_, server_->address());
  EXPECT_FALSE(plain.Register().ok());
}

}  // namespace
}  // namespace skep
