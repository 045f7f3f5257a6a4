// A worker and a master's end of its connection, over loopback.

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "jobs/api/fleet.pb.h"
#include "rpc/server.h"
#include "rpc/tcp_transport.h"
#include "storage/memory_file_system.h"
#include "worker/attempt.h"
#include "worker/worker.h"

namespace skep {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

// Waits for something that another thread will make true.
bool Await(const std::function<bool()>& condition) {
  const absl::Time give_up = absl::Now() + kPatience;
  while (!condition()) {
    if (absl::Now() > give_up) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

// Serves MasterService and keeps the channels to the workers that registered.
class FakeMaster final : public MasterService {
 public:
  explicit FakeMaster(Transport& transport) {
    services_.Add(this);
    auto server = Server::Listen(transport, Address::Tcp("127.0.0.1", 0), services_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // Every call is answered in the end.
  ~FakeMaster() override {
    MutexLock lock(mutex_);
    for (google::protobuf::Closure* done : unanswered_) done->Run();
  }

  const Address& address() const { return server_->address(); }

  void Register(google::protobuf::RpcController* controller,
                const RegisterRequest* request, RegisterReply* response,
                google::protobuf::Closure* done) override {
    MutexLock lock(mutex_);
    registered_.push_back(*request);
    worker_ = Controller::Of(controller).peer();
    response->set_worker(1);
    response->set_epoch(5);
    response->set_lease_ms(60);
    for (const AttemptId& id : drop_) *response->add_drop() = id;
    done->Run();
  }

  void Heartbeat(google::protobuf::RpcController*, const HeartbeatRequest* request,
                 HeartbeatReply* response, google::protobuf::Closure* done) override {
    MutexLock lock(mutex_);
    ++heartbeats_;
    last_heartbeat_ = *request;
    if (silent_) {
      unanswered_.push_back(done);
      return;
    }
    response->set_known(known_);
    known_ = true;
    done->Run();
  }

  void RequestCommit(google::protobuf::RpcController*, const CommitRequest*,
                     CommitReply* response, google::protobuf::Closure* done) override {
    response->set_granted(true);
    done->Run();
  }

  std::vector<RegisterRequest> registered() {
    MutexLock lock(mutex_);
    return registered_;
  }
  std::shared_ptr<Channel> worker() {
    MutexLock lock(mutex_);
    return worker_;
  }
  int heartbeats() {
    MutexLock lock(mutex_);
    return heartbeats_;
  }
  HeartbeatRequest last_heartbeat() {
    MutexLock lock(mutex_);
    return last_heartbeat_;
  }
  // From now on heartbeats are not answered.
  void SetSilent(bool silent) {
    MutexLock lock(mutex_);
    silent_ = silent;
  }
  void ForgetWorker() {
    MutexLock lock(mutex_);
    known_ = false;
  }
  void DropNextTime(const AttemptId& id) {
    MutexLock lock(mutex_);
    drop_.push_back(id);
  }

 private:
  ServiceTable services_;
  Mutex mutex_;
  std::vector<RegisterRequest> registered_ ABSL_GUARDED_BY(mutex_);
  std::vector<AttemptId> drop_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Channel> worker_ ABSL_GUARDED_BY(mutex_);
  int heartbeats_ ABSL_GUARDED_BY(mutex_) = 0;
  HeartbeatRequest last_heartbeat_ ABSL_GUARDED_BY(mutex_);
  bool known_ ABSL_GUARDED_BY(mutex_) = true;
  bool silent_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<google::protobuf::Closure*> unanswered_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Server> server_;
};

// What the mappers of a test wait for and have done.
struct Gate {
  std::atomic<bool> open{false};
  std::atomic<int> ran{0};
};

// Emits one count; waits for the gate if its payload says so.
class GateMapper final : public Mapper {
 public:
  explicit GateMapper(Gate& gate) : gate_(gate) {}
  absl::Status Finish(MapContext& context) override {
    ++gate_.ran;
    while (context.payload() == "wait" && !gate_.open) {
      if (context.stop_token().stop_requested()) return Cancelled("stopped");
      absl::SleepFor(absl::Milliseconds(1));
    }
    context.EmitCount("bees", 7);
    context.SetResult("result");
    return absl::OkStatus();
  }

 private:
  Gate& gate_;
};

class NoReducer final : public Reducer {
 public:
  absl::Status Reduce(std::string_view, Values&, ReduceContext&) override {
    return absl::OkStatus();
  }
};

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    Job job;
    job.Name("gate").AddStage(
        "main", {.mapper = [this] { return std::make_unique<GateMapper>(gate_); },
                 .reducer = [] { return std::make_unique<NoReducer>(); },
                 .combine = Combine::kSum});
    jobs_.jobs.emplace("gate", job);
    WorkerOptions options;
    options.master = master_.address();
    options.name = "testhost:1";
    options.slots = 2;
    options.scratch = "/scratch";
    auto worker = Worker::Start(options, transport_, fs_, jobs_);
    EXPECT_TRUE(worker.ok()) << worker.status();
    worker_ = *std::move(worker);
    EXPECT_TRUE(Await([this] { return worker_->state().ok(); })) << worker_->state();
  }

  static TaskSpec Spec(uint32_t task, const std::string& payload = "") {
    TaskSpec spec;
    AttemptId& id = *spec.mutable_id();
    id.set_job(7);
    id.set_kind(TASK_MAP);
    id.set_task(task);
    id.set_attempt(1);
    id.set_epoch(5);
    spec.mutable_job()->set_name("gate");
    spec.mutable_stage()->set_name("main");
    spec.mutable_stage()->mutable_tasks();
    spec.mutable_stage()->set_partitions(1);
    spec.set_payload(payload);
    return spec;
  }

  using Result = absl::StatusOr<Reply<TaskResult>>;
  struct Pending {
    Mutex mutex;
    std::vector<Result> results ABSL_GUARDED_BY(mutex);
    size_t count() {
      MutexLock lock(mutex);
      return results.size();
    }
  };

  void StartTask(const TaskSpec& spec, std::shared_ptr<Pending> pending) {
    Call<TaskResult>(*master_.worker(), Method<WorkerService>("RunTask"), spec,
                     {.timeout = kPatience}, [pending](Result result) {
                       MutexLock lock(pending->mutex);
                       pending->results.push_back(std::move(result));
                     });
  }

  Result RunTask(const TaskSpec& spec) {
    return BlockingCall<TaskResult>(*master_.worker(), Method<WorkerService>("RunTask"),
                                    spec, {.timeout = kPatience});
  }

  template <typename Request>
  absl::Status Tell(const char* method, const Request& request) {
    return BlockingCall<Empty>(*master_.worker(), Method<WorkerService>(method),
                               request)
        .status();
  }

  absl::StatusOr<Reply<FetchReply>> Fetch(const TaskSpec& spec) {
    FetchRequest request;
    *request.mutable_map() = spec.id();
    request.set_max_bytes(1 << 20);
    const auto address = Address::Parse(worker_->shuffle_address());
    const auto channel = Connect(transport_, *address);
    return BlockingCall<FetchReply>(*channel, Method<ShuffleService>("Fetch"), request);
  }

  MemoryFileSystem fs_;
  JobTable jobs_;
  Gate gate_;
  TcpTransport transport_{1};
  FakeMaster master_{transport_};
  std::unique_ptr<Worker> worker_;
};

TEST_F(WorkerTest, RegistersAndSendsHeartbeats) {
  const RegisterRequest request = master_.registered().at(0);
  EXPECT_EQ(request.name(), "testhost:1");
  EXPECT_EQ(request.slots(), 2);
  EXPECT_EQ(request.shuffle_address(), worker_->shuffle_address());
  EXPECT_EQ(request.running_size() + request.finished_size(), 0);
  EXPECT_TRUE(Await([this] { return master_.heartbeats() >= 3; }));
  EXPECT_EQ(master_.last_heartbeat().incarnation(), request.incarnation());
  EXPECT_EQ(master_.last_heartbeat().free_slots(), 2);
}

TEST_F(WorkerTest, RegistersAgainWhenItIsNotKnown) {
  master_.ForgetWorker();
  EXPECT_TRUE(Await([this] { return master_.registered().size() == 2; }));
  EXPECT_TRUE(Await([this] { return worker_->state().ok(); }));
}

TEST_F(WorkerTest, ReplacesAConnectionThatCarriesNothing) {
  master_.SetSilent(true);
  EXPECT_TRUE(Await([this] { return master_.registered().size() >= 2; }));
  master_.SetSilent(false);
  EXPECT_TRUE(Await([this] { return worker_->state().ok(); }));
  EXPECT_TRUE(RunTask(Spec(1)).ok());
}

TEST_F(WorkerTest, RunsAnAttemptOnceHoweverOftenItIsAskedTo) {
  const TaskSpec spec = Spec(1, "wait");
  auto pending = std::make_shared<Pending>();
  StartTask(spec, pending);
  StartTask(spec, pending);
  EXPECT_TRUE(Await([this] { return gate_.ran == 1; }));
  EXPECT_TRUE(Await([this] { return master_.last_heartbeat().running_size() == 1; }));
  EXPECT_EQ(pending->count(), 0);
  gate_.open = true;
  ASSERT_TRUE(Await([&] { return pending->count() == 2; }));
  MutexLock lock(pending->mutex);
  for (const Result& result : pending->results) {
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->message.result(), "result");
  }
  const Result again = RunTask(spec);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->message.SerializeAsString(),
            pending->results[0]->message.SerializeAsString());
  EXPECT_EQ(gate_.ran, 1);
}

TEST_F(WorkerTest, ADroppedConnectionStopsNothing) {
  const TaskSpec running = Spec(1, "wait");
  const TaskSpec finished = Spec(2);
  ASSERT_TRUE(RunTask(finished).ok());
  auto pending = std::make_shared<Pending>();
  StartTask(running, pending);
  EXPECT_TRUE(Await([this] { return gate_.ran == 2; }));
  master_.worker()->Close(Unavailable("dropped by the test"));
  ASSERT_TRUE(Await([this] { return master_.registered().size() == 2; }));
  const RegisterRequest request = master_.registered()[1];
  EXPECT_EQ(request.incarnation(), master_.registered()[0].incarnation());
  ASSERT_EQ(request.running_size(), 1);
  EXPECT_EQ(RefOf(request.running(0)), RefOf(running.id()));
  ASSERT_EQ(request.finished_size(), 1);
  EXPECT_EQ(RefOf(request.finished(0)), RefOf(finished.id()));

  ASSERT_TRUE(Await([&] { return pending->count() == 1; }));
  {
    MutexLock lock(pending->mutex);
    EXPECT_TRUE(absl::IsUnavailable(pending->results[0].status()));
  }
  StartTask(running, pending);
  gate_.open = true;
  ASSERT_TRUE(Await([&] { return pending->count() == 2; }));
  MutexLock lock(pending->mutex);
  EXPECT_TRUE(pending->results[1].ok()) << pending->results[1].status();
  EXPECT_EQ(gate_.ran, 2);
}

TEST_F(WorkerTest, ServesMapOutputUntilItsJobIsReleased) {
  const TaskSpec spec = Spec(1);
  ASSERT_TRUE(RunTask(spec).ok());
  const auto fetched = Fetch(spec);
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_GT(fetched->message.total_bytes(), 0);
  EXPECT_EQ(fetched->attachment.size(), fetched->message.total_bytes());

  ReleaseJobRequest release;
  release.set_job(7);
  ASSERT_TRUE(Tell("ReleaseJob", release).ok());
  EXPECT_TRUE(absl::IsNotFound(Fetch(spec).status()));
  // Asked again it is a new attempt to this worker.
  ASSERT_TRUE(RunTask(spec).ok());
  EXPECT_EQ(gate_.ran, 2);
}

TEST_F(WorkerTest, DeletesWhatTheMasterDrops) {
  const TaskSpec done = Spec(1);
  ASSERT_TRUE(RunTask(done).ok());
  ASSERT_TRUE(Fetch(done).ok());
  const TaskSpec waiting = Spec(2, "wait");
  auto pending = std::make_shared<Pending>();
  StartTask(waiting, pending);
  EXPECT_TRUE(Await([this] { return gate_.ran == 2; }));
  master_.DropNextTime(done.id());
  master_.DropNextTime(waiting.id());
  master_.ForgetWorker();
  EXPECT_TRUE(Await([&] { return absl::IsNotFound(Fetch(done).status()); }));
  ASSERT_TRUE(Await([&] { return pending->count() == 1; }));
  MutexLock lock(pending->mutex);
  ASSERT_TRUE(pending->results[0].ok());
  EXPECT_TRUE(absl::IsCancelled(StatusOf(pending->results[0]->message)));
}

TEST_F(WorkerTest, CancelEndsAnAttempt) {
  const TaskSpec spec = Spec(1, "wait");
  auto pending = std::make_shared<Pending>();
  StartTask(spec, pending);
  EXPECT_TRUE(Await([this] { return gate_.ran == 1; }));
  ASSERT_TRUE(Tell("CancelTask", spec.id()).ok());
  ASSERT_TRUE(Await([&] { return pending->count() == 1; }));
  MutexLock lock(pending->mutex);
  ASSERT_TRUE(pending->results[0].ok());
  EXPECT_TRUE(absl::IsCancelled(StatusOf(pending->results[0]->message)));
}

TEST_F(WorkerTest, RefusesAttemptsOfAnEarlierTerm) {
  TaskSpec spec = Spec(1);
  spec.mutable_id()->set_epoch(4);
  EXPECT_TRUE(absl::IsAborted(RunTask(spec).status()));
  EXPECT_EQ(gate_.ran, 0);
}

TEST_F(WorkerTest, ShutdownLetsAttemptsFinishAndLeavesNoFiles) {
  auto pending = std::make_shared<Pending>();
  StartTask(Spec(1, "wait"), pending);
  EXPECT_TRUE(Await([this] { return gate_.ran == 1; }));
  std::jthread open([this] {
    absl::SleepFor(absl::Milliseconds(20));
    gate_.open = true;
  });
  worker_->Shutdown(kPatience);
  ASSERT_TRUE(Await([&] { return pending->count() == 1; }));
  const auto left = fs_.List("/scratch");
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_TRUE(left->empty());
  MutexLock lock(pending->mutex);
  EXPECT_TRUE(pending->results[0].ok()) << pending->results[0].status();
}

}  // namespace
}  // namespace skep
