// What scenarios do not show: size, fairness of the choice, replays.

#include "master/scheduler.h"

#include <map>
#include <utility>
#include <vector>

#include "base/strings.h"
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

TEST(SchedulerTest, CountsCpuSecondsWhileAJobRuns) {
  Scheduler scheduler({});
  scheduler.Step(Register(1, 1), kStart);
  const auto step = [&](Event event) {
    for (Command& command : scheduler.Step(std::move(event), kStart)) {
      if (auto* run = std::get_if<RunTask>(&command)) return *std::move(run);
    }
    return RunTask();
  };
  const RunTask plan = step(Submit(scheduler, 3));
  RunTask map = step(Finish(plan));
  for (int done = 0; done < 3; ++done) {
    EXPECT_EQ(scheduler.Status(JobId(1))->cpu_seconds(), 2.5 * done);
    Event finished = Finish(map);
    finished.mutable_attempt_finished()->mutable_result()->set_cpu_seconds(2.5);
    map = step(std::move(finished));
  }
  // Not twice once the stage is over.
  EXPECT_EQ(scheduler.Status(JobId(1))->cpu_seconds(), 7.5);
}

TEST(SchedulerTest, EndsAJobWhosePlannerCannotBeGivenItsResults) {
  for (const size_t bytes : {1 << 20, 32 << 20}) {
    Scheduler scheduler({});
    scheduler.Step(Register(1, 2), kStart);
    std::vector<Event> events = {Submit(scheduler, 2)};
    int plans = 0;
    for (size_t i = 0; i < events.size(); ++i) {
      for (const Command& command : scheduler.Step(std::move(events[i]), kStart)) {
        const auto* run = std::get_if<RunTask>(&command);
        if (run == nullptr) continue;
        events.push_back(Finish(*run));
        if (run->spec.id().kind() == TASK_PLAN) {
          ++plans;
        } else {
          events.back().mutable_attempt_finished()->mutable_result()->set_result(
              std::string(bytes, 'x'));
        }
      }
    }
    const JobStatus status = *scheduler.Status(JobId(1));
    const bool fits = bytes == 1 << 20;
    EXPECT_EQ(status.state(), fits ? JOB_SUCCEEDED : JOB_FAILED);
    EXPECT_EQ(plans, fits ? 2 : 1);
    EXPECT_EQ(status.stages_size(), 1);
    EXPECT_EQ(status.error_message().find("67108") != std::string::npos, !fits)
        << status.error_message();
    EXPECT_EQ(status.error_message().find("--split-size") != std::string::npos, !fits);
  }
}

// A job of ten tasks, six of which end before it is cancelled; then it is submitted
// again with what those came to.
TEST(SchedulerTest, GoesOnFromFinishedTasks) {
  Scheduler scheduler({});
  scheduler.Step(Register(1, 1), kStart);
  Event first = Submit(scheduler, 10);
  first.mutable_job_submitted()->mutable_spec()->set_keep_outcomes(true);
  const JobSpec spec = first.job_submitted().spec();
  int ended = 0;
  std::vector<Command> commands = scheduler.Step(std::move(first), kStart);
  while (ended < 6) {
    const auto run =
        std::find_if(commands.begin(), commands.end(), [](const Command& command) {
          return std::holds_alternative<RunTask>(command);
        });
    ASSERT_NE(run, commands.end());
    Event finish = Finish(std::get<RunTask>(*run));
    const AttemptId id = std::get<RunTask>(*run).spec.id();
    if (id.kind() == TASK_MAP) {
      TaskResult& result = *finish.mutable_attempt_finished()->mutable_result();
      result.set_result(StrCat("of ", id.task()));
      (*result.mutable_counters())["seen"] = 1;
      result.set_cpu_seconds(2);
      ++ended;
    }
    commands = scheduler.Step(std::move(finish), kStart);
  }
  const std::vector<FinishedTask> all = scheduler.Outcomes(JobId(1), 0, 1 << 20);
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(all[5].result().result(), StrCat("of ", all[5].task()));
  EXPECT_EQ(all[5].stage_name(), "");
  // In pieces, each of one at least.
  EXPECT_EQ(scheduler.Outcomes(JobId(1), 0, 1).size(), 1u);
  EXPECT_EQ(scheduler.Outcomes(JobId(1), 4, 1 << 20).size(), 2u);
  EXPECT_TRUE(scheduler.Outcomes(JobId(1), 6, 1 << 20).empty());
  EXPECT_TRUE(scheduler.Outcomes(JobId(2), 0, 1 << 20).empty());
  Event cancel;
  cancel.mutable_job_cancelled()->set_job(1);
  scheduler.Step(std::move(cancel), kStart);

  const auto again = [&](const std::vector<FinishedTask>& finished,
                         const JobSpec& spec) {
    Scheduler other({});
    other.Step(Register(1, 2), kStart);
    Event event = Submit(other, 0);
    *event.mutable_job_submitted()->mutable_spec() = spec;
    event.mutable_job_submitted()->mutable_spec()->mutable_finished()->Assign(
        finished.begin(), finished.end());
    const std::vector<RunTask> ran = RunAll(other, std::move(event));
    const JobStatus status = *other.Status(JobId(1));
    EXPECT_EQ(status.state(), JOB_SUCCEEDED);
    EXPECT_EQ(status.stages(0).maps().done(), 10u);
    EXPECT_EQ(status.counters().contains("seen") ? status.counters().at("seen") : 0,
              12 - ran.size());
    EXPECT_EQ(status.cpu_seconds(), 2 * (12.0 - static_cast<double>(ran.size())));
    std::string results;
    for (const RunTask& run : ran) {
      if (run.spec.finished_size() == 0) continue;
      for (const std::string& result : run.spec.finished(0).map_results()) {
        StrAppend(&results, result, ",");
      }
    }
    return std::pair(ran.size(), results);
  };
  // Four maps and two plans.
  EXPECT_EQ(again(all, spec),
            std::pair(size_t{6}, std::string("of 0,of 1,of 2,of 3,of 4,of 5,"
                                             ",,,,")));
  // Tasks of another cut, of other stages, twice, or beyond the last are not believed.
  std::vector<FinishedTask> wrong = all;
  wrong[0].set_stage_digest(wrong[0].stage_digest() + 1);
  wrong[1].set_stage(1);
  wrong[2].set_task(10);
  wrong[3] = wrong[4];
  EXPECT_EQ(again(wrong, spec).first, size_t{10});
  // Nor is any of a job with other options: ten maps and two plans.
  JobSpec other = spec;
  (*other.mutable_options())["n"] = "9";
  EXPECT_EQ(again(all, other).first, size_t{12});
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
