// The lines of a text that hold a pattern: the kernel of grep.
//
// Searches the text as a whole, not line by line: a string by vector compares
// (string_search.h), a regular expression by a string (required_literal.h) or classes
// of bytes (line_expression.h, class_search.h) that it cannot match without and then,
// if they do not decide, on the line. Where those stand too often, or there are none,
// it searches by the expression itself: by an automaton of ours where we know it all
// (line_automaton.h), else by RE2: linear time, whatever the pattern. A line ends with
// '\n'; the last one may lack it. '^' and '$' are the ends of a line; a '\r' before the
// '\n' belongs to the line. A match never spans lines.
//
// Patterns are UTF-8; in the text, bytes that are not are matched by no '.'.

#ifndef SKEP_JOBS_KERNELS_LINE_MATCHER_H_
#define SKEP_JOBS_KERNELS_LINE_MATCHER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/cpu_path.h"
#include "jobs/kernels/line_automaton.h"
#include "jobs/kernels/line_expression.h"

namespace re2 {
class RE2;
}

namespace skep {

struct LineMatcherOptions {
  bool fixed = false;         // the patterns are strings, not regular expressions
  bool ignore_case = false;   // Unicode's simple case folding
  bool invert = false;        // the lines without the pattern
  bool whole_words = false;   // no letter, digit or '_' before or after a match
  bool whole_lines = false;   // a match is a whole line; outweighs whole_words
  bool number_lines = false;  // Line.number and the number of lines are wanted
  CpuPath path = BestCpuPath();
};

// Thread-safe once made.
class LineMatcher {
 public:
  struct Line {
    std::string_view text;  // without its '\n'
    uint64_t offset = 0;    // of its first byte in the text
    uint64_t number = 0;    // lines before it in the text, if wanted
  };

  // Several patterns stand on a line each; a line that holds one is selected.
  // InvalidArgument for what is no regular expression.
  static absl::StatusOr<std::unique_ptr<LineMatcher>> Create(
      std::string_view patterns, const LineMatcherOptions& options);
  ~LineMatcher();

  // Calls visit for each selected line, in order, until it returns false. Returns the
  // number of lines of the text if they are numbered and were all looked at, so that a
  // caller with several pieces can number them through; else 0.
  uint64_t ForEachLine(std::string_view text,
                       const std::function<bool(const Line&)>& visit) const;

  // Calls visit for each match in a line, from left to right, the longest ones, none
  // empty (grep's -o). Whole words take the square of what matches but for its end, as
  // `a+` in one long run of a before a '_'; to select the line does not. Whether the
  // options invert does not matter.
  void ForEachMatch(
      std::string_view line,
      const std::function<void(size_t offset, std::string_view match)>& visit) const;

 private:
  struct Match {
    size_t begin;
    size_t size;
  };
  // Where something first stands in the text at or after `from`; npos if nowhere.
  using Finder = std::function<size_t(std::string_view text, size_t from)>;
  struct Search;

  explicit LineMatcher(const LineMatcherOptions& options);
  absl::Status Compile(std::string_view patterns);

  bool Matches(std::string_view line) const;
  void ForEachShaped(
      std::string_view line,
      const std::function<void(size_t offset, std::string_view match)>& visit) const;
  // The leftmost match at or after `from`, the longest there.
  std::optional<Match> FindMatch(std::string_view line, size_t from) const;
  std::optional<Match> FindWord(std::string_view line, size_t from) const;
  bool MatchesWords(std::string_view line) const;

  // What a pattern cannot match without. False if that is not known.
  bool AddFinders(std::string_view pattern, const std::string& expression);

  // A place within the first line with a match among those that start at or after
  // `from`, which is the start of a line; npos for none.
  size_t FindLine(std::string_view text, size_t from, Search* search) const;
  size_t FindByFinders(std::string_view text, size_t from, Search* search) const;
  size_t FindByAutomaton(std::string_view text, size_t from, Search* search) const;
  size_t FindByRegex(std::string_view text, size_t from) const;

  const LineMatcherOptions options_;
  std::vector<Finder> finders_;  // every match holds what one finds; may be none
  bool finders_decide_ = false;  // a line with one is a match
  // If known: there is one finder, and a match is what it finds, so long, all bytes of
  // `before` right before it, and of `after` behind it, up to so many.
  struct MatchShape {
    size_t size = 0;
    ByteSet before, after;
    size_t most_after = 0;
  };
  std::optional<MatchShape> match_shape_;
  std::unique_ptr<re2::RE2> regex_;
  std::optional<LineAutomaton> automaton_;  // the same, where all of it is known
  // A line or run of characters that holds a match of whole words, where words_ is
  // known.
  std::unique_ptr<re2::RE2> words_;
  std::unique_ptr<re2::RE2> characters_;  // the run of them at some place
  std::unique_ptr<re2::RE2> longest_;     // the same, for where matches end
  // Anything and then the same: where the first match ends, in one pass.
  std::unique_ptr<re2::RE2> ending_;
  // The pattern asks for the ends of the text (\A, \z) or for any byte (\C) and must
  // see one line at a time.
  bool line_by_line_ = false;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_LINE_MATCHER_H_
