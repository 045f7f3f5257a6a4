// Words of ASCII text as Unicode tells them apart (UAX #29), at the speed of the
// tokenizer: what ICU's root rules say of such text, and held against ICU by the tests.
//
// Letters, digits and '_' make words; '@' is a letter to ICU. Between two letters or
// two digits '.' and '\'' belong to the word ("don't", "3.14"), between two digits ','
// and
// ';', too ("1,000"). A '_' alone is no word.

#ifndef SKEP_JOBS_KERNELS_ASCII_WORDS_H_
#define SKEP_JOBS_KERNELS_ASCII_WORDS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/cpu_path.h"
#include "jobs/kernels/tokenizer.h"

namespace skep {

// masks[i] bit j = whether part[64 * i + j] belongs to a word; 0 beyond the end. `part`
// begins at `start` of the text, which is ASCII. Writes ceil(part.size() / 64) masks.
void FindAsciiWordBytes(std::string_view text, size_t start, std::string_view part,
                        uint64_t* masks, CpuPath path = BestCpuPath());

// Where the first byte at or after `from` is that is not ASCII; the text's size if
// none.
size_t FindNonAscii(std::string_view text, size_t from, CpuPath path = BestCpuPath());

// Calls visit(std::string_view word) for each word of an ASCII text, in order. The
// words are views into the text.
template <typename Visit>
void ForEachAsciiWord(std::string_view text, Visit&& visit,
                      CpuPath path = BestCpuPath()) {
  ForEachRun(
      text,
      [text, path](size_t start, std::string_view part, uint64_t* masks) {
        FindAsciiWordBytes(text, start, part, masks, path);
      },
      std::forward<Visit>(visit), path);
}

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_ASCII_WORDS_H_
