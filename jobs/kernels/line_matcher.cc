#include "jobs/kernels/line_matcher.h"

#include <re2/re2.h>
#include <string.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <utility>
#include <vector>

#include "base/status.h"
#include "jobs/kernels/class_search.h"
#include "jobs/kernels/line_expression.h"
#include "jobs/kernels/required_literal.h"
#include "jobs/kernels/string_search.h"

namespace skep {
namespace {

constexpr size_t kNone = std::string_view::npos;
// What RE2 looks at before it is asked where in it a match is: a "no" costs half of
// that. Near the last match it is asked at once.
constexpr size_t kWindow = 32 << 10;
constexpr size_t kNear = 512;
// Each reads the text once; an automaton for more strings is faster.
constexpr size_t kMaxFinders = 8;
constexpr size_t kMaxClassFinders = 3;
// Of the text, how much may be looked at line by line in vain before the automaton
// takes over, which does not stop for each line.
constexpr size_t kFreeTries = 4096;
constexpr size_t kTriesShare = 4;
// What the automaton looks at before the first line of it is visited.
constexpr size_t kAutomatonWindow = 64 << 10;
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

// Whether it could tell the ends of the text from those of a line, or match a line end.
bool MindsTheText(std::string_view pattern) {
  for (const std::string_view escape : {"\\A", "\\z", "\\C"}) {
    if (pattern.find(escape) != kNone) return true;
  }
  // "(?-m:" and the like.
  for (size_t at = pattern.find("(?"); at != kNone; at = pattern.find("(?", at + 1)) {
    const size_t flags = pattern.find_first_not_of("imsU-", at + 2);
    if (pattern.substr(at, flags - at).find('m') != kNone) return true;
  }
  return false;
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
  bool finders_known = true;
  finders_decide_ = !options_.whole_words && !options_.whole_lines;
  for (const std::string_view pattern : SplitLines(patterns)) {
    std::string expression(pattern);
    if (options_.fixed) expression = RE2::QuoteMeta(ToRe2(pattern));
    // By itself first: within the group below, "a)(b" would pass.
    const RE2 alone(expression, regex_options);
    if (!alone.ok()) {
      return InvalidArgument("\"", pattern,
                             "\" is no regular expression: ", alone.error());
    }
    // What is quoted to the end would quote the end of the group.
    if (!options_.fixed && pattern.find("\\Q") != kNone &&
        RE2(expression + "\\E", regex_options).ok()) {
      expression += "\\E";
    }
    line_by_line_ |= !options_.fixed && MindsTheText(pattern);
    StrAppend(&all, all.empty() ? "(?:" : "|(?:", expression, ")");

    finders_known = finders_known && AddFinders(pattern, expression);
  }
  if (!finders_known || finders_.size() > kMaxFinders) {
    finders_.clear();
    finders_decide_ = false;
  }
  if (!finders_decide_ || finders_.size() != 1) match_shape_.reset();
  if (!line_by_line_) {
    automaton_ = LineAutomaton::Create(
        options_.whole_lines ? StrCat("^(?:", all, ")$") : all, options_.ignore_case);
  }
  all =
      options_.whole_lines ? StrCat("(?m:^(?:", all, ")$)") : StrCat("(?m:", all, ")");
  regex_ = std::make_unique<RE2>(all, regex_options);
  // \C is any byte, the line end, too, which never_nl keeps from all else.
  ending_ = std::make_unique<RE2>(StrCat("\\C*?", all), regex_options);
  // Of strings, FindWord does not look at more places than they have bytes.
  if (options_.whole_words && !options_.whole_lines && !line_by_line_ &&
      regex_options.encoding() == RE2::Options::EncodingUTF8) {
    constexpr char kNoWord[] = "[^\\pL\\pN_]";
    characters_ = std::make_unique<RE2>("(?s:.*)", regex_options);
    words_ = std::make_unique<RE2>(
        StrCat("(?s:.*", kNoWord, ")?", all, "(?s:", kNoWord, ".*)?"), regex_options);
    if (!words_->ok()) words_.reset();
  }
  regex_options.set_longest_match(true);
  longest_ = std::make_unique<RE2>(all, regex_options);
  for (const auto* regex : {&regex_, &ending_, &longest_}) {
    if ((*regex)->ok()) continue;
    return InvalidArgument("\"", patterns,
                           "\" is too large a regular expression: ", (*regex)->error());
  }
  return absl::OkStatus();
}

bool LineMatcher::AddFinders(std::string_view pattern, const std::string& expression) {
  const bool bytes = options_.fixed && !options_.ignore_case;
  const std::vector<std::string> literals =
      bytes ? std::vector<std::string>{std::string(pattern)}
            : RequiredLiterals(expression, options_.ignore_case);
  const bool is_literal = literals.size() == 1 && literals[0].size() == pattern.size();
  std::vector<ClassSequence> sequences;
  if (!is_literal) {
    sequences = RequiredClasses(expression, options_.ignore_case);
  }
  double literals_share = 0, sequences_share = 0;
  for (const std::string& literal : literals) {
    double share = 1;
    for (const char c : literal) {
      share *= ByteShare(ByteSet().set(static_cast<uint8_t>(c)));
    }
    literals_share += share;
  }
  bool exact = true;
  for (const ClassSequence& sequence : sequences) {
    double share = 1;
    for (const ByteSet& bytes : sequence.classes) share *= ByteShare(bytes);
    sequences_share += share;
    exact &= sequence.exact;
  }
  const bool by_classes =
      !sequences.empty() && sequences.size() <= kMaxClassFinders &&
      (literals.empty() || exact || sequences_share < literals_share);
  match_shape_.reset();
  if (by_classes) {
    if (const ClassSequence& first = sequences[0]; first.whole) {
      match_shape_ = {first.classes.size(), first.before, first.after,
                      first.most_after};
    }
    for (const ClassSequence& sequence : sequences) {
      finders_.emplace_back(
          [finder = ClassFinder(sequence.classes, options_.path)](
              std::string_view text, size_t from) { return finder.Find(text, from); });
    }
    finders_decide_ &= exact;
    return true;
  }
  for (const std::string& literal : literals) {
    finders_.emplace_back(
        [finder = StringFinder(literal, options_.ignore_case, options_.path)](
            std::string_view text, size_t from) { return finder.Find(text, from); });
  }
  finders_decide_ &= is_literal;
  if (is_literal && !pattern.empty()) {
    match_shape_ = MatchShape{.size = pattern.size(), .before = {}, .after = {}};
  }
  return !literals.empty();
}

bool LineMatcher::Matches(std::string_view line) const {
  if (words_) return MatchesWords(line);
  if (options_.whole_words && !options_.whole_lines) {
    return FindWord(line, 0).has_value();
  }
  if (automaton_) return automaton_->Find(line, 0) != kNone;
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

// FindWord may try all pairs of places; this is linear. An expression matches
// characters only, so a match lies within a run of them, and what is no UTF-8 is in no
// word.
bool LineMatcher::MatchesWords(std::string_view line) const {
  for (size_t from = 0; from <= line.size();) {
    re2::StringPiece run;
    characters_->Match(ToRe2(line), from, line.size(), RE2::ANCHOR_START, &run, 1);
    const size_t end = from + run.size();
    if (words_->Match(ToRe2(line), from, end, RE2::ANCHOR_BOTH, nullptr, 0))
      return true;
    from = end + 1;
  }
  return false;
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
    while (from <= line.size() && WordEndsBefore(line, from)) ++from;
  }
  return std::nullopt;
}

void LineMatcher::ForEachShaped(
    std::string_view line,
    const std::function<void(size_t offset, std::string_view match)>& visit) const {
  const auto& [size, before, after, most_after] = *match_shape_;
  const auto is_in = [](const ByteSet& bytes, char c) {
    return bytes[static_cast<uint8_t>(c)];
  };
  size_t from = 0;  // behind the last match
  for (size_t at = finders_[0](line, 0); at != kNone; at = finders_[0](line, from)) {
    size_t begin = at, end = at + size, left = most_after;
    while (begin > from && is_in(before, line[begin - 1])) --begin;
    while (end < line.size() && left > 0 && is_in(after, line[end])) ++end, --left;
    visit(begin, line.substr(begin, end - begin));
    from = end;
  }
}

void LineMatcher::ForEachMatch(
    std::string_view line,
    const std::function<void(size_t offset, std::string_view match)>& visit) const {
  if (match_shape_) return ForEachShaped(line, visit);
  const bool words = options_.whole_words && !options_.whole_lines;
  for (size_t from = 0; from < line.size();) {
    const std::optional<Match> match =
        words ? FindWord(line, from) : FindMatch(line, from);
    if (!match) return;
    if (match->size > 0) visit(match->begin, line.substr(match->begin, match->size));
    from = match->begin + std::max<size_t>(match->size, 1);
  }
}

// How far the search of one text has come.
struct LineMatcher::Search {
  std::vector<size_t> found;  // where each finder found something last
  size_t tried = 0;           // bytes of lines that held what was found, but no match
  bool by_automaton = false;
  // What the automaton has looked at, and the places that it found in there.
  size_t window_begin = 0;
  size_t window_end = 0;
  std::vector<uint64_t> places;
};

size_t LineMatcher::FindLine(std::string_view text, size_t from, Search* search) const {
  const bool words = options_.whole_words && !options_.whole_lines;
  if (finders_.empty() && !automaton_ && !line_by_line_ && !words) {
    return FindByRegex(text, from);
  }
  while (from < text.size()) {
    const bool by_automaton = automaton_ && (finders_.empty() || search->by_automaton);
    size_t at = from;
    if (by_automaton) {
      at = FindByAutomaton(text, from, search);
    } else if (!finders_.empty()) {
      at = FindByFinders(text, from, search);
    }
    if (at == kNone || (by_automaton ? !words : finders_decide_)) return at;
    // An empty string stands after the last line end, too, in no line.
    if (at == text.size()) return kNone;
    const size_t start = LineStart(text, at), end = LineEnd(text, at);
    if (Matches(text.substr(start, end - start))) return start;
    search->tried += end - start;
    search->by_automaton |= search->tried > kFreeTries + end / kTriesShare;
    from = end + 1;
  }
  return kNone;
}

size_t LineMatcher::FindByFinders(std::string_view text, size_t from,
                                  Search* search) const {
  const bool first = search->found.empty();
  if (first) search->found.resize(finders_.size());
  size_t at = kNone;
  for (size_t i = 0; i < finders_.size(); ++i) {
    size_t& place = search->found[i];
    if (first || (place != kNone && place < from)) place = finders_[i](text, from);
    at = std::min(at, place);
  }
  return at;
}

size_t LineMatcher::FindByAutomaton(std::string_view text, size_t from,
                                    Search* search) const {
  while (true) {
    if (from >= search->window_end) {
      if (from >= text.size()) return kNone;
      const size_t last = LineEnd(text, std::min(from + kAutomatonWindow, text.size()));
      search->window_begin = from;
      search->window_end = std::min(last + 1, text.size());
      automaton_->FindLines(text.substr(from, search->window_end - from),
                            &search->places);
    }
    const size_t skip = from - search->window_begin;
    uint64_t mask = ~0ull << skip % 64;
    for (size_t i = skip / 64; i < search->places.size(); ++i, mask = ~0ull) {
      const uint64_t places = search->places[i] & mask;
      if (places != 0) return search->window_begin + i * 64 + std::countr_zero(places);
    }
    from = search->window_end;
  }
}

size_t LineMatcher::FindByRegex(std::string_view text, size_t from) const {
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
  Search search;
  while (from < text.size()) {
    const size_t match = FindLine(text, from, &search);
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
