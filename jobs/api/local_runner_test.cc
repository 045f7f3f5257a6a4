#include "jobs/api/local_runner.h"

#include "base/coding.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "jobs/api/partition.h"

namespace skep {
namespace {

// The job of job.h's comment.
void LineLength(Job& job) {
  job.Name("line_length").Summary("Counts lines by their length");
  job.MapLines([](std::string_view line, MapContext& out) {
    out.EmitCount(StrCat(line.size()), 1);
  });
  job.SumCounts();
}

Job Make(void (*declare)(Job&)) {
  Job job;
  declare(job);
  return job;
}

TEST(RunLocally, RunsTheJobOfTheDocumentation) {
  const auto result = RunLocally(
      Make(LineLength), {.files = {{"a", "one\ntwo\n\nthree"}, {"b", "six\n"}}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->parts, (std::vector<std::string>{"0\t1\n3\t3\n5\t1\n"}));
  EXPECT_EQ(result->stages, (std::vector<std::string>{"main"}));
}

TEST(RunLocally, OutputDoesNotDependOnHowInputIsCut) {
  LocalRun run{.files = {{"a", "one\ntwo\n\nthree"}, {"b", "six\n"}}};
  for (run.split_bytes = 1; run.split_bytes < 20; ++run.split_bytes) {
    for (run.block_bytes = 1; run.block_bytes < 20; ++run.block_bytes) {
      const auto result = RunLocally(Make(LineLength), run);
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->output(), "0\t1\n3\t3\n5\t1\n");
    }
  }
}

TEST(RunLocally, KeysGoToTheirPartitions) {
  const auto result =
      RunLocally(Make(LineLength),
                 {.files = {{"a", "1\n22\n333\n4444\n55555\n"}}, .partitions = 3});
  ASSERT_TRUE(result.ok());
  std::vector<std::string> expected(3);
  for (const char* key : {"1", "2", "3", "4", "5"}) {
    expected[HashPartition(key, 3)] += StrCat(key, "\t1\n");
  }
  EXPECT_EQ(result->parts, expected);
}

// Writes each key with its values, as they come.
void Values(Job& job) {
  job.Name("values");
  job.MapLines([](std::string_view line, MapContext& out) {
    out.Emit(line.substr(0, 1), line.substr(1));
    out.Count("lines", 1);
  });
  job.Reduce([](std::string_view key, skep::Values& values, ReduceContext& out) {
    std::string_view value;
    out.Write(StrCat(key, ":"));
    while (values.Next(&value)) out.Write(StrCat(" ", value));
    out.Write("\n");
    return absl::OkStatus();
  });
}

TEST(RunLocally, ValuesComeSortedAndCountersAddUp) {
  const auto result = RunLocally(
      Make(Values), {.files = {{"f", "b2\na9\nb1\nb2\na\xff\n"}}, .split_bytes = 4});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->output(), "a: 9 \xff\nb: 1 2 2\n");
  EXPECT_EQ(result->counters.at("lines"), 5);
  EXPECT_EQ(result->answer.json(), "{\"counters\":{\"lines\":5}}");
}

// Listed tasks, args, results and a second stage that depends on the first.
class AddArgs final : public Mapper {
 public:
  absl::Status Finish(MapContext& context) override {
    context.SetResult(StrCat(context.payload(), context.args(), context.task(), " "));
    return absl::OkStatus();
  }
};

void TwoStages(Job& job) {
  job.Name("two_stages").Input({.kind = InputFormat::Kind::kNone});
  job.AddStage("add", {.mapper = [] { return std::make_unique<AddArgs>(); }});
  job.Plan([](const PlanInput& input) -> absl::StatusOr<PlanResult> {
    if (input.finished.size() == 2) {
      std::string text;
      for (const std::string& result : input.finished[1].map_results()) text += result;
      return Done(text);
    }
    StageSpec stage;
    stage.set_name("add");
    if (input.finished.empty()) {
      stage.mutable_tasks()->add_payload("x");
      stage.mutable_tasks()->add_payload("y");
    } else {
      for (const std::string& result : input.finished[0].map_results()) {
        stage.mutable_tasks()->add_payload(result);
      }
    }
    stage.set_args(StrCat("-", input.finished.size(), "-"));
    return NextStage(stage);
  });
}

TEST(RunLocally, StagesSeeTheResultsOfThoseBefore) {
  const auto result = RunLocally(Make(TwoStages), {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->answer.text(), "x-0-0 -1-0 y-0-1 -1-1 ");
  EXPECT_EQ(result->stages, (std::vector<std::string>{"add", "add"}));
}

TEST(RunLocally, BreachesOfTheRulesAreNamed) {
  Job emits;
  emits.MapLines([](std::string_view line, MapContext& out) { out.Emit(line, ""); });
  EXPECT_EQ(RunLocally(emits, {.files = {{"f", "x\n"}}}).status().code(),
            absl::StatusCode::kInternal);
  Job writes;
  writes.MapLines([](std::string_view line, MapContext& out) { out.Write(line); });
  EXPECT_TRUE(RunLocally(writes, {.files = {{"f", "x\n"}}}).ok());
  writes.SumCounts();
  EXPECT_EQ(RunLocally(writes, {.files = {{"f", "x\n"}}}).status().code(),
            absl::StatusCode::kInternal);
}

TEST(CutLocalFiles, FixedRecordsStayWhole) {
  const InputFormat format{.kind = InputFormat::Kind::kFixed, .record_size = 8};
  const auto splits =
      CutLocalFiles({{"f", std::string(40, 'x')}, {"empty", ""}}, format, 10);
  ASSERT_TRUE(splits.ok());
  ASSERT_EQ(splits->size(), 3);
  EXPECT_EQ((*splits)[1].offset(), 16);
  EXPECT_EQ((*splits)[2].length(), 8);
  EXPECT_EQ(CutLocalFiles({{"f", "123"}}, format, 10).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(RunLocally, FixedRecordsComeWhole) {
  Job job;
  job.Name("records").Input({.kind = InputFormat::Kind::kFixed, .record_size = 3});
  job.MapBlocks([](const Block& block, MapContext& out) {
    EXPECT_EQ(block.bytes.size() % 3, 0);
    EXPECT_EQ(block.file_offset % 3, 0);
    out.Write(block.bytes);
  });
  const auto result = RunLocally(
      job, {.files = {{"f", "abcdefghijkl"}}, .split_bytes = 4, .block_bytes = 2});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->parts, (std::vector<std::string>{"abcdef", "ghijkl"}));
}

}  // namespace
}  // namespace skep
