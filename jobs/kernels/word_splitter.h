// Which words of a text are counted: how they are told apart, which are left out, and
// sequences of them.
//
// The pieces go together in this order: words are found (runs of bytes between white
// space, what a regular expression matches, or words by Unicode's rules), their case is
// folded, short ones and stop words are left out, and what stands side by side in a
// line is joined to n-grams with one space. A word that was left out parts its
// neighbours.

#ifndef SKEP_JOBS_KERNELS_WORD_SPLITTER_H_
#define SKEP_JOBS_KERNELS_WORD_SPLITTER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "absl/status/statusor.h"
#include "base/cpu_path.h"

namespace re2 {
class RE2;
}

namespace skep {

class UnicodeWords;

struct WordSplitterOptions {
  std::string pattern;   // RE2's syntax; "": what stands between white space
  bool unicode = false;  // words and characters of UTF-8 (unicode_words.h)
  bool ignore_case =
      false;               // A-Z count as a-z, other bytes stay; all of Unicode's case
  size_t min_length = 0;   // bytes, or characters (code points)
  std::string stop_words;  // divided as the text, without the pattern; folded alike
  size_t ngrams = 1;       // words joined; at least 1
  CpuPath path = BestCpuPath();
};

// Not thread-safe: keeps buffers for the next text.
class WordSplitter {
 public:
  // InvalidArgument for what is no regular expression, and one together with `unicode`.
  static absl::StatusOr<std::unique_ptr<WordSplitter>> Create(
      const WordSplitterOptions& options);
  ~WordSplitter();

  // Calls visit with the words, in order, in batches. The words are valid during the
  // call. Neither words nor n-grams span lines, so a text may be cut at any line end.
  using Visit = std::function<void(std::span<const std::string_view> words)>;
  void ForEach(std::string_view text, const Visit& visit);

 private:
  explicit WordSplitter(const WordSplitterOptions& options);

  absl::Status Prepare();
  bool IsLeftOut(std::string_view word) const;
  // Those of a batch that are not left out.
  void VisitKept(std::span<const std::string_view> words, const Visit& visit);
  void FindInLine(std::string_view line, const Visit& visit);
  // A word of this line; "" parts those before it from those behind.
  void Take(std::string_view word, const Visit& visit);
  void Flush(const Visit& visit);

  const WordSplitterOptions options_;
  std::unordered_set<std::string_view> stop_words_;  // views of stop_text_
  std::string stop_text_;
  std::unique_ptr<re2::RE2> regex_;
  std::unique_ptr<UnicodeWords> unicode_;  // without both: between white space
  std::vector<std::string_view> kept_;
  std::string folded_;
  std::vector<std::string_view> neighbours_;  // at most ngrams - 1
  // A batch; joined words lie in joined_, which never grows beyond its capacity.
  std::vector<std::string_view> batch_;
  std::string joined_;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_WORD_SPLITTER_H_
