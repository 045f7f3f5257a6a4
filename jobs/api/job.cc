#include "jobs/api/job.h"

#include <algorithm>
#include <string_view>

#include "base/status.h"
#include "glog/logging.h"
#include "jobs/api/json_text.h"

namespace skep {
namespace {

constexpr char kMainStage[] = "main";

using MapLine = std::function<void(std::string_view, MapContext&)>;
using MapBlock = std::function<void(const Block&, MapContext&)>;
using ReduceKey =
    std::function<absl::Status(std::string_view, Values&, ReduceContext&)>;

class BlockMapper final : public Mapper {
 public:
  explicit BlockMapper(MapBlock map) : map_(std::move(map)) {}
  absl::Status Map(const Block& block, MapContext& context) override {
    map_(block, context);
    return absl::OkStatus();
  }

 private:
  MapBlock map_;
};

class FunctionReducer final : public Reducer {
 public:
  explicit FunctionReducer(ReduceKey reduce) : reduce_(std::move(reduce)) {}
  absl::Status Reduce(std::string_view key, Values& values,
                      ReduceContext& context) override {
    return reduce_(key, values, context);
  }

 private:
  ReduceKey reduce_;
};

absl::Status WriteSum(std::string_view key, Values& values, ReduceContext& out) {
  SKEP_ASSIGN_OR_RETURN(const uint64_t sum, SumCounts(values));
  out.Write(StrCat(key, "\t", sum, "\n"));
  return absl::OkStatus();
}

// What an engine relies on, whatever the planner.
absl::Status CheckStage(const Job& job, const StageSpec& spec) {
  const Stage* stage = job.FindStage(spec.name());
  if (stage == nullptr) {
    return Internal("job ", job.name(), " plans a stage \"", spec.name(),
                    "\" that it does not have; add it with AddStage");
  }
  if ((stage->reducer != nullptr) != (spec.partitions() > 0)) {
    return Internal("job ", job.name(), " plans stage \"", spec.name(), "\" with ",
                    spec.partitions(), " partitions, but the stage has ",
                    stage->reducer ? "a" : "no", " reducer");
  }
  if (spec.input_case() == StageSpec::INPUT_NOT_SET) {
    return Internal("job ", job.name(), " plans stage \"", spec.name(),
                    "\" without input; set job_input or tasks");
  }
  const auto& bounds = spec.range_bounds();
  if (bounds.empty()) return absl::OkStatus();
  if (bounds.size() + 1 != static_cast<int>(spec.partitions()) ||
      std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) !=
          bounds.end()) {
    return Internal("job ", job.name(), " plans stage \"", spec.name(), "\" with ",
                    bounds.size(), " range bounds for ", spec.partitions(),
                    " partitions; one less, ascending, is wanted");
  }
  return absl::OkStatus();
}

}  // namespace

Job& Job::Name(std::string name) {
  name_ = std::move(name);
  return *this;
}

Job& Job::Summary(std::string one_line) {
  summary_ = std::move(one_line);
  return *this;
}

Job& Job::Example(std::string example) {
  example_ = std::move(example);
  return *this;
}

Job& Job::AddFlag(Flag flag) {
  flags_.push_back(std::move(flag));
  return *this;
}

Job& Job::Check(std::function<absl::Status(const Options&)> check) {
  checks_.push_back(std::move(check));
  return *this;
}

absl::Status Job::CheckOptions(const Options& options) const {
  SKEP_RETURN_IF_ERROR(options.CheckNeeds());
  for (const auto& check : checks_) SKEP_RETURN_IF_ERROR(check(options));
  return input(options).status();
}

Job& Job::Announce(std::function<std::string(const Options&)> announce) {
  announce_ = std::move(announce);
  return *this;
}

std::string Job::announcement(const Options& options) const {
  return announce_ == nullptr ? "" : announce_(options);
}

Job& Job::Partial(
    std::function<std::string(std::string_view, const std::vector<std::string>&)>
        partial) {
  partial_ = std::move(partial);
  return *this;
}

std::string Job::partial(std::string_view stage,
                         const std::vector<std::string>& results) const {
  return partial_ == nullptr ? "" : partial_(stage, results);
}

Job& Job::Input(std::function<absl::StatusOr<InputFormat>(const Options&)> format) {
  input_ = std::move(format);
  return *this;
}

Job& Job::Input(InputFormat format) {
  return Input([format](const Options&) { return format; });
}

Job& Job::Output(std::function<OutputShape(const Options&)> shape) {
  output_ = std::move(shape);
  return *this;
}

Job& Job::Output(OutputShape shape) {
  return Output([shape](const Options&) { return shape; });
}

Job& Job::MapLines(MapLine map) {
  return MapBlocks([map = std::move(map)](const Block& block, MapContext& out) {
    ForEachLine(block.bytes, [&](std::string_view line) { map(line, out); });
  });
}

Job& Job::MapBlocks(MapBlock map) {
  stages_[kMainStage].mapper = [map = std::move(map)] {
    return std::make_unique<BlockMapper>(map);
  };
  return *this;
}

Job& Job::SumCounts() {
  Reduce(WriteSum);
  stages_[kMainStage].combine = Combine::kSum;
  return *this;
}

Job& Job::Reduce(ReduceKey reduce) {
  stages_[kMainStage].reducer = [reduce = std::move(reduce)] {
    return std::make_unique<FunctionReducer>(reduce);
  };
  return *this;
}

Job& Job::AddStage(std::string name, Stage stage) {
  CHECK(stage.mapper != nullptr) << "stage " << name << " has no mapper";
  stages_[std::move(name)] = std::move(stage);
  return *this;
}

Job& Job::Plan(Planner planner) {
  planner_ = std::move(planner);
  return *this;
}

absl::StatusOr<InputFormat> Job::input(const Options& options) const {
  if (input_ == nullptr) return InputFormat{};
  return input_(options);
}

OutputShape Job::output(const Options& options) const {
  return output_ == nullptr ? OutputShape::kDirectory : output_(options);
}

bool Job::has_results_only_stage() const {
  return std::any_of(stages_.begin(), stages_.end(),
                     [](const auto& stage) { return stage.second.reducer == nullptr; });
}

const Stage* Job::FindStage(std::string_view name) const {
  const auto it = stages_.find(name);
  return it == stages_.end() ? nullptr : &it->second;
}

absl::StatusOr<PlanResult> Job::MakePlan(const PlanInput& input) const {
  if (planner_ != nullptr) {
    SKEP_ASSIGN_OR_RETURN(PlanResult plan, planner_(input));
    if (plan.has_stage()) SKEP_RETURN_IF_ERROR(CheckStage(*this, plan.stage()));
    return plan;
  }
  if (!input.finished.empty()) {
    const StageResult& result = input.finished.back();
    std::string text;
    for (const std::string& part : result.map_results()) text += part;
    for (const std::string& part : result.reduce_results()) text += part;
    return Done(
        std::move(text),
        StrCat("{\"counters\":",
               JsonCounts({result.counters().begin(), result.counters().end()}), "}"));
  }
  const Stage* main = FindStage(kMainStage);
  if (main == nullptr || main->mapper == nullptr) {
    return Internal("job ", name_,
                    " has no mapper; give it MapLines, MapBlocks or Plan");
  }
  StageSpec stage;
  stage.set_name(kMainStage);
  stage.set_job_input(true);
  if (main->reducer != nullptr) {
    stage.set_partitions(std::max<uint32_t>(1, input.default_partitions));
  }
  stage.set_writes_output(output(input.options) != OutputShape::kNone);
  return NextStage(std::move(stage));
}

uint64_t CounterOf(const StageResult& stage, const std::string& name) {
  const auto it = stage.counters().find(name);
  return it == stage.counters().end() ? 0 : it->second;
}

PlanResult NextStage(StageSpec stage) {
  PlanResult plan;
  *plan.mutable_stage() = std::move(stage);
  return plan;
}

PlanResult Done(std::string text, std::string json, std::vector<std::string> notes) {
  PlanResult plan;
  Answer& answer = *plan.mutable_answer();
  answer.set_text(std::move(text));
  answer.set_json(std::move(json));
  for (std::string& note : notes) answer.add_notes(std::move(note));
  return plan;
}

void JobTable::Add(std::string name, void (*declare)(Job&)) {
  Job job;
  job.Name(std::move(name));
  declare(job);
  std::string key = job.name();
  const bool added = jobs.emplace(std::move(key), std::move(job)).second;
  CHECK(added) << "two jobs have one name; give one of them another with Name";
}

const Job* JobTable::Find(std::string_view name) const {
  const auto it = jobs.find(name);
  return it == jobs.end() ? nullptr : &it->second;
}

}  // namespace skep
