// What scenarios do not show: size, fairness of the choice, replays.

#include "master/scheduler.h"

#include <map>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace skep {
namespace {

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(1);

Event Register(uint64_t worker, uint32_t slots) {
  Event event;
  event.mutable_worker_registered()->set_connection(worker);
  RegisterRequest& request = *event.mutable_worker_registered()->mutable_request();
  request.set_incarnation(worker);
  request.set_slots(slots);
  return event;
}

Event Submit(const Scheduler& scheduler, int splits) {
  Event event;
  event.mutable_job_submitted()->set_job(scheduler.next_job().value());
  JobSpec& spec = *event.mutable_job_submitted()->mutable_spec();
  spec.set_name("test");
  for (int i = 0; i < splits; ++i) spec.add_splits();
  return event;
}

// Ends an attempt well; a planner asks for one map-only stage, then answers.
Event Finish(const RunTask& run) {
  Event event;
  AttemptFinished& finished = *event.mutable_attempt_finished();
  *finished.mutable_id() = run.spec.id();
  finished.set_worker(run.worker.value());
  if (run.spec.id().kind() == TASK_PLAN) {
    PlanResult& plan = *finished.mutable_result()->mutable_plan();
    if (run.spec.finished_size() == 0) {
      plan.mutable_stage()->set_job_input(true);
    } else {
      plan.mutable_answer()->set_text("done");
    }
  }
  return event;
}

// Everything that `event` leads to, with every attempt ending well at once. Returns the
// attempts in the order in which they started.
std::vector<RunTask> RunAll(Scheduler& scheduler, Event event) {
  std::vector<RunTask> ran;
  std::vector<Event> events;
  events.push_back(std::move(event));
  for (size_t i = 0; i < events.size(); ++i) {
    for (Command& command : scheduler.Step(std::move(events[i]), kStart)) {
      if (auto* run = std::get_if<RunTask>(&command)) {
        events.push_back(Finish(*run));
        ran.push_back(std::move(*run));
      }
    }
  }
  return ran;
}

TEST(SchedulerTest, RunsTwentyThousandTasksOnTwoHundredWorkers) {
  Scheduler scheduler({});
  for (int w = 1; w <= 200; ++w) scheduler.Step(Register(w, 1), kStart);
  const std::vector<RunTask> ran = RunAll(scheduler, Submit(scheduler, 20'000));
  EXPECT_EQ(ran.size(), 20'002u);
  EXPECT_EQ(scheduler.Status(JobId(1))->state(), JOB_SUCCEEDED);
  std::map<WorkerId, int> tasks;
  for (const RunTask& run : ran) ++tasks[run.worker];
  EXPECT_EQ(tasks.size(), 200u);
}

TEST(SchedulerTest, FillsWorkersInProportionToTheirSlots) {
  Scheduler scheduler({});
  scheduler.Step(Register(1, 6), kStart);
  scheduler.Step(Register(2, 3), kStart);
  std::vector<Command> commands = scheduler.Step(Submit(scheduler, 7), kStart);
  const auto plan =
      std::find_if(commands.begin(), commands.end(),
                   [](const Command& c) { return std::holds_alternative<RunTask>(c); });
  ASSERT_NE(plan, commands.end());
  std::map<uint64_t, int> tasks;
  for (const Command& command :
       scheduler.Step(Finish(std::get<RunTask>(*plan)), kStart)) {
    if (const auto* run = std::get_if<RunTask>(&command)) ++tasks[run->worker.value()];
  }
  EXPECT_EQ(tasks[1] + tasks[2], 7);
  EXPECT_GE(tasks[1], 4);
  EXPECT_GE(tasks[2], 2);
}

TEST(SchedulerTest, SpreadsTiesOverAllWorkers) {
  Scheduler scheduler({});
  for (int w = 1; w <= 10; ++w) scheduler.Step(Register(w, 4), kStart);
  std::map<WorkerId, int> plans;
  for (int job = 0; job < 200; ++job) {
    ++plans[RunAll(scheduler, Submit(scheduler, 0))[0].worker];
  }
  EXPECT_EQ(plans.size(), 10u);
}

TEST(SchedulerTest, JobsTakeTurns) {
  Scheduler scheduler({});
  const Event first = Submit(scheduler, 10);
  scheduler.Step(first, kStart);
  const Event second = Submit(scheduler, 10);
  scheduler.Step(second, kStart);
  const std::vector<RunTask> ran = RunAll(scheduler, Register(1, 2));
  // 10 maps and two plans each; at no time is one job more than two ahead.
  int ahead = 0;
  for (const RunTask& run : ran) {
    ahead += run.spec.id().job() == 1 ? 1 : -1;
    EXPECT_LE(std::abs(ahead), 2);
  }
  EXPECT_EQ(ran.size(), 24u);
}

TEST(SchedulerTest, ForgetsTheOldestJobs) {
  SchedulerOptions options;
  options.history = 3;
  Scheduler scheduler(options);
  scheduler.Step(Register(1, 1), kStart);
  for (int i = 0; i < 5; ++i) RunAll(scheduler, Submit(scheduler, 1));
  EXPECT_EQ(scheduler.Jobs(), (std::vector<JobId>{JobId(3), JobId(4), JobId(5)}));
  EXPECT_FALSE(scheduler.Status(JobId(1)).has_value());
}

Event Cancel(uint64_t job) {
  Event event;
  event.mutable_job_cancelled()->set_job(job);
  return event;
}

TEST(SchedulerTest, RemembersAnOldJobThatHasJustEnded) {
  SchedulerOptions options;
  options.history = 2;
  Scheduler scheduler(options);
  for (int i = 0; i < 4; ++i) scheduler.Step(Submit(scheduler, 1), kStart);
  for (uint64_t job : {2, 3, 4, 1}) scheduler.Step(Cancel(job), kStart);
  EXPECT_EQ(scheduler.Jobs(), (std::vector<JobId>{JobId(1), JobId(4)}));
}

TEST(SchedulerTest, ForgetsJobsWhoseAnswersAreLarge) {
  SchedulerOptions options;
  options.history_bytes = 1;
  Scheduler scheduler(options);
  for (int i = 0; i < 3; ++i) scheduler.Step(Submit(scheduler, 1), kStart);
  for (uint64_t job : {1, 2, 3}) scheduler.Step(Cancel(job), kStart);
  EXPECT_EQ(scheduler.Jobs(), (std::vector<JobId>{JobId(3)}));
}

TEST(SchedulerTest, SameEventsSameCommands) {
  auto trace = [] {
    Scheduler scheduler({});
    for (int w = 1; w <= 7; ++w) scheduler.Step(Register(w, 2), kStart);
    std::string out;
    for (const RunTask& run : RunAll(scheduler, Submit(scheduler, 100))) {
      out += run.spec.id().ShortDebugString() + run.worker.ToString() + "\n";
    }
    return out;
  };
  EXPECT_EQ(trace(), trace());
}

TEST(SchedulerTest, AMasterThatSleptLosesNobody) {
  Scheduler scheduler({});
  scheduler.Step(Register(1, 1), kStart);
  Event tick;
  tick.mutable_tick();
  scheduler.Step(tick, kStart + absl::Milliseconds(100));
  scheduler.Step(tick, kStart + absl::Minutes(1));
  EXPECT_EQ(scheduler.workers().all().size(), 1u);
  for (int i = 1; i <= 6; ++i) {
    scheduler.Step(tick, kStart + absl::Minutes(1) + i * absl::Milliseconds(500));
  }
  EXPECT_EQ(scheduler.workers().all().size(), 0u);
}

}  // namespace
}  // namespace skep
