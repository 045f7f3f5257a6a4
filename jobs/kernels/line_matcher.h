// The lines of a text that hold a pattern: the kernel of grep.
//
// Searches the text as a whole, not line by line: fixed strings by a vector compare of
// their first and last bytes, regular expressions by RE2 (linear time, whatever the
// pattern). A line ends with '\n'; the last one may lack it. '^' and '$' are the ends
// of a line; a '\r' before the '\n' belongs to the line. A match never spans lines.
//
// Patterns are UTF-8; in the text, bytes that are not are matched by no '.'.

#ifndef SKEP_JOBS_KERNELS_LINE_MATCHER_H_
#define SKEP_JOBS_KERNELS_LINE_MATCHER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace re2 {
class RE2;
}

namespace skep {

struct LineMatcherOptions {
  bool fixed = false;        // the pattern is a string, not a regular expression
  bool ignore_case = false;  // Unicode's simple case folding
  bool invert = false;       // the lines without the pattern
};

// Thread-safe once made.
class LineMatcher {
 public:
  struct Line {
    std::string_view text;  // without its '\n'
    uint64_t offset = 0;    // of its first byte in the text
    uint64_t number = 0;    // lines before it in the text
  };

  // InvalidArgument for what is no regular expression or holds a line end.
  static absl::StatusOr<std::unique_ptr<LineMatcher>> Create(
      std::string_view pattern, const LineMatcherOptions& options);
  ~LineMatcher();

  // Calls visit for each selected line, in order. Returns the number of lines of the
  // text, so that a caller with several pieces can number them through.
  uint64_t ForEachLine(std::string_view text,
                       const std::function<void(const Line&)>& visit) const;

 private:
  LineMatcher(std::string_view pattern, const LineMatcherOptions& options);

  // A place of the first line with a match that starts at or after `from`, which is the
  // start of a line; npos for none.
  size_t FindMatch(std::string_view text, size_t from) const;
  size_t FindMatchByLine(std::string_view text, size_t from) const;

  std::string pattern_;
  LineMatcherOptions options_;
  std::unique_ptr<re2::RE2> regex_;  // null: search for pattern_ itself
  // The pattern asks for the ends of the text (\A, \z) and must see one line at a time.
  bool line_by_line_ = false;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_LINE_MATCHER_H_
