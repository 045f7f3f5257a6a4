// Sort: the MapReduce paper's benchmark. A first stage samples the lines, the planner
// cuts the samples into ranges of equal size, and a second stage sends each line to the
// reduce task of its range; the parts in order are the sorted whole.
//
// A record's key is the line's sort key (kernels/sort_key.h). Equal keys are told apart
// by the values, which the shuffle sorts too: the lines themselves, or their places
// where the first comes first (--stable, --unique).

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "jobs/api/job.h"
#include "jobs/kernels/sort_key.h"

namespace skep {
namespace {

// Bounds from s samples for p partitions make the largest partition about
// 1 + sqrt(2 p ln(p) / s) times the mean: 10,000 are enough for hundreds.
constexpr uint64_t kSamples = 10'000;
// A bound may be a prefix of a line.
constexpr size_t kMaxSampleBytes = 64;

absl::StatusOr<SortKey> MakeKey(const Options& options) {
  return SortKey::Create({.keys = options.GetString("key"),
                          .separator = options.GetString("field-separator"),
                          .numeric = options.GetBool("numeric"),
                          .reverse = options.GetBool("reverse")});
}

bool ByPlace(const Options& options) {
  return options.GetBool("stable") || options.GetBool("unique");
}
constexpr size_t kPlaceBytes = 12;  // task, offset

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
    SKEP_ASSIGN_OR_RETURN(const SortKey sort_key, MakeKey(context.options()));
    std::string key;
    const auto next_multiple = [step](uint64_t offset) {
      return (offset + step - 1) / step * step;
    };
    // From multiple to multiple; the lines between are not looked at.
    for (uint64_t at = next_multiple(block.file_offset) - block.file_offset;
         at < block.bytes.size();) {
      const size_t before =
          at == 0 ? block.bytes.npos : block.bytes.rfind('\n', at - 1);
      const size_t begin = before == block.bytes.npos ? 0 : before + 1;
      const size_t end = std::min(block.bytes.find('\n', at), block.bytes.size());
      key.clear();
      sort_key.Append(block.bytes.substr(begin, end - begin), &key);
      PutBytes(&samples_, std::string_view(key).substr(0, kMaxSampleBytes));
      at = next_multiple(block.file_offset + end + 1) - block.file_offset;
    }
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
    SKEP_ASSIGN_OR_RETURN(const SortKey sort_key, MakeKey(context.options()));
    const bool reverse = context.options().GetBool("reverse");
    const bool by_place = ByPlace(context.options());
    uint64_t lines = 0;
    uint64_t begin = block.file_offset;
    std::string key, value;
    ForEachLine(block.bytes, [&](std::string_view line) {
      ++lines;
      const uint64_t place = begin;
      begin += line.size() + 1;
      // Lines that are their keys are equal in all.
      if (sort_key.IsLine()) return context.Emit(line, "");
      key.clear();
      value.clear();
      sort_key.Append(line, &key);
      if (by_place) {
        value.resize(kPlaceBytes);
        StoreBig32(static_cast<uint32_t>(context.task()), value.data());
        StoreBig64(place, value.data() + 4);
        value += line;
      } else if (reverse) {
        SortKey::AppendOrdered(line, true, &value);
      } else {
        value += line;
      }
      context.Emit(key, value);
    });
    context.Count("lines", lines);
    return absl::OkStatus();
  }
};

class WriteLines final : public Reducer {
 public:
  absl::Status Reduce(std::string_view key, Values& values,
                      ReduceContext& context) override {
    if (!started_) SKEP_RETURN_IF_ERROR(Start(context.options()));
    std::string_view value;
    while (values.Next(&value)) {
      if (key_is_line_) {
        line_.assign(key);
      } else if (by_place_ && value.size() >= kPlaceBytes) {
        line_.assign(value.substr(kPlaceBytes));
      } else if (by_place_ ||
                 (reverse_ && !SortKey::DecodeOrdered(value, true, &line_))) {
        return Internal("sort: a value of ", value.size(), " bytes is malformed");
      } else if (!reverse_) {
        line_.assign(value);
      }
      line_ += '\n';
      context.Write(line_);
      ++written_;
      if (unique_) break;
    }
    return absl::OkStatus();
  }

  absl::Status Finish(ReduceContext& context) override {
    context.Count("written", written_);
    return absl::OkStatus();
  }

 private:
  // Looked up once: there is a call for every key.
  absl::Status Start(const Options& options) {
    SKEP_ASSIGN_OR_RETURN(const SortKey sort_key, MakeKey(options));
    key_is_line_ = sort_key.IsLine();
    unique_ = options.GetBool("unique");
    by_place_ = ByPlace(options);
    reverse_ = options.GetBool("reverse");
    started_ = true;
    return absl::OkStatus();
  }

  bool started_ = false;
  bool key_is_line_ = false, unique_ = false, by_place_ = false, reverse_ = false;
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
  const auto add_switch = [&](std::string name, char letter, std::string help) {
    job.AddFlag({.name = std::move(name),
                 .type = Flag::Type::kBool,
                 .help = std::move(help),
                 .letter = letter});
  };
  job.Summary("Sorts lines, by their bytes or as sort(1) does")
      .Example("skep run sort -k 2,2n -k 1,1 --output sorted.txt table.txt")
      .AddFlag({.name = "unique",
                .type = Flag::Type::kBool,
                .help = "Of lines with equal keys write the first only",
                .letter = 'u'})
      .AddFlag({.name = "key",
                .type = Flag::Type::kString,
                .value_name = "KEYS",
                .help = "Sort by fields as sort(1)'s -k: FIELD[.BYTE][bfnr][,FIELD"
                        "[.BYTE][b]]; several, the first decides first: a flag each, "
                        "or with spaces between them",
                .letter = 'k',
                .lines = true})
      .AddFlag({.name = "field-separator",
                .type = Flag::Type::kString,
                .value_name = "BYTE",
                .help = "What parts fields; by default a field begins where blanks do",
                .letter = 't'})
      .Input([](const Options& options) -> absl::StatusOr<InputFormat> {
        SKEP_RETURN_IF_ERROR(MakeKey(options).status());
        return InputFormat{};
      })
      .Output(OutputShape::kFile)
      .AddStage("sample", {.mapper = [] { return std::make_unique<SampleLines>(); }})
      .AddStage("sort", {.mapper = [] { return std::make_unique<EmitLines>(); },
                         .reducer = [] { return std::make_unique<WriteLines>(); }})
      .Plan(Plan);
  add_switch("numeric", 'n',
             "By the number that a line or key begins with, of any size");
  add_switch("reverse", 'r', "Largest first");
  add_switch("stable", 's', "Leave lines with equal keys in the order of the input");
}

}  // namespace skep
