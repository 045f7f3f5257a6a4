// Grep: the MapReduce paper's other example. Map only; the lines come out in the order
// of the input. Line numbers need a stage before it when a file has several splits: it
// counts the lines of each.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "jobs/api/job.h"
#include "jobs/api/json_text.h"
#include "jobs/kernels/line_matcher.h"

namespace skep {
namespace {

absl::StatusOr<std::unique_ptr<LineMatcher>> MakeMatcher(const Options& options) {
  return LineMatcher::Create(options.GetString("pattern"),
                             {.fixed = options.GetBool("fixed-strings"),
                              .ignore_case = options.GetBool("ignore-case"),
                              .invert = options.GetBool("invert-match")});
}

// What the search stage's args say.
struct SearchArgs {
  bool name_files = false;
  std::vector<uint64_t> lines_before;  // by task; empty: none
};

std::string EncodeArgs(const SearchArgs& args) {
  std::string bytes;
  PutVarint(&bytes, args.name_files);
  for (const uint64_t lines : args.lines_before) PutVarint(&bytes, lines);
  return bytes;
}

absl::StatusOr<SearchArgs> DecodeArgs(std::string_view bytes) {
  SearchArgs args;
  uint64_t value;
  if (!GetVarint(&bytes, &value)) return Internal("grep: malformed arguments");
  args.name_files = value != 0;
  while (!bytes.empty()) {
    if (!GetVarint(&bytes, &value)) return Internal("grep: malformed arguments");
    args.lines_before.push_back(value);
  }
  return args;
}

class CountLines final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    lines_ += std::count(block.bytes.begin(), block.bytes.end(), '\n');
    return absl::OkStatus();
  }
  absl::Status Finish(MapContext& context) override {
    std::string result;
    PutVarint(&result, lines_);
    context.SetResult(std::move(result));
    return absl::OkStatus();
  }

 private:
  uint64_t lines_ = 0;
};

class SearchLines final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    if (matcher_ == nullptr) SKEP_RETURN_IF_ERROR(Start(context));
    std::string out;
    uint64_t matches = 0;
    const uint64_t lines =
        matcher_->ForEachLine(block.bytes, [&](const LineMatcher::Line& line) {
          ++matches;
          if (count_only_) return;
          if (name_files_) StrAppend(&out, block.file_name, ":");
          if (number_lines_) StrAppend(&out, lines_before_ + line.number + 1, ":");
          out += line.text;
          out += '\n';
        });
    lines_before_ += lines;
    matches_ += matches;
    context.Count("lines", lines);
    context.Count("matches", matches);
    if (!count_only_) context.Write(out);
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    std::string result;
    PutVarint(&result, matches_);
    context.SetResult(std::move(result));
    return absl::OkStatus();
  }

 private:
  absl::Status Start(MapContext& context) {
    SKEP_ASSIGN_OR_RETURN(const SearchArgs args, DecodeArgs(context.args()));
    name_files_ = args.name_files;
    count_only_ = context.options().GetBool("count");
    number_lines_ = context.options().GetBool("line-number");
    if (!args.lines_before.empty()) {
      if (static_cast<size_t>(context.task()) >= args.lines_before.size()) {
        return Internal("grep: task ", context.task(), " of ",
                        args.lines_before.size());
      }
      lines_before_ = args.lines_before[context.task()];
    }
    SKEP_ASSIGN_OR_RETURN(matcher_, MakeMatcher(context.options()));
    return absl::OkStatus();
  }

  std::unique_ptr<LineMatcher> matcher_;
  bool name_files_ = false, count_only_ = false, number_lines_ = false;
  uint64_t lines_before_ = 0;  // in the file, before the next block
  uint64_t matches_ = 0;
};

// The varint that each map task answered with.
absl::StatusOr<std::vector<uint64_t>> CountsOf(const StageResult& stage) {
  std::vector<uint64_t> counts;
  for (const std::string& result : stage.map_results()) {
    std::string_view rest = result;
    uint64_t count;
    if (!GetVarint(&rest, &count))
      return Internal("grep: a task's result is malformed");
    counts.push_back(count);
  }
  return counts;
}

StageSpec LinesStage() {
  StageSpec stage;
  stage.set_name("lines");
  stage.set_job_input(true);
  return stage;
}

// `lines`: of each split, if it is known.
StageSpec SearchStage(const PlanInput& input, const std::vector<uint64_t>& lines) {
  SearchArgs args;
  for (size_t i = 0; i < input.splits.size(); ++i) {
    const bool new_file =
        i == 0 || input.splits[i].file().path() != input.splits[i - 1].file().path();
    if (i > 0 && new_file) args.name_files = true;
    if (lines.empty()) continue;
    args.lines_before.push_back(new_file ? 0 : args.lines_before[i - 1] + lines[i - 1]);
  }
  StageSpec stage;
  stage.set_name("search");
  stage.set_job_input(true);
  stage.set_writes_output(!input.options.GetBool("count"));
  stage.set_args(EncodeArgs(args));
  return stage;
}

bool AnyFileHasSeveralSplits(const std::vector<InputSplit>& splits) {
  return std::any_of(splits.begin(), splits.end(),
                     [](const InputSplit& split) { return split.offset() > 0; });
}

absl::StatusOr<PlanResult> AnswerCounts(const PlanInput& input) {
  SKEP_ASSIGN_OR_RETURN(const std::vector<uint64_t> counts,
                        CountsOf(input.finished.back()));
  std::vector<std::pair<std::string, uint64_t>> by_file;
  std::string last_path;
  for (size_t i = 0; i < counts.size(); ++i) {
    const InputFile& file = input.splits[i].file();
    if (i == 0 || file.path() != last_path) by_file.emplace_back(file.name(), 0);
    last_path = file.path();
    by_file.back().second += counts[i];
  }
  uint64_t total = 0;
  std::string text, json;
  for (const auto& [name, count] : by_file) {
    if (by_file.size() > 1) StrAppend(&text, name, ":");
    StrAppend(&text, count, "\n");
    StrAppend(&json, json.empty() ? "" : ",", "{\"file\":", JsonString(name),
              ",\"matches\":", count, "}");
    total += count;
  }
  if (by_file.empty()) StrAppend(&text, "0\n");
  return Done(std::move(text),
              StrCat("{\"matches\":", total, ",\"files\":[", json, "]}"));
}

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  const bool count_only = input.options.GetBool("count");
  if (input.finished.empty()) {
    if (input.options.GetBool("line-number") && !count_only &&
        AnyFileHasSeveralSplits(input.splits)) {
      return NextStage(LinesStage());
    }
    return NextStage(SearchStage(input, {}));
  }
  const StageResult& last = input.finished.back();
  if (last.spec().name() == "lines") {
    SKEP_ASSIGN_OR_RETURN(const std::vector<uint64_t> lines, CountsOf(last));
    return NextStage(SearchStage(input, lines));
  }
  if (count_only) return AnswerCounts(input);
  return Done("", StrCat("{\"lines\":", CounterOf(last, "lines"),
                         ",\"matches\":", CounterOf(last, "matches"), "}"));
}

// The pattern is looked at before anything runs.
absl::StatusOr<InputFormat> CheckPattern(const Options& options) {
  if (options.GetString("pattern").empty()) {
    return InvalidArgument("grep needs a pattern: --pattern PATTERN");
  }
  SKEP_RETURN_IF_ERROR(MakeMatcher(options).status());
  return InputFormat{};
}

}  // namespace

void Grep(Job& job) {
  const auto add_switch = [&](std::string name, char letter, std::string help) {
    job.AddFlag({.name = std::move(name),
                 .type = Flag::Type::kBool,
                 .help = std::move(help),
                 .letter = letter});
  };
  job.Summary("Finds the lines that match a pattern")
      .Example("skep run grep --pattern 'hon[ea]y' --line-number notes/*.txt")
      .AddFlag({.name = "pattern",
                .type = Flag::Type::kString,
                .value_name = "PATTERN",
                .help = "What to find: a regular expression in RE2's syntax",
                .letter = 'e'});
  add_switch("fixed-strings", 'F', "The pattern is a plain string");
  add_switch("ignore-case", 'i', "Let small and capital letters match each other");
  add_switch("invert-match", 'v', "Find the lines that do not match");
  add_switch("count", 'c', "Print the number of such lines, for each file");
  add_switch("line-number", 'n', "Put the number of the line before it");
  job.Input(CheckPattern)
      .Output([](const Options& options) {
        return options.GetBool("count") ? OutputShape::kNone : OutputShape::kFile;
      })
      .AddStage("lines", {.mapper = [] { return std::make_unique<CountLines>(); }})
      .AddStage("search", {.mapper = [] { return std::make_unique<SearchLines>(); }})
      .Plan(Plan);
}

}  // namespace skep
