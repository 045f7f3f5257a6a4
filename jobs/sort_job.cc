// Sort: the MapReduce paper's benchmark. A first stage samples the lines, the planner
// cuts the samples into ranges of equal size, and a second stage sends each line to the
// reduce task of its range; the parts in order are the sorted whole.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "jobs/api/job.h"

namespace skep {
namespace {

// Bounds from s samples for p partitions make the largest partition about
// 1 + sqrt(2 p ln(p) / s) times the mean: 10,000 are enough for hundreds.
constexpr uint64_t kSamples = 10'000;
// A bound may be a prefix of a line.
constexpr size_t kMaxSampleBytes = 64;

// Samples the lines that hold a multiple of the step (the stage's args) among the
// offsets of their bytes: independent of the splits, and a line counts as much as it
// weighs.
class SampleLines final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    uint64_t step = 0;
    std::string_view args = context.args();
    if (!GetVarint(&args, &step) || step == 0) {
      return Internal("sort: the stage's arguments are malformed");
    }
    uint64_t begin = block.file_offset;
    ForEachLine(block.bytes, [&](std::string_view line) {
      const uint64_t end = begin + line.size() + 1;
      if ((begin + step - 1) / step * step < end) {
        PutBytes(&samples_, line.substr(0, kMaxSampleBytes));
      }
      begin = end;
    });
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    context.SetResult(std::move(samples_));
    return absl::OkStatus();
  }

 private:
  std::string samples_;
};

class EmitLines final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    uint64_t lines = 0;
    ForEachLine(block.bytes, [&](std::string_view line) {
      context.Emit(line, "");
      ++lines;
    });
    context.Count("lines", lines);
    return absl::OkStatus();
  }
};

class WriteLines final : public Reducer {
 public:
  absl::Status Reduce(std::string_view line, Values& values,
                      ReduceContext& context) override {
    line_.assign(line);
    line_ += '\n';
    const bool unique = context.options().GetBool("unique");
    std::string_view value;
    while (values.Next(&value)) {
      context.Write(line_);
      ++written_;
      if (unique) break;
    }
    return absl::OkStatus();
  }

  absl::Status Finish(ReduceContext& context) override {
    context.Count("written", written_);
    return absl::OkStatus();
  }

 private:
  std::string line_;
  uint64_t written_ = 0;
};

StageSpec SampleStage(const PlanInput& input) {
  uint64_t bytes = 0;
  for (const InputSplit& split : input.splits) bytes += split.length();
  std::string step;
  PutVarint(&step, bytes / kSamples + 1);
  StageSpec stage;
  stage.set_name("sample");
  stage.set_job_input(true);
  stage.set_args(std::move(step));
  return stage;
}

StageSpec SortStage() {
  StageSpec stage;
  stage.set_name("sort");
  stage.set_job_input(true);
  stage.set_writes_output(true);
  stage.set_partitions(1);
  return stage;
}

// Adds bounds between ranges that hold about the same number of samples. A line that is
// more frequent than a range is large makes fewer ranges.
absl::Status SetBounds(const StageResult& sampled, uint32_t partitions,
                       StageSpec* stage) {
  std::vector<std::string_view> samples;
  for (const std::string& result : sampled.map_results()) {
    std::string_view rest = result, sample;
    while (!rest.empty()) {
      if (!GetBytes(&rest, &sample)) {
        return Internal("sort: a sample of ", result.size(), " bytes is malformed");
      }
      samples.push_back(sample);
    }
  }
  std::sort(samples.begin(), samples.end());
  std::string_view last;  // a bound "" would bound an empty range
  for (uint32_t i = 1; i < partitions && !samples.empty(); ++i) {
    const std::string_view bound = samples[samples.size() * i / partitions];
    if (bound > last) stage->add_range_bounds(std::string(bound));
    last = bound;
  }
  stage->set_partitions(stage->range_bounds_size() + 1);
  return absl::OkStatus();
}

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  if (input.finished.empty()) {
    return NextStage(input.default_partitions > 1 ? SampleStage(input) : SortStage());
  }
  const StageResult& last = input.finished.back();
  if (last.spec().name() == "sample") {
    StageSpec stage = SortStage();
    SKEP_RETURN_IF_ERROR(SetBounds(last, input.default_partitions, &stage));
    return NextStage(std::move(stage));
  }
  return Done("", StrCat("{\"lines\":", CounterOf(last, "lines"),
                         ",\"written\":", CounterOf(last, "written"), "}"));
}

}  // namespace

void Sort(Job& job) {
  job.Summary("Sorts lines in the order of their bytes")
      .Example("skep run sort --output sorted.txt names.txt")
      .AddFlag({.name = "unique",
                .type = Flag::Type::kBool,
                .help = "Write equal lines once",
                .letter = 'u'})
      .Output(OutputShape::kFile)
      .AddStage("sample", {.mapper = [] { return std::make_unique<SampleLines>(); }})
      .AddStage("sort", {.mapper = [] { return std::make_unique<EmitLines>(); },
                         .reducer = [] { return std::make_unique<WriteLines>(); }})
      .Plan(Plan);
}

}  // namespace skep
