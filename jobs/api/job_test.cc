#include "jobs/api/job.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

class NoOpMapper final : public Mapper {};

class NoOpReducer final : public Reducer {
 public:
  absl::Status Reduce(std::string_view, Values&, ReduceContext&) override {
    return absl::OkStatus();
  }
};

Job WithPlan(StageSpec spec) {
  Job job;
  job.Name("planned")
      .AddStage("maps", {.mapper = [] { return std::make_unique<NoOpMapper>(); }})
      .AddStage("reduces", {.mapper = [] { return std::make_unique<NoOpMapper>(); },
                            .reducer = [] { return std::make_unique<NoOpReducer>(); }})
      .Plan([spec](const PlanInput&) { return NextStage(spec); });
  return job;
}

absl::StatusOr<PlanResult> PlanOf(const Job& job, uint32_t partitions = 1,
                                  const std::vector<StageResult>& finished = {}) {
  const Options options(job.flags());
  const std::vector<InputSplit> splits;
  return job.MakePlan({options, splits, finished, partitions});
}

TEST(ForEachLine, GivesEachLineWithoutItsEnd) {
  std::vector<std::string> lines;
  const auto add = [&](std::string_view line) { lines.emplace_back(line); };
  ForEachLine("one\n\ntwo\nlast", add);
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "", "two", "last"}));
  lines.clear();
  ForEachLine("", add);
  EXPECT_TRUE(lines.empty());
  ForEachLine("\n", add);
  EXPECT_EQ(lines, (std::vector<std::string>{""}));
}

TEST(Job, TheSimpleFormIsOneStageOverTheInput) {
  Job job;
  job.MapLines([](std::string_view, MapContext&) {}).SumCounts();
  const absl::StatusOr<PlanResult> plan = PlanOf(job, 7);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->stage().name(), "main");
  EXPECT_TRUE(plan->stage().job_input());
  EXPECT_EQ(plan->stage().partitions(), 7);
  EXPECT_TRUE(plan->stage().writes_output());
  EXPECT_EQ(job.FindStage("main")->combine, Combine::kSum);
  EXPECT_EQ(job.FindStage("other"), nullptr);
}

TEST(Job, ChecksFlagsTogether) {
  Job job;
  job.AddFlag({.name = "a"}).AddFlag({.name = "b"}).Check([](const Options& options) {
    return options.GetString("a") == options.GetString("b")
               ? InvalidArgument("a and b are the same")
               : absl::OkStatus();
  });
  Options options(job.flags());
  EXPECT_EQ(Message(job.CheckOptions(options)), "a and b are the same");
  ASSERT_TRUE(options.Set("a", "x").ok());
  EXPECT_TRUE(job.CheckOptions(options).ok());
  job.Input([](const Options&) -> absl::StatusOr<InputFormat> {
    return InvalidArgument("no such format");
  });
  EXPECT_EQ(Message(job.CheckOptions(options)), "no such format");
}

TEST(Job, WithoutAReducerItIsMapOnly) {
  Job job;
  job.MapLines([](std::string_view, MapContext&) {}).Output(OutputShape::kFile);
  EXPECT_EQ(PlanOf(job, 7)->stage().partitions(), 0);
  EXPECT_TRUE(PlanOf(job)->stage().writes_output());
}

TEST(Job, WithoutOutputTheResultsAreTheText) {
  Job job;
  job.MapLines([](std::string_view, MapContext&) {}).Output(OutputShape::kNone);
  EXPECT_FALSE(PlanOf(job)->stage().writes_output());
  StageResult result;
  result.add_map_results("one\n");
  result.add_map_results("two\n");
  (*result.mutable_counters())["lines"] = 2;
  const absl::StatusOr<PlanResult> plan = PlanOf(job, 1, {result});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->answer().text(), "one\ntwo\n");
  EXPECT_EQ(plan->answer().json(), "{\"counters\":{\"lines\":2}}");
}

TEST(Job, AJobWithoutAMapperSaysSo) {
  Job job;
  job.Name("empty");
  EXPECT_EQ(PlanOf(job).status().code(), absl::StatusCode::kInternal);
}

TEST(Job, RefusesPlansThatNoEngineCouldRun) {
  StageSpec spec;
  spec.set_name("maps");
  spec.set_job_input(true);
  EXPECT_TRUE(PlanOf(WithPlan(spec)).ok());

  StageSpec unknown = spec;
  unknown.set_name("nowhere");
  EXPECT_FALSE(PlanOf(WithPlan(unknown)).ok());

  StageSpec no_reducer = spec;
  no_reducer.set_partitions(2);
  EXPECT_FALSE(PlanOf(WithPlan(no_reducer)).ok());

  StageSpec no_input;
  no_input.set_name("maps");
  EXPECT_FALSE(PlanOf(WithPlan(no_input)).ok());

  StageSpec bounds = spec;
  bounds.set_name("reduces");
  EXPECT_FALSE(PlanOf(WithPlan(bounds)).ok());  // a reducer without partitions
  bounds.set_partitions(3);
  EXPECT_TRUE(PlanOf(WithPlan(bounds)).ok());
  bounds.add_range_bounds("m");
  EXPECT_FALSE(PlanOf(WithPlan(bounds)).ok());  // one bound too few
  bounds.add_range_bounds("m");
  EXPECT_FALSE(PlanOf(WithPlan(bounds)).ok());  // not ascending
  bounds.set_range_bounds(1, "n");
  EXPECT_TRUE(PlanOf(WithPlan(bounds)).ok());
}

TEST(JobTable, FindsByName) {
  JobTable table;
  table.Add("line_length", [](Job& job) { job.Summary("unnamed"); });
  table.Add("word_count", [](Job& job) { job.Name("wordcount"); });
  EXPECT_EQ(table.Find("line_length")->summary(), "unnamed");
  EXPECT_EQ(table.Find("line_length")->name(), "line_length");
  EXPECT_EQ(table.Find("wordcount")->name(), "wordcount");
  EXPECT_EQ(table.Find("word_count"), nullptr);
}

}  // namespace
}  // namespace skep
