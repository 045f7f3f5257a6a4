#include "worker/task_runner.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "jobs/api/local_runner.h"
#include "storage/faulty_file_system.h"
#include "storage/input_file.h"
#include "storage/memory_file_system.h"
#include "storage/split_planner.h"
#include "worker/attempt.h"
#include "worker/task_testing.h"

namespace skep {
namespace {

void EmitWords(std::string_view line, MapContext& out) {
  for (size_t begin = 0; begin < line.size();) {
    const size_t end = std::min(line.find(' ', begin), line.size());
    if (end > begin) out.EmitCount(line.substr(begin, end - begin), 1);
    begin = end + 1;
  }
}

// Combines.
void Words(Job& job) { job.Name("words").MapLines(EmitWords).SumCounts(); }

// Does not combine: each key with its values, in the order in which they come.
void Index(Job& job) {
  job.Name("index");
  job.MapLines([](std::string_view line, MapContext& out) {
    out.Count("lines", 1);
    const size_t space = line.find(' ');
    out.Emit(line.substr(0, space), line);
  });
  job.Reduce([](std::string_view key, Values& values, ReduceContext& out) {
    std::string all(key);
    for (std::string_view value; values.Next(&value);) StrAppend(&all, "|", value);
    out.Write(all + "\n");
    return absl::OkStatus();
  });
}

// Writes from the mappers.
void Upper(Job& job) {
  job.Name("upper");
  job.MapLines([](std::string_view line, MapContext& out) {
    std::string upper(line);
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    out.Write(upper + "\n");
  });
}

class SquareMapper final : public Mapper {
 public:
  absl::Status Finish(MapContext& context) override {
    const int n = std::stoi(std::string(context.payload()));
    context.EmitCount("squares", n * n);
    context.SetResult(StrCat(n * n));
    return absl::OkStatus();
  }
};

class ArgsReducer final : public Reducer {
 public:
  absl::Status Reduce(std::string_view key, Values& values,
                      ReduceContext& context) override {
    SKEP_ASSIGN_OR_RETURN(const uint64_t sum, SumCounts(values));
    context.SetResult(StrCat(context.args(), "=", sum));
    return absl::OkStatus();
  }
};

// Two stages of listed tasks; the second's arguments come from the first's results.
void Squares(Job& job) {
  job.Name("squares").Output(OutputShape::kNone);
  job.AddStage("square", {.mapper = [] { return std::make_unique<SquareMapper>(); },
                          .reducer = [] { return std::make_unique<ArgsReducer>(); },
                          .combine = Combine::kSum});
  job.Plan([](const PlanInput& input) -> absl::StatusOr<PlanResult> {
    if (input.finished.size() == 2) {
      std::string text;
      for (const std::string& result : input.finished[1].reduce_results()) {
        text += result;
      }
      return Done(text);
    }
    StageSpec stage;
    stage.set_name("square");
    stage.set_partitions(2);
    std::string args = "first";
    if (!input.finished.empty()) {
      args.clear();
      for (const std::string& r : input.finished[0].map_results()) args += r + ",";
    }
    stage.set_args(args);
    for (int i = 1; i <= 4; ++i) stage.mutable_tasks()->add_payload(StrCat(i));
    return NextStage(stage);
  });
}

JobTable AllJobs() {
  JobTable table;
  for (void (*declare)(Job&) : {Words, Index, Upper, Squares}) {
    Job job;
    declare(job);
    table.jobs.emplace(job.name(), job);
  }
  return table;
}

std::string SomeText(int lines) {
  Random random(11);
  std::string text;
  for (int i = 0; i < lines; ++i) {
    for (int words = 1 + random.Below(8); words > 0; --words) {
      // Few frequent words and many rare ones.
      const uint64_t word = random.Below(1 + random.Below(3000));
      StrAppend(&text, "w", word, words > 1 ? " " : "\n");
    }
  }
  return text;
}

class TaskRunnerTest : public testing::Test {
 protected:
  TaskRunnerTest() {
    EXPECT_TRUE(memory_.MakeDirectory("/scratch").ok());
    EXPECT_TRUE(memory_.MakeDirectory("/in").ok());
  }

  JobSpec Spec(const std::string& name, const std::string& text, uint64_t split_bytes) {
    return SpecOn(memory_, name, text, split_bytes);
  }

  JobSpec SpecOn(FileSystem& fs, const std::string& name, const std::string& text,
                 uint64_t split_bytes) {
    JobSpec spec;
    spec.set_name(name);
    spec.mutable_output()->set_directory("/out");
    spec.mutable_output()->set_token("token");
    spec.set_partitions(3);
    EXPECT_TRUE(fs.MakeDirectory("/in").ok());
    EXPECT_TRUE(fs.MakeDirectory("/out/_temporary").ok());
    EXPECT_TRUE(WriteFileAtomically(fs, "/out/_temporary/token", "token").ok());
    EXPECT_TRUE(WriteFileAtomically(fs, "/in/text", text).ok());
    const auto file = DescribeInputFile(fs, "/in/text", "text");
    EXPECT_TRUE(file.ok()) << file.status();
    const auto splits = PlanSplits({*file}, {}, split_bytes);
    EXPECT_TRUE(splits.ok()) << splits.status();
    for (const InputSplit& split : *splits) *spec.add_splits() = split;
    return spec;
  }

  void ExpectEqualToLocalRunner(const JobSpec& spec, const std::string& text) {
    const auto got = RunJob(spec, worker_);
    ASSERT_TRUE(got.ok()) << got.status();
    LocalRun run;
    run.files = {{"/in/text", text}};
    run.splits.assign(spec.splits().begin(), spec.splits().end());
    run.partitions = spec.partitions();
    const auto want = RunLocally(*jobs_.Find(spec.name()), run);
    ASSERT_TRUE(want.ok()) << want.status();
    EXPECT_EQ(got->answer.text(), want->answer.text());
    EXPECT_EQ(got->parts, want->parts);
    EXPECT_EQ(got->counters, want->counters);
    EXPECT_EQ(got->warnings, want->warnings);
  }

  // A map task over all of `text`.
  TaskSpec MapSpec(const std::string& job, const std::string& text) {
    const JobSpec whole = Spec(job, text, 1 << 20);
    TaskSpec spec;
    spec.mutable_id()->set_job(1);
    spec.mutable_id()->set_attempt(1);
    spec.mutable_id()->set_epoch(1);
    spec.mutable_job()->set_name(job);
    *spec.mutable_job()->mutable_output() = whole.output();
    spec.mutable_stage()->set_name("main");
    spec.mutable_stage()->set_job_input(true);
    spec.mutable_stage()->set_partitions(job == "upper" ? 0 : 2);
    spec.mutable_stage()->set_writes_output(true);
    *spec.mutable_split() = whole.splits(0);
    return spec;
  }

  // The reduce task of partition 0 over that map task.
  static TaskSpec ReduceSpec(const TaskSpec& map) {
    TaskSpec spec = map;
    spec.clear_split();
    spec.mutable_id()->set_kind(TASK_REDUCE);
    MapOutput& output = *spec.add_map_outputs();
    output.set_task(map.id().task());
    output.set_attempt(map.id().attempt());
    output.set_epoch(map.id().epoch());
    output.set_address("here");
    return spec;
  }

  std::vector<std::string> FilesLeft(const std::string& directory) {
    std::vector<std::string> names;
    const auto entries = memory_.List(directory);
    if (!entries.ok()) return names;
    for (const DirectoryEntry& entry : *entries) names.push_back(entry.name);
    return names;
  }

  const JobTable jobs_ = AllJobs();
  MemoryFileSystem memory_;
  FaultyFileSystem fs_{memory_};
  FakeWorker worker_{fs_, jobs_};
};

TEST_F(TaskRunnerTest, EqualsTheLocalRunner) {
  const std::string text = SomeText(3000);
  for (const char* job : {"words", "index", "upper"}) {
    SCOPED_TRACE(job);
    ExpectEqualToLocalRunner(Spec(job, text, 20'000), text);
  }
}

TEST_F(TaskRunnerTest, EqualsTheLocalRunnerWithLittleMemory) {
  const std::string text = SomeText(3000);
  for (const char* job : {"words", "index"}) {
    SCOPED_TRACE(job);
    JobSpec spec = Spec(job, text, 40'000);
    spec.set_task_memory_bytes(30'000);
    ExpectEqualToLocalRunner(spec, text);
  }
}

TEST_F(TaskRunnerTest, EqualsTheLocalRunnerOnStagesOfListedTasks) {
  ExpectEqualToLocalRunner(Spec("squares", "", 100), "");
}

TEST_F(TaskRunnerTest, LeavesNothingBehindButMapOutputsAndParts) {
  ASSERT_TRUE(RunJob(Spec("words", SomeText(100), 1000), worker_).ok());
  for (const std::string& name : FilesLeft("/scratch/job-1")) {
    EXPECT_NE(name.find(".shuffle"), std::string::npos) << name;
  }
  EXPECT_EQ(FilesLeft("/out"), (std::vector<std::string>{"_SUCCESS", "part-00000",
                                                         "part-00001", "part-00002"}));
}

TEST_F(TaskRunnerTest, ReadsAndWritesAtTheSubmitterWhatIsNotHere) {
  MemoryFileSystem submitter;
  worker_.submitter.files = &submitter;
  const std::string text = SomeText(200);
  JobSpec spec = SpecOn(submitter, "words", text, 1000);
  spec.set_submitter_address("there");
  const auto got = RunJob(spec, worker_);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(got->warnings.empty());

  // Another file of that name is said so, and not read.
  ASSERT_TRUE(WriteFileAtomically(memory_, "/in/text", "something else\n").ok());
  spec = SpecOn(submitter, "words", text, 1 << 20);
  spec.set_submitter_address("there");
  const auto again = RunJob(spec, worker_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->parts, got->parts);
  ASSERT_EQ(again->warnings.size(), 1);
  EXPECT_EQ(again->warnings[0],
            "host testhost: /in/text is another file (size or digest differ)");
}

TEST_F(TaskRunnerTest, SaysWhichHostLacksAFileOfADetachedJob) {
  TaskSpec spec = MapSpec("words", "a b\n");
  ASSERT_TRUE(memory_.RemoveFile("/in/text").ok());
  spec.mutable_job()->set_submitter_host("laptop");
  const absl::Status status = StatusOf(worker_.Run(spec));
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_NE(Message(status).find("testhost"), std::string::npos) << status;
  EXPECT_NE(Message(status).find("/in/text"), std::string::npos) << status;
}

TEST_F(TaskRunnerTest, AMissingMapOutputIsLost) {
  TaskSpec spec = ReduceSpec(MapSpec("words", "a b\n"));
  const TaskResult result = worker_.Run(spec);
  EXPECT_TRUE(absl::IsDataLoss(StatusOf(result))) << StatusOf(result);
  ASSERT_EQ(result.lost_inputs_size(), 1);
  EXPECT_EQ(result.lost_inputs(0).SerializeAsString(),
            spec.map_outputs(0).SerializeAsString());
}

TEST_F(TaskRunnerTest, ADamagedMapOutputIsLost) {
  const TaskSpec map = MapSpec("words", "a b c d e f g\n");
  ASSERT_TRUE(StatusOf(worker_.Run(map)).ok());
  worker_.shuffle.after = [](const FetchRequest&, std::string* bytes) {
    if (!bytes->empty()) (*bytes)[bytes->size() / 2] ^= 1;
  };
  const TaskResult result = worker_.Run(ReduceSpec(map));
  EXPECT_TRUE(absl::IsDataLoss(StatusOf(result))) << StatusOf(result);
  EXPECT_EQ(result.lost_inputs_size(), 1);
  EXPECT_EQ(FilesLeft("/out/_temporary/attempts"), std::vector<std::string>());
}

TEST_F(TaskRunnerTest, ATruncatedMapOutputIsLost) {
  const TaskSpec map = MapSpec("words", "a b c d e f g\n");
  ASSERT_TRUE(StatusOf(worker_.Run(map)).ok());
  fs_.EndReadsAt(".shuffle", 5);
  // The index says more than the data file has; it is read through the same faults.
  const TaskResult result = worker_.Run(ReduceSpec(map));
  EXPECT_TRUE(absl::IsDataLoss(StatusOf(result))) << StatusOf(result);
  EXPECT_EQ(result.lost_inputs_size(), 1);
}

TEST_F(TaskRunnerTest, AWorkerThatCannotBeReachedHasLostAllItsOutputs) {
  const TaskSpec map = MapSpec("words", "a b\n");
  ASSERT_TRUE(StatusOf(worker_.Run(map)).ok());
  TaskSpec spec = ReduceSpec(map);
  MapOutput& other = *spec.add_map_outputs();
  other = spec.map_outputs(0);
  other.set_task(1);
  worker_.shuffle.before = [](const FetchRequest&) { return Unavailable("gone"); };
  const TaskResult result = worker_.Run(spec);
  EXPECT_TRUE(absl::IsDataLoss(StatusOf(result))) << StatusOf(result);
  EXPECT_EQ(result.lost_inputs_size(), 2);
  EXPECT_GT(worker_.shuffle.fetches, 2) << "it was tried again";
}

TEST_F(TaskRunnerTest, FetchesGoOnAfterAShortOutage) {
  const std::string text = SomeText(500);
  worker_.environment.fetch.piece_bytes = 100;
  worker_.environment.fetch.unreachable_after = absl::Seconds(10);
  int calls = 0;
  worker_.shuffle.before = [&](const FetchRequest&) {
    return ++calls % 3 == 0 ? Unavailable("for a moment") : absl::OkStatus();
  };
  ExpectEqualToLocalRunner(Spec("index", text, 5000), text);
  EXPECT_GT(calls, 100);
}

TEST_F(TaskRunnerTest, OnlyTheFirstAttemptCommits) {
  TaskSpec spec = MapSpec("upper", "a b\n");
  ASSERT_TRUE(StatusOf(worker_.Run(spec)).ok());
  spec.mutable_id()->set_attempt(2);
  const absl::Status second = StatusOf(worker_.Run(spec));
  EXPECT_TRUE(absl::IsAborted(second)) << second;
  EXPECT_EQ(FilesLeft("/out/_temporary/attempts"),
            std::vector<std::string>{"part-00000.1.e1"});
}

// Granted its commit, the first stood still until its lease was over; then the second
// was granted, and then the first goes on.
TEST_F(TaskRunnerTest, AnAttemptThatWasLostAfterItsGrantChangesNoOutput) {
  TaskSpec spec = MapSpec("upper", "of the second\n");
  spec.mutable_id()->set_epoch(2);
  const TaskResult second = worker_.Run(spec);
  ASSERT_TRUE(StatusOf(second).ok()) << StatusOf(second);
  const TaskSpec first = MapSpec("upper", "of the first\n");
  ASSERT_TRUE(StatusOf(worker_.Run(first)).ok()) << "granted, as it once was";
  TaskSpec publish;
  publish.mutable_id()->set_kind(TASK_PUBLISH);
  *publish.mutable_job() = first.job();
  *publish.mutable_parts() = second.output();
  EXPECT_TRUE(StatusOf(worker_.Run(publish)).ok());
  EXPECT_EQ(*ReadFile(memory_, "/out/part-00000"), "OF THE SECOND\n");
  EXPECT_FALSE(memory_.Stat("/out/_temporary").ok()) << "of the first nothing is left";
}

TEST_F(TaskRunnerTest, PublishingTwiceIsPublishingOnce) {
  const JobSpec job = Spec("words", "a b\n", 1000);
  ASSERT_TRUE(RunJob(job, worker_).ok());
  TaskSpec publish;
  publish.mutable_id()->set_kind(TASK_PUBLISH);
  publish.mutable_id()->set_attempt(2);
  publish.mutable_job()->set_name("words");
  *publish.mutable_job()->mutable_output() = job.output();
  publish.set_receipt("receipt");
  publish.add_parts()->set_name("part-00000");
  EXPECT_TRUE(StatusOf(worker_.Run(publish)).ok());
  publish.set_receipt("of another job");
  EXPECT_FALSE(StatusOf(worker_.Run(publish)).ok());
}

TEST_F(TaskRunnerTest, PublishingGoesOnWhereItStopped) {
  const JobSpec job = Spec("words", SomeText(50), 1000);
  fs_.Fail(FaultyFileSystem::kRename, "/out/part-00002", Unavailable("injected"), 0, 1);
  ASSERT_FALSE(RunJob(job, worker_).ok());
  EXPECT_FALSE(memory_.Stat("/out/_SUCCESS").ok());
  TaskSpec publish;
  publish.mutable_id()->set_kind(TASK_PUBLISH);
  publish.mutable_job()->set_name("words");
  *publish.mutable_job()->mutable_output() = job.output();
  publish.set_receipt("receipt");
  for (int i = 0; i < 3; ++i) {
    OutputFile& part = *publish.add_parts();
    part.set_name(PartName(i));
    part.set_attempt(1);
    part.set_epoch(1);
  }
  const absl::Status status = StatusOf(worker_.Run(publish));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(FilesLeft("/out"), (std::vector<std::string>{"_SUCCESS", "part-00000",
                                                         "part-00001", "part-00002"}));
}

TEST_F(TaskRunnerTest, AFullDiskIsNamed) {
  TaskSpec map = MapSpec("index", SomeText(1000));
  map.mutable_job()->set_task_memory_bytes(10'000);
  fs_.SetFreeBytes(5000);
  absl::Status status = StatusOf(worker_.Run(map));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(Message(status).find("/scratch/job-1/"), std::string::npos) << status;
  // Nothing of the attempt stays to fill it further.
  fs_.Heal();
  for (const std::string& name : FilesLeft("/scratch/job-1")) {
    EXPECT_EQ(name.find(".tmp"), std::string::npos) << name;
  }

  const TaskSpec upper = MapSpec("upper", SomeText(1000));
  fs_.SetFreeBytes(100);
  status = StatusOf(worker_.Run(upper));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(Message(status).find("/out/_temporary/attempts/part-00000"),
            std::string::npos)
      << status;
}

TEST_F(TaskRunnerTest, ACancelledAttemptEnds) {
  std::stop_source stop;
  stop.request_stop();
  const TaskSpec spec = MapSpec("words", SomeText(10));
  const TaskResult result =
      RunTask(spec, worker_.environment, {stop.get_token(), nullptr});
  EXPECT_TRUE(absl::IsCancelled(StatusOf(result))) << StatusOf(result);
}

// --- User code that misbehaves ----------------------------------------------------

class UserFaultTest : public testing::Test {
 protected:
  // The status of a listed task whose Finish is `finish`, in a stage without reducers.
  absl::Status Run(std::function<absl::Status(MapContext&)> finish,
                   uint32_t partitions = 0) {
    class Calls final : public Mapper {
     public:
      explicit Calls(std::function<absl::Status(MapContext&)> finish)
          : finish_(std::move(finish)) {}
      absl::Status Finish(MapContext& context) override { return finish_(context); }

     private:
      std::function<absl::Status(MapContext&)> finish_;
    };
    Job job;
    job.Name("job").AddStage(
        "stage", {.mapper = [finish] { return std::make_unique<Calls>(finish); },
                  .combine = Combine::kSum});
    JobTable jobs;
    jobs.jobs.emplace("job", job);
    MemoryFileSystem fs;
    EXPECT_TRUE(fs.MakeDirectory("/scratch").ok());
    FakeWorker worker(fs, jobs);
    TaskSpec spec;
    spec.mutable_job()->set_name("job");
    spec.mutable_stage()->set_name("stage");
    spec.mutable_stage()->mutable_tasks();
    spec.mutable_stage()->set_partitions(partitions);
    return StatusOf(worker.Run(spec));
  }
};

TEST_F(UserFaultTest, Exceptions) {
  absl::Status status =
      Run([](MapContext&) -> absl::Status { throw std::runtime_error("oh no"); });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(Message(status), "the job threw: oh no");
  status = Run([](MapContext&) -> absl::Status { throw 3; });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown);
  status = Run([](MapContext&) -> absl::Status { throw std::bad_alloc(); });
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

TEST_F(UserFaultTest, StatusesCannotPassForTheMachines) {
  EXPECT_TRUE(absl::IsUnknown(Run([](MapContext&) { return Unavailable("me"); })));
  EXPECT_TRUE(absl::IsUnknown(Run([](MapContext&) { return DataLoss("me"); })));
  EXPECT_TRUE(absl::IsUnknown(Run([](MapContext&) { return Cancelled("me"); })));
  EXPECT_TRUE(
      absl::IsInvalidArgument(Run([](MapContext&) { return InvalidArgument("bad"); })));
}

TEST_F(UserFaultTest, WhatTheStageIsNotMadeFor) {
  EXPECT_TRUE(absl::IsFailedPrecondition(Run([](MapContext& out) {
    out.Emit("k", "v");
    return absl::OkStatus();
  })));
  EXPECT_TRUE(absl::IsFailedPrecondition(Run([](MapContext& out) {
    out.Write("text");
    return absl::OkStatus();
  })));
  EXPECT_TRUE(absl::IsInvalidArgument(Run(
      [](MapContext& out) {
        out.Emit("k", "no varint");
        return absl::OkStatus();
      },
      1)));
  EXPECT_TRUE(absl::IsInvalidArgument(Run([](MapContext& out) {
    out.SetResult(std::string(kMaxResultBytes + 1, 'x'));
    return absl::OkStatus();
  })));
  // A report that no message can carry.
  EXPECT_TRUE(absl::IsInvalidArgument(Run([](MapContext& out) {
    out.Count(std::string(kMaxTaskResultBytes, 'x'), 1);
    return absl::OkStatus();
  })));
}

}  // namespace
}  // namespace skep
