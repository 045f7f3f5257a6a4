// The shape of a large fleet on one machine: one master, 200 workers over real loopback
// sockets, 20,000 empty tasks.

#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "jobs/api/job.h"
#include "master/master.h"
#include "master/master_server.h"
#include "rpc/tcp_transport.h"
#include "worker/worker.h"

namespace skep {
namespace {

constexpr int kWorkers = 200;
constexpr int kTasks = 20'000;
constexpr absl::Duration kDeadline = absl::Minutes(3);

std::atomic<int> tasks_run = 0;

// Each task answers with its payload, so that the planner sees whether each ran.
class EmptyTask final : public Mapper {
 public:
  absl::Status Finish(MapContext& context) override {
    ++tasks_run;
    context.SetResult(std::string(context.payload()));
    return absl::OkStatus();
  }
};

JobTable EmptyTasks() {
  Job job;
  job.Name("empty")
      .Input({.kind = InputFormat::Kind::kNone})
      .Output(OutputShape::kNone);
  job.AddStage("tasks", {.mapper = [] { return std::make_unique<EmptyTask>(); }});
  job.Plan([](const PlanInput& input) -> absl::StatusOr<PlanResult> {
    if (input.finished.empty()) {
      StageSpec stage;
      stage.set_name("tasks");
      for (int i = 0; i < kTasks; ++i) stage.mutable_tasks()->add_payload(StrCat(i));
      return NextStage(std::move(stage));
    }
    int right = 0;
    for (int i = 0; i < input.finished[0].map_results_size(); ++i) {
      right += input.finished[0].map_results(i) == StrCat(i);
    }
    return Done(StrCat(right));
  });
  JobTable table;
  table.jobs.emplace("empty", std::move(job));
  return table;
}

TEST(LargeFleet, TwoHundredWorkersRunTwentyThousandTasks) {
  const JobTable jobs = EmptyTasks();
  TcpTransport transport(1);
  auto master = MasterServer::Start(
      transport, {.listen = Address::Tcp("127.0.0.1", 0), .master = {}});
  ASSERT_TRUE(master.ok()) << master.status();

  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < kWorkers; ++i) {
    WorkerOptions options;
    options.master = (*master)->address();
    options.name = StrCat("w", i);
    options.scratch = testing::TempDir();
    options.binary_digest = "large-fleet";
    options.shuffle_threads = 1;
    auto worker =
        Worker::Start(std::move(options), transport, FileSystem::Real(), jobs);
    ASSERT_TRUE(worker.ok()) << worker.status();
    workers.push_back(*std::move(worker));
  }

  std::promise<absl::StatusOr<JobStatus>> ended;
  JobSpec spec;
  spec.set_name("empty");
  spec.set_binary_digest("large-fleet");
  const absl::Time start = Clock::Real().Now();
  Master& service = (*master)->master();
  service.Submit(spec, [&](absl::StatusOr<JobId> id) {
    ASSERT_TRUE(id.ok()) << id.status();
    service.Watch(*id, [&, told = std::make_shared<bool>(false)](
                           const absl::StatusOr<JobStatus>& status) {
      const bool final = !status.ok() || status->state() == JOB_SUCCEEDED ||
                         status->state() == JOB_FAILED;
      if (final && !std::exchange(*told, true)) ended.set_value(status);
    });
  });
  std::future<absl::StatusOr<JobStatus>> status = ended.get_future();
  ASSERT_EQ(status.wait_for(absl::ToChronoSeconds(kDeadline)),
            std::future_status::ready);
  const absl::StatusOr<JobStatus> job = status.get();
  const absl::Duration took = Clock::Real().Now() - start;
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), JOB_SUCCEEDED) << job->error_message();
  EXPECT_EQ(job->answer().text(), StrCat(kTasks));
  EXPECT_EQ(tasks_run, kTasks) << "no task ran twice";
  EXPECT_EQ(job->attempts_lost() + job->attempts_failed() + job->maps_lost(), 0u);
  RecordProperty("seconds", StrCat(absl::ToDoubleSeconds(took)));
  std::printf("%d tasks on %d workers in %s\n", kTasks, kWorkers,
              absl::FormatDuration(took).c_str());

  for (const auto& worker : workers) worker->Shutdown(absl::ZeroDuration());
  (*master)->Shutdown(absl::ZeroDuration());
}

}  // namespace
}  // namespace skep
