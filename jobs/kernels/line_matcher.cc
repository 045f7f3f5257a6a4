#include "jobs/kernels/line_matcher.h"

#include <re2/re2.h>
#include <string.h>

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "base/status.h"
#include "jobs/kernels/required_literal.h"

namespace skep {
namespace {

constexpr size_t kNone = std::string_view::npos;
// What RE2 looks at before it is asked where in it a match is: a "no" costs half of
// that. Near the last match it is asked at once.
constexpr size_t kWindow = 32 << 10;
constexpr size_t kNear = 512;
// Each reads the text once; an automaton for more strings is faster.
constexpr size_t kMaxFinders = 8;
// Of an automaton's states; when they do not fit it is built anew, again and again.
constexpr int64_t kRegexMemory = 64 << 20;

re2::StringPiece ToRe2(std::string_view s) { return {s.data(), s.size()}; }

// Where the line that holds place `at` begins and where its '\n' or the text's end is.
size_t LineStart(std::string_view text, size_t at) {
  const void* before = memrchr(text.data(), '\n', at);
  return before == nullptr ? 0 : static_cast<const char*>(before) - text.data() + 1;
}
size_t LineEnd(std::string_view text, size_t at) {
  const void* end = memchr(text.data() + at, '\n', text.size() - at);
  return end == nullptr ? text.size() : static_cast<const char*>(end) - text.data();
}

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == kNone) return lines;
    text.remove_prefix(end + 1);
  }
}

// Whether one UTF-8 character stands for a letter or digit, or is '_'.
bool IsWordCharacter(std::string_view c) {
  if (c.size() == 1) {
    return std::isalnum(static_cast<unsigned char>(c[0])) != 0 || c[0] == '_';
  }
  static const RE2 word("[\\pL\\pN_]");
  return RE2::FullMatch(ToRe2(c), word);
}

bool IsContinuation(char c) { return (c & 0xc0) == 0x80; }

bool WordEndsBefore(std::string_view line, size_t at) {
  if (at == 0) return false;
  size_t begin = at - 1;
  while (begin > 0 && at - begin < 4 && IsContinuation(line[begin])) --begin;
  return IsWordCharacter(line.substr(begin, at - begin));
}
bool WordBeginsAt(std::string_view line, size_t at) {
  if (at == line.size()) return false;
  size_t end = at + 1;
  while (end < line.size() && end - at < 4 && IsContinuation(line[end])) ++end;
  return IsWordCharacter(line.substr(at, end - at));
}

}  // namespace

LineMatcher::LineMatcher(const LineMatcherOptions& options) : options_(options) {}

LineMatcher::~LineMatcher() = default;

absl::StatusOr<std::unique_ptr<LineMatcher>> LineMatcher::Create(
    std::string_view patterns, const LineMatcherOptions& options) {
  auto matcher = std::unique_ptr<LineMatcher>(new LineMatcher(options));
  SKEP_RETURN_IF_ERROR(matcher->Compile(patterns));
  return matcher;
}

absl::Status LineMatcher::Compile(std::string_view patterns) {
  RE2::Options regex_options;
  regex_options.set_case_sensitive(!options_.ignore_case);
  regex_options.set_never_nl(true);
  regex_options.set_log_errors(false);
  regex_options.set_max_mem(kRegexMemory);
  // A string may hold any bytes; as Latin-1 each stands for itself.
  if (options_.fixed && !options_.ignore_case) {
    regex_options.set_encoding(RE2::Options::EncodingLatin1);
  }
  std::string all;
  bool literals_known = true;
  finders_decide_ = options_.fixed && !options_.whole_words && !options_.whole_lines;
  for (const std::string_view pattern : SplitLines(patterns)) {
    std::string expression(pattern);
    if (options_.fixed) expression = RE2::QuoteMeta(ToRe2(pattern));
    // By itself first: within the group below, "a)(b" would pass.
    const RE2 alone(expression, regex_options);
    if (!alone.ok()) {
      return InvalidArgument("\"", pattern,
                             "\" is no regular expression: ", alone.error());
    }
    line_by_line_ |= !options_.fixed &&
                     (pattern.find("\\A") != kNone || pattern.find("\\z") != kNone);
    StrAppend(&all, all.empty() ? "(?:" : "|(?:", expression, ")");

    std::vector<std::string> literals;
    if (options_.fixed && !options_.ignore_case) {
      literals.emplace_back(pattern);
    } else {
      literals = RequiredLiterals(expression, options_.ignore_case);
    }
    literals_known &= !literals.empty();
    for (const std::string& literal : literals) {
      finders_decide_ &= literal.size() == pattern.size();
      finders_.emplace_back(literal, options_.ignore_case, options_.path);
    }
  }
  if (!literals_known || finders_.size() > kMaxFinders) {
    finders_.clear();
    finders_decide_ = false;
  }
  if (!options_.ignore_case && !line_by_line_) {
    automaton_ =
        LineAutomaton::Create(options_.whole_lines ? StrCat("^(?:", all, ")$") : all);
  }
  all =
      options_.whole_lines ? StrCat("(?m:^(?:", all, ")$)") : StrCat("(?m:", all, ")");
  regex_ = std::make_unique<RE2>(all, regex_options);
  // \C is any byte, the line end, too, which never_nl keeps from all else.
  ending_ = std::make_unique<RE2>(StrCat("\\C*?", all), regex_options);
  regex_options.set_longest_match(true);
  longest_ = std::make_unique<RE2>(all, regex_options);
  for (const auto* regex : {&regex_, &ending_, &longest_}) {
    if ((*regex)->ok()) continue;
    return InvalidArgument("\"", patterns,
                           "\" is too large a regular expression: ", (*regex)->error());
  }
  return absl::OkStatus();
}

bool LineMatcher::Matches(std::string_view line) const {
  if (options_.whole_words && !options_.whole_lines)
    return FindWord(line, 0).has_value();
  if (automaton_ && !line.empty()) return automaton_->Find(line, 0) != kNone;
  return regex_->Match(ToRe2(line), 0, line.size(), RE2::UNANCHORED, nullptr, 0);
}

std::optional<LineMatcher::Match> LineMatcher::FindMatch(std::string_view line,
                                                         size_t from) const {
  re2::StringPiece match;
  if (!longest_->Match(ToRe2(line), from, line.size(), RE2::UNANCHORED, &match, 1)) {
    return std::nullopt;
  }
  return Match{static_cast<size_t>(match.data() - line.data()), match.size()};
}

// At each place where a match begins, the longest match that ends at the end of a word;
// as GNU grep searches.
std::optional<LineMatcher::Match> LineMatcher::FindWord(std::string_view line,
                                                        size_t from) const {
  while (from <= line.size()) {
    const std::optional<Match> found = FindMatch(line, from);
    if (!found) return std::nullopt;
    if (!WordEndsBefore(line, found->begin)) {
      size_t size = found->size;
      while (true) {
        if (!WordBeginsAt(line, found->begin + size)) return Match{found->begin, size};
        if (size == 0) break;
        re2::StringPiece match;
        if (!longest_->Match(ToRe2(line), found->begin, found->begin + size - 1,
                             RE2::ANCHOR_START, &match, 1)) {
          break;
        }
        size = match.size();
      }
    }
    from = found->begin + 1;
  }
  return std::nullopt;
}

void LineMatcher::ForEachMatch(
    std::string_view line,
    const std::function<void(size_t offset, std::string_view match)>& visit) const {
  const bool words = options_.whole_words && !options_.whole_lines;
  for (size_t from = 0; from < line.size();) {
    const std::optional<Match> match =
        words ? FindWord(line, from) : FindMatch(line, from);
    if (!match) return;
    if (match->size > 0) visit(match->begin, line.substr(match->begin, match->size));
    from = match->begin + std::max<size_t>(match->size, 1);
  }
}

size_t LineMatcher::FindLine(std::string_view text, size_t from,
                             std::vector<size_t>* found) const {
  if (finders_.empty() && !line_by_line_ && !options_.whole_words) {
    return FindLineByRegex(text, from);
  }
  while (from < text.size()) {
    size_t at = finders_.empty() ? from : kNone;
    for (size_t i = 0; i < finders_.size(); ++i) {
      size_t& place = (*found)[i];
      if (place != kNone && place < from) place = finders_[i].Find(text, from);
      at = std::min(at, place);
    }
    if (at == kNone || finders_decide_) return at;
    // An empty string stands after the last line end, too, in no line.
    if (at == text.size()) return kNone;
    const size_t start = LineStart(text, at), end = LineEnd(text, at);
    if (Matches(text.substr(start, end - start))) return start;
    from = end + 1;
  }
  return kNone;
}

size_t LineMatcher::FindLineByRegex(std::string_view text, size_t from) const {
  if (automaton_) return automaton_->Find(text, from);
  size_t window = kNear;
  while (from < text.size()) {
    const size_t end = LineEnd(text, std::min(from + window, text.size()));
    re2::StringPiece before;  // from `from` to the end of the first match
    const bool maybe = window == kNear || regex_->Match(ToRe2(text), from, end,
                                                        RE2::UNANCHORED, nullptr, 0);
    if (maybe &&
        ending_->Match(ToRe2(text), from, end, RE2::ANCHOR_START, &before, 1)) {
      return from + before.size();
    }
    window = kWindow;
    from = end + 1;
  }
  return kNone;
}

uint64_t LineMatcher::ForEachLine(std::string_view text,
                                  const std::function<bool(const Line&)>& visit) const {
  uint64_t number = 0;  // of the line at `from`
  size_t from = 0;
  const auto visit_line = [&](size_t start, size_t end) {
    return visit(
        {.text = text.substr(start, end - start), .offset = start, .number = number});
  };
  std::vector<size_t> found;
  for (const StringFinder& finder : finders_) found.push_back(finder.Find(text));
  while (from < text.size()) {
    const size_t match = FindLine(text, from, &found);
    // An empty match after the last '\n' is in no line.
    const bool in_line = match != kNone && (match < text.size() || text.back() != '\n');
    const size_t start = in_line ? LineStart(text, match) : text.size();
    if (options_.invert) {
      while (from < start) {
        const size_t end = LineEnd(text, from);
        if (!visit_line(from, end)) return 0;
        ++number;
        from = end + 1;
      }
    } else if (options_.number_lines) {
      number += CountLineEnds(text.substr(from, start - from), options_.path);
      if (!in_line && text.back() != '\n') ++number;
    }
    if (!in_line) break;
    const size_t end = LineEnd(text, match);
    if (!options_.invert && !visit_line(start, end)) return 0;
    ++number;
    from = end + 1;
  }
  return options_.number_lines ? number : 0;
}

}  // namespace skep
