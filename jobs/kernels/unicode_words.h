// Words of a text in UTF-8 as Unicode tells them apart, in the one form that all ways
// of writing a word share.
//
// A word is a segment between the word boundaries of UAX #29 that ICU tags as one:
// numbers, letters, kana, ideographs; white space, punctuation and emoji are none. The
// rules are those of ICU's root locale, whatever the language: a ':' parts words, '@'
// is a letter, and words of Chinese, Japanese, Thai, Lao, Khmer and Burmese are found
// by dictionary. Words are counted in NFC; with `fold_case` after full case folding, so
// that those are equal that UAX #15 and the Unicode Standard (D145) call canonical
// caseless matches: "Stra\u00dfe" and "STRASSE", but not the dotless i of Turkish and
// i.
//
// Bytes that are not UTF-8 count as U+FFFD, which parts words and is in none. No word
// spans a line end, so that a text may be cut at any.
//
// Between white space, what is ASCII goes by ascii_words.h. What is not goes through
// ICU the first time it is seen; the words found in it are remembered.

#ifndef SKEP_JOBS_KERNELS_UNICODE_WORDS_H_
#define SKEP_JOBS_KERNELS_UNICODE_WORDS_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/cpu_path.h"
#include "base/word_table.h"

namespace skep {

// How many code points UTF-8 holds.
size_t CountCharacters(std::string_view utf8);

// Not thread-safe: keeps what it has learnt, up to some ten megabytes.
class UnicodeWords {
 public:
  // Internal if ICU does not find its rules.
  static absl::StatusOr<std::unique_ptr<UnicodeWords>> Create(
      bool fold_case, CpuPath path = BestCpuPath());
  ~UnicodeWords();

  // Calls visit with the words of the text, in order, in batches. The words of a batch
  // are valid during the call, and those of a line until a word of another line comes
  // or this returns. Lines are shorter than 1 GiB.
  using Visit = std::function<void(std::span<const std::string_view> words)>;
  void ForEach(std::string_view text, const Visit& visit);

 private:
  class Icu;
  class Batch;

  UnicodeWords(bool fold_case, CpuPath path, std::unique_ptr<Icu> icu);

  void VisitLines(std::string_view lines, Batch* batch);
  // What stands between white space.
  void AddToken(std::string_view token, Batch* batch);
  void Forget();

  const bool fold_case_;
  const CpuPath path_;
  const std::unique_ptr<Icu> icu_;
  std::string folded_;
  // The words of tokens seen before: where they begin in known_words_ and how many.
  WordTable known_;
  std::deque<std::string> known_words_;
  std::deque<std::string> new_words_;  // of these lines' tokens that are not remembered
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_UNICODE_WORDS_H_
