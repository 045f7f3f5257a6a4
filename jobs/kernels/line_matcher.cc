#include "jobs/kernels/line_matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "jobs/kernels/string_search.h"

namespace skep {
namespace {

constexpr size_t kNone = std::string_view::npos;

re2::StringPiece ToRe2(std::string_view s) { return {s.data(), s.size()}; }

RE2::Options RegexOptions(const LineMatcherOptions& options) {
  RE2::Options regex_options;
  regex_options.set_case_sensitive(!options.ignore_case);
  regex_options.set_never_nl(true);
  regex_options.set_never_capture(true);
  regex_options.set_log_errors(false);
  return regex_options;
}

// Where the line that holds place `at` begins and where its '\n' or the text's end is.
size_t LineStart(std::string_view text, size_t at) {
  return at == 0 ? 0 : text.rfind('\n', at - 1) + 1;  // npos + 1 is 0
}
size_t LineEnd(std::string_view text, size_t at) {
  return std::min(text.find('\n', at), text.size());
}

}  // namespace

LineMatcher::LineMatcher(std::string_view pattern, const LineMatcherOptions& options)
    : pattern_(pattern), options_(options) {}

LineMatcher::~LineMatcher() = default;

absl::StatusOr<std::unique_ptr<LineMatcher>> LineMatcher::Create(
    std::string_view pattern, const LineMatcherOptions& options) {
  if (pattern.find('\n') != kNone) {
    return InvalidArgument(
        "the pattern holds a line end and can match no line; "
        "use one pattern, such as a|b");
  }
  auto matcher = std::unique_ptr<LineMatcher>(new LineMatcher(pattern, options));
  if (options.fixed && !options.ignore_case) return matcher;

  std::string expression(pattern);
  if (options.fixed) expression = RE2::QuoteMeta(ToRe2(pattern));
  // By itself first: within the group below, "a)(b" would pass.
  const RE2 alone(expression, RegexOptions(options));
  if (!alone.ok()) {
    return InvalidArgument("\"", pattern,
                           "\" is no regular expression: ", alone.error());
  }
  matcher->line_by_line_ =
      !options.fixed && (pattern.find("\\A") != kNone || pattern.find("\\z") != kNone);
  matcher->regex_ =
      std::make_unique<RE2>("(?m:" + expression + ")", RegexOptions(options));
  if (!matcher->regex_->ok()) {
    return InvalidArgument("\"", pattern, "\" is too large a regular expression: ",
                           matcher->regex_->error());
  }
  return matcher;
}

size_t LineMatcher::FindMatch(std::string_view text, size_t from) const {
  if (regex_ == nullptr) return FindString(text, pattern_, from);
  if (line_by_line_) return FindMatchByLine(text, from);
  re2::StringPiece match;
  if (!regex_->Match(ToRe2(text), from, text.size(), RE2::UNANCHORED, &match, 1)) {
    return kNone;
  }
  return static_cast<size_t>(match.data() - text.data());
}

size_t LineMatcher::FindMatchByLine(std::string_view text, size_t from) const {
  while (from < text.size()) {
    const size_t end = LineEnd(text, from);
    if (RE2::PartialMatch(ToRe2(text.substr(from, end - from)), *regex_)) return from;
    from = end + 1;
  }
  return kNone;
}

uint64_t LineMatcher::ForEachLine(std::string_view text,
                                  const std::function<void(const Line&)>& visit) const {
  uint64_t number = 0;  // of the line at `from`
  size_t from = 0;
  const auto visit_line = [&](size_t start, size_t end) {
    visit({.text = text.substr(start, end - start), .offset = start, .number = number});
  };
  while (from < text.size()) {
    const size_t match = FindMatch(text, from);
    // An empty match after the last '\n' is in no line.
    const bool found = match != kNone && (match < text.size() || text.back() != '\n');
    const size_t start = found ? LineStart(text, match) : text.size();
    if (options_.invert) {
      while (from < start) {
        const size_t end = LineEnd(text, from);
        visit_line(from, end);
        ++number;
        from = end + 1;
      }
    } else {
      number += CountLineEnds(text.substr(from, start - from));
      if (!found && text.back() != '\n') ++number;
    }
    if (!found) break;
    const size_t end = LineEnd(text, match);
    if (!options_.invert) visit_line(start, end);
    ++number;
    from = end + 1;
  }
  return number;
}

}  // namespace skep
