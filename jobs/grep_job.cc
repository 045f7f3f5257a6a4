// Grep: the MapReduce paper's other example. Map only; the lines come out in the order
// of the input. Where a split must know of its neighbours (line numbers, a limit for
// each file, lines around a selected one) a first stage surveys the splits.

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "jobs/api/job.h"
#include "jobs/api/json_text.h"
#include "jobs/grep_printer.h"
#include "jobs/kernels/line_matcher.h"
#include "jobs/kernels/string_search.h"

namespace skep {
namespace {

// Those of -e and those of -f. A last line end ends the last pattern.
absl::StatusOr<std::unique_ptr<LineMatcher>> MakeMatcher(const Options& flags,
                                                         const GrepOptions& options) {
  std::string patterns = flags.GetString("pattern");
  if (!patterns.empty() && !patterns.ends_with('\n')) patterns += '\n';
  patterns += flags.GetString("file");
  if (patterns.ends_with('\n')) patterns.pop_back();
  return LineMatcher::Create(patterns, options.matching);
}

class Survey final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    if (matcher_ == nullptr) {
      SKEP_ASSIGN_OR_RETURN(options_, ReadGrepOptions(context.options()));
      options_.matching.number_lines = true;
      SKEP_ASSIGN_OR_RETURN(matcher_, MakeMatcher(context.options(), options_));
    }
    if (!options_.groups && options_.most == UINT64_MAX) {
      found_.lines += CountLineEnds(block.bytes) + (block.bytes.back() != '\n');
      return absl::OkStatus();
    }
    found_.lines +=
        matcher_->ForEachLine(block.bytes, [&](const LineMatcher::Line& line) {
          if (options_.most == UINT64_MAX && found_.selected.size() == 2) {
            found_.selected.pop_back();
          }
          if (found_.selected.size() < options_.most) {
            found_.selected.push_back(found_.lines + line.number);
          }
          return true;
        });
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    context.SetResult(found_.Encode());
    return absl::OkStatus();
  }

 private:
  GrepOptions options_;
  std::unique_ptr<LineMatcher> matcher_;
  GrepSurvey found_;
};

class Search final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    if (printer_ == nullptr) SKEP_RETURN_IF_ERROR(Start(context));
    std::string out;
    printer_->Add(block.bytes, block.file_name, block.file_offset, &out);
    file_name_ = block.file_name;
    if (!answers_) context.Write(out);
    return absl::OkStatus();
  }

  bool HasEnough() const override { return printer_->HasEnough(); }

  absl::Status Finish(MapContext& context) override {
    const uint64_t selected = printer_ == nullptr ? 0 : printer_->selected();
    context.Count("matches", selected);
    std::string result, out;
    PutVarint(&result, selected);
    context.SetResult(std::move(result));
    if (printer_ == nullptr || answers_) return absl::OkStatus();
    printer_->End(file_name_, &out);
    context.Write(out);
    return absl::OkStatus();
  }

 private:
  absl::Status Start(MapContext& context) {
    SKEP_ASSIGN_OR_RETURN(GrepOptions options, ReadGrepOptions(context.options()));
    std::string_view args = context.args();
    uint64_t name_files = 0;
    bool good = GetVarint(&args, &name_files);
    options.name_files = name_files != 0;
    GrepStart start{.budget = options.most};
    for (int i = 0; good && !args.empty() && i <= context.task(); ++i) {
      good = ReadGrepStart(&args, &start);
    }
    if (!good) return Internal("grep: malformed arguments");
    answers_ = options.answers();
    // One selected line of a file tells.
    if (options.names_files() || options.silent) {
      start.budget = std::min<uint64_t>(start.budget, 1);
    }
    SKEP_ASSIGN_OR_RETURN(matcher_, MakeMatcher(context.options(), options));
    printer_ = std::make_unique<GrepPrinter>(*matcher_, options, start);
    return absl::OkStatus();
  }

  bool answers_ = false;
  std::unique_ptr<LineMatcher> matcher_;
  std::unique_ptr<GrepPrinter> printer_;
  std::string file_name_;
};

StageSpec SurveyStage() {
  StageSpec stage;
  stage.set_name("survey");
  stage.set_job_input(true);
  return stage;
}

// `surveys`: of each split, if there was need.
StageSpec SearchStage(const PlanInput& input, const GrepOptions& options,
                      const std::vector<GrepSurvey>& surveys) {
  bool several_files = false;
  for (size_t i = 1; i < input.splits.size(); ++i) {
    several_files |= BeginsFile(input.splits, i);
  }
  std::string args;
  PutVarint(&args, options.name_files ||
                       (several_files && !input.options.GetBool("no-filename")));
  if (!surveys.empty()) {
    for (const GrepStart& start : PlanGrep(options, input.splits, surveys)) {
      start.Append(&args);
    }
  }
  StageSpec stage;
  stage.set_name("search");
  stage.set_job_input(true);
  stage.set_writes_output(!options.answers());
  stage.set_args(std::move(args));
  return stage;
}

bool NeedsSurvey(const PlanInput& input, const GrepOptions& options) {
  if (options.answers()) return false;
  const bool cut = std::any_of(input.splits.begin(), input.splits.end(),
                               [](const InputSplit& s) { return s.offset() > 0; });
  const auto with_lines =
      std::count_if(input.splits.begin(), input.splits.end(),
                    [](const InputSplit& s) { return s.length() > 0; });
  // Groups of lines are separated through all files.
  return (cut && (options.number_lines || options.most != UINT64_MAX)) ||
         (options.groups && with_lines > 1);
}

absl::StatusOr<PlanResult> Answer(const PlanInput& input, const GrepOptions& options) {
  struct Counted {
    std::string name;
    uint64_t count;
  };
  std::vector<Counted> files;
  const StageResult& stage = input.finished.back();
  for (int i = 0; i < stage.map_results_size(); ++i) {
    std::string_view result = stage.map_results(i);
    uint64_t count;
    if (!GetVarint(&result, &count)) {
      return Internal("grep: a task's result is malformed");
    }
    if (BeginsFile(input.splits, i))
      files.push_back({input.splits[i].file().name(), 0});
    files.back().count = std::min(files.back().count + count, options.most);
  }
  const bool name_files =
      options.name_files || (files.size() > 1 && !input.options.GetBool("no-filename"));
  uint64_t total = 0;
  std::string text, json;
  for (const auto& [name, count] : files) {
    total += count;
    if (options.count) {
      StrAppend(&text, name_files ? StrCat(name, ":") : "", count, "\n");
    } else if (options.without_match ? count == 0 : options.with_match && count > 0) {
      StrAppend(&text, name, "\n");
    } else {
      continue;
    }
    StrAppend(&json, json.empty() ? "" : ",");
    StrAppend(&json, options.count ? StrCat("{\"file\":", JsonString(name),
                                            ",\"matches\":", count, "}")
                                   : JsonString(name));
  }
  // GNU grep does not even look then.
  if (options.count && options.most == 0) text.clear();
  if (options.silent) {
    json = StrCat("{\"found\":", total > 0 ? "true" : "false", "}");
  } else if (options.count) {
    json = StrCat("{\"matches\":", total, ",\"files\":[", json, "]}");
  } else {
    json = StrCat("{\"files\":[", json, "]}");
  }
  PlanResult answer = Done(std::move(text), std::move(json));
  answer.mutable_answer()->set_negative(total == 0);
  return answer;
}

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  SKEP_ASSIGN_OR_RETURN(const GrepOptions options, ReadGrepOptions(input.options));
  if (input.finished.empty()) {
    return NextStage(NeedsSurvey(input, options) ? SurveyStage()
                                                 : SearchStage(input, options, {}));
  }
  const StageResult& last = input.finished.back();
  if (last.spec().name() == "survey") {
    std::vector<GrepSurvey> surveys;
    for (const std::string& result : last.map_results()) {
      SKEP_ASSIGN_OR_RETURN(surveys.emplace_back(), DecodeGrepSurvey(result));
    }
    return NextStage(SearchStage(input, options, surveys));
  }
  if (options.answers()) return Answer(input, options);
  const uint64_t matches = CounterOf(last, "matches");
  PlanResult done = Done("", StrCat("{\"matches\":", matches, "}"));
  done.mutable_answer()->set_negative(matches == 0);
  return done;
}

// The pattern is looked at before anything runs.
absl::StatusOr<InputFormat> CheckPattern(const Options& flags) {
  if (flags.GetString("pattern").empty() && flags.GetString("file").empty()) {
    return InvalidArgument(
        "grep needs a pattern: -e PATTERN, or -f FILE that is not empty");
  }
  SKEP_ASSIGN_OR_RETURN(const GrepOptions options, ReadGrepOptions(flags));
  SKEP_RETURN_IF_ERROR(MakeMatcher(flags, options).status());
  return InputFormat{.empty_files = options.answers() ? UINT64_MAX : 1};
}

OutputShape Shape(const Options& flags) {
  const absl::StatusOr<GrepOptions> options = ReadGrepOptions(flags);
  return options.ok() && options->answers() ? OutputShape::kNone : OutputShape::kFile;
}

}  // namespace

void Grep(Job& job) {
  const auto add_switch = [&](std::string name, char letter, std::string help) {
    job.AddFlag({.name = std::move(name),
                 .type = Flag::Type::kBool,
                 .help = std::move(help),
                 .letter = letter});
  };
  const auto add_number = [&](std::string name, char letter, std::string help) {
    job.AddFlag({.name = std::move(name),
                 .type = Flag::Type::kInt,
                 .default_value = "-1",
                 .value_name = "N",
                 .help = std::move(help),
                 .letter = letter});
  };
  job.Summary("Finds the lines that match a pattern")
      .Example("skep run grep --pattern 'hon[ea]y' --line-number notes/*.txt")
      .AddFlag({.name = "pattern",
                .type = Flag::Type::kString,
                .value_name = "PATTERN",
                .help = "What to find: a regular expression in RE2's syntax; several, "
                        "a line each or a flag each",
                .letter = 'e',
                .lines = true});
  job.AddFlag({.name = "file",
               .type = Flag::Type::kString,
               .value_name = "FILE",
               .help = "Take patterns from FILE, too, a line each",
               .letter = 'f',
               .from_file = true});
  add_switch("fixed-strings", 'F', "The pattern is a plain string");
  add_switch("extended-regexp", 'E',
             "The pattern is an extended regular expression: so it is by default");
  add_switch("ignore-case", 'i', "Let small and capital letters match each other");
  add_switch("invert-match", 'v', "Find the lines that do not match");
  add_switch("word-regexp", 'w', "A match must be whole words");
  add_switch("line-regexp", 'x', "A match must be a whole line");
  add_switch("count", 'c', "Print the number of such lines, for each file");
  add_switch("files-with-matches", 'l', "Print the names of files with such lines");
  add_switch("files-without-match", 'L', "Print the names of files without such lines");
  add_switch("silent", 'q',
             "Print nothing: the exit code says whether there is such a line");
  add_number("max-count", 'm', "At most N lines of each file; by default all");
  add_switch("only-matching", 'o', "Write what matches, not the whole line");
  add_switch("line-number", 'n', "Put the number of the line before it");
  add_switch("byte-offset", 'b',
             "Put the offset in its file before each line or match");
  add_switch("with-filename", 'H',
             "Put the file's name before each line; by default if there are several");
  add_switch("no-filename", 'h', "Put no file's name before lines");
  add_number("after-context", 'A', "Write N lines behind each, too");
  add_number("before-context", 'B', "Write N lines before each, too");
  add_number("context", 'C', "Write N lines before and behind each, too");
  job.Input(CheckPattern)
      .Output(Shape)
      .AddStage("survey", {.mapper = [] { return std::make_unique<Survey>(); }})
      .AddStage("search", {.mapper = [] { return std::make_unique<Search>(); }})
      .Plan(Plan);
}

}  // namespace skep
