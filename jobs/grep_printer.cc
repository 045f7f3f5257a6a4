#include "jobs/grep_printer.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "base/strings.h"

namespace skep {
namespace {

// Lines kept in memory by each task.
constexpr int64_t kMaxContext = 100'000;

absl::StatusOr<uint64_t> Context(const Options& options, const char* side) {
  int64_t lines = options.GetInt(side);
  if (lines < 0) lines = options.GetInt("context");
  if (lines > kMaxContext) {
    return InvalidArgument("--", side, ": ", lines, " lines are more than ",
                           kMaxContext);
  }
  return static_cast<uint64_t>(std::max<int64_t>(lines, 0));
}

uint64_t Minus(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

}  // namespace

absl::StatusOr<GrepOptions> ReadGrepOptions(const Options& options) {
  GrepOptions result;
  result.count = options.GetBool("count");
  result.name_files = options.GetBool("with-filename");
  result.number_lines = options.GetBool("line-number");
  result.only_matching = options.GetBool("only-matching");
  result.with_match = options.GetBool("files-with-matches");
  result.without_match = options.GetBool("files-without-match");
  result.byte_offsets = options.GetBool("byte-offset");
  result.silent = options.GetBool("silent");
  if (result.with_match && result.without_match) {
    return InvalidArgument("--files-with-matches and --files-without-match answer ",
                           "different questions: give one of them");
  }
  // As POSIX leaves open and GNU grep decides: -q, then -l and -L, then -c.
  if (result.silent) result.with_match = result.without_match = false;
  if (result.silent || result.names_files()) result.count = false;
  if (options.GetBool("extended-regexp") && options.GetBool("fixed-strings")) {
    return InvalidArgument("--extended-regexp and --fixed-strings exclude each other");
  }
  if (result.name_files && options.GetBool("no-filename")) {
    return InvalidArgument("--with-filename and --no-filename exclude each other");
  }
  if (options.GetInt("max-count") >= 0) {
    result.most = static_cast<uint64_t>(options.GetInt("max-count"));
  }
  SKEP_ASSIGN_OR_RETURN(result.before, Context(options, "before-context"));
  SKEP_ASSIGN_OR_RETURN(result.after, Context(options, "after-context"));
  for (const char* side : {"before-context", "after-context", "context"}) {
    result.groups |= options.GetInt(side) >= 0;
  }
  if (result.groups && result.only_matching) {
    return InvalidArgument("--only-matching writes no whole lines: leave out the ",
                           "lines before and after");
  }
  if (result.answers()) {
    result.groups = false;
    result.before = result.after = 0;
  }
  result.matching = {.fixed = options.GetBool("fixed-strings"),
                     .ignore_case = options.GetBool("ignore-case"),
                     .invert = options.GetBool("invert-match"),
                     .whole_words = options.GetBool("word-regexp"),
                     .whole_lines = options.GetBool("line-regexp"),
                     .number_lines = result.number_lines};
  return result;
}

std::string GrepSurvey::Encode() const {
  std::string bytes;
  PutVarint(&bytes, lines);
  uint64_t last = 0;
  for (const uint64_t line : selected)
    PutVarint(&bytes, line - std::exchange(last, line));
  return bytes;
}

absl::StatusOr<GrepSurvey> DecodeGrepSurvey(std::string_view bytes) {
  GrepSurvey survey;
  bool good = GetVarint(&bytes, &survey.lines);
  uint64_t last = 0;
  for (uint64_t step = 0; good && !bytes.empty();) {
    good = GetVarint(&bytes, &step);
    survey.selected.push_back(last += step);
  }
  return good ? absl::StatusOr<GrepSurvey>(std::move(survey))
              : Internal("grep: a task's result is malformed");
}

void GrepStart::Append(std::string* bytes) const {
  for (const uint64_t value :
       {lines_before, budget, after, tail, uint64_t{printed}, uint64_t{adjacent}}) {
    PutVarint(bytes, value);
  }
}

bool ReadGrepStart(std::string_view* bytes, GrepStart* start) {
  uint64_t printed, adjacent;
  if (!GetVarint(bytes, &start->lines_before) || !GetVarint(bytes, &start->budget) ||
      !GetVarint(bytes, &start->after) || !GetVarint(bytes, &start->tail) ||
      !GetVarint(bytes, &printed) || !GetVarint(bytes, &adjacent)) {
    return false;
  }
  start->printed = printed != 0;
  start->adjacent = adjacent != 0;
  return true;
}

bool BeginsFile(const std::vector<InputSplit>& splits, size_t i) {
  return i == 0 || splits[i].file().path() != splits[i - 1].file().path();
}

std::vector<GrepStart> PlanGrep(const GrepOptions& options,
                                const std::vector<InputSplit>& splits,
                                const std::vector<GrepSurvey>& surveys) {
  std::vector<GrepStart> starts(splits.size(), GrepStart{.budget = options.most});
  if (surveys.empty()) return starts;
  // Forwards: what selected lines leave to those behind them.
  std::vector<GrepSurvey> left = surveys;  // without lines beyond the limit
  for (size_t i = 0; i < splits.size(); ++i) {
    GrepStart& start = starts[i];
    std::vector<uint64_t>& selected = left[i].selected;
    if (!BeginsFile(splits, i)) {
      const GrepStart& before = starts[i - 1];
      const GrepSurvey& survey = left[i - 1];
      start.lines_before = before.lines_before + survey.lines;
      if (options.most != UINT64_MAX) {
        start.budget = before.budget - survey.selected.size();
      }
      start.after =
          survey.selected.empty()
              ? Minus(before.after, survey.lines)
              : Minus(options.after, survey.lines - 1 - survey.selected.back());
    }
    if (selected.size() > start.budget) selected.resize(start.budget);
  }
  // Backwards: what selected lines want of those before them.
  for (size_t i = splits.size(); i-- > 1;) {
    if (BeginsFile(splits, i)) continue;
    const std::vector<uint64_t>& selected = left[i].selected;
    starts[i - 1].tail =
        std::max(Minus(starts[i].tail, left[i].lines),
                 selected.empty() ? 0 : Minus(options.before, selected.front()));
  }
  for (size_t i = 1; i < splits.size(); ++i) {
    const GrepStart& before = starts[i - 1];
    const GrepSurvey& survey = left[i - 1];
    const bool printed = survey.lines > 0 && (!survey.selected.empty() ||
                                              before.after > 0 || before.tail > 0);
    starts[i].printed = before.printed || printed;
    const bool last_printed =
        before.tail > 0 || before.after >= survey.lines ||
        (!survey.selected.empty() &&
         survey.lines - 1 - survey.selected.back() <= options.after);
    starts[i].adjacent =
        !BeginsFile(splits, i) && (survey.lines == 0 ? before.adjacent : last_printed);
  }
  return starts;
}

void GrepPrinter::Add(std::string_view block, std::string_view file_name,
                      uint64_t offset, std::string* out) {
  file_name_ = file_name;
  block_ = block;
  offset_ = offset;
  out_ = out;
  size_t from = 0;  // behind the last selected line
  uint64_t next = number_;
  bool all = selected_ < start_.budget;  // lines are still selected
  if (all) {
    const uint64_t lines =
        matcher_.ForEachLine(block, [&](const LineMatcher::Line& line) {
          next = number_ + line.number;
          if (options_.groups) {
            Skip(block.substr(from, line.offset - from), next, true);
          }
          Select(line, next++);
          from = std::min(line.offset + line.text.size() + 1, block.size());
          return all = selected_ < start_.budget;
        });
    if (all) next = number_ + lines;
  }
  const std::string_view rest = block.substr(from);
  if (!all && options_.number_lines) {
    next += std::count(rest.begin(), rest.end(), '\n') +
            (!rest.empty() && rest.back() != '\n');
  }
  if (options_.groups) Skip(rest, next, false);
  number_ = next;
}

void GrepPrinter::End(std::string_view file_name, std::string* out) {
  file_name_ = file_name;
  out_ = out;
  PrintKept(start_.tail);
}

void GrepPrinter::Select(const LineMatcher::Line& line, uint64_t number) {
  ++selected_;
  after_ = options_.after;
  if (options_.answers()) return;
  if (!options_.only_matching) {
    return Print(line.text, number, offset_ + line.offset, ':');
  }
  if (options_.matching.invert) return;
  matcher_.ForEachMatch(line.text, [&](size_t at, std::string_view match) {
    PrintHead(number, offset_ + line.offset + at, ':');
    *out_ += match;
    *out_ += '\n';
  });
}

void GrepPrinter::Skip(std::string_view lines, uint64_t next, bool selected_next) {
  if (after_ > 0 && !lines.empty()) {
    uint64_t number =
        next - static_cast<uint64_t>(std::count(lines.begin(), lines.end(), '\n')) -
        (lines.back() != '\n');
    while (after_ > 0 && !lines.empty()) {
      const size_t end = std::min(lines.find('\n'), lines.size());
      Print(lines.substr(0, end), number++, OffsetOf(lines), '-');
      lines.remove_prefix(std::min(end + 1, lines.size()));
      --after_;
    }
  }
  if (!lines.empty()) Keep(lines, next);
  if (selected_next) PrintKept(options_.before);
}

// The last lines, found from the end: what lies before them is not looked at.
void GrepPrinter::Keep(std::string_view lines, uint64_t next) {
  std::vector<std::string_view> last;  // in reverse
  if (lines.back() == '\n') lines.remove_suffix(1);
  bool more = true;
  while (more && last.size() < options_.before) {
    const size_t end = lines.rfind('\n');
    more = end != std::string_view::npos;
    last.push_back(lines.substr(more ? end + 1 : 0));
    if (more) lines = lines.substr(0, end);
  }
  if (more) {
    kept_.clear();
    adjacent_ = false;
  }
  for (size_t i = last.size(); i-- > 0;) {
    kept_.push_back({std::string(last[i]), next - 1 - i, OffsetOf(last[i])});
  }
  while (kept_.size() > options_.before) {
    kept_.pop_front();
    adjacent_ = false;
  }
}

void GrepPrinter::PrintKept(uint64_t most) {
  for (; kept_.size() > most; kept_.pop_front()) adjacent_ = false;
  for (; !kept_.empty(); kept_.pop_front()) {
    const Kept& line = kept_.front();
    Print(line.text, line.number, line.offset, '-');
  }
}

void GrepPrinter::Print(std::string_view line, uint64_t number, uint64_t offset,
                        char mark) {
  if (options_.groups) {
    if (printed_ && !adjacent_) *out_ += "--\n";
    printed_ = adjacent_ = true;
  }
  PrintHead(number, offset, mark);
  *out_ += line;
  *out_ += '\n';
}

void GrepPrinter::PrintHead(uint64_t number, uint64_t offset, char mark) {
  if (options_.name_files) {
    *out_ += file_name_;
    *out_ += mark;
  }
  if (options_.number_lines) {
    StrAppend(out_, number + 1);
    *out_ += mark;
  }
  if (options_.byte_offsets) {
    StrAppend(out_, offset);
    *out_ += mark;
  }
}

}  // namespace skep
