// Words of a text: maximal runs of bytes other than space, \t, \r, \n, \v and \f. Bytes
// are bytes: UTF-8, other encodings and NUL pass through unchanged.
//
//   ForEachWord(block, [&](std::string_view word) { table.Add(word, 1); });
//
// A vector compare turns 64 bytes into a mask of word bytes; the places where the mask
// changes are the ends of words, walked with count-trailing-zeros. A word that reaches
// the end of the text ends there: cut texts at white space.

#ifndef SKEP_JOBS_KERNELS_TOKENIZER_H_
#define SKEP_JOBS_KERNELS_TOKENIZER_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/cpu_path.h"

namespace skep {

constexpr bool IsWordSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// masks[i] bit j = whether text[64 * i + j] belongs to a word; 0 beyond the end. Writes
// ceil(size / 64) masks.
void FindWordBytes(std::string_view text, uint64_t* masks,
                   CpuPath path = BestCpuPath());

// Copies `in` to `out`, which has room for as many bytes, with A-Z as a-z. `out` may be
// in.data().
void FoldAsciiCase(std::string_view in, char* out, CpuPath path = BestCpuPath());

// Calls visit(std::string_view run) for each maximal run of bytes whose bits are set,
// in order. find(start, part, masks) sets them for `part`, which begins at `start` of
// the text, as FindWordBytes does.
template <typename Find, typename Visit>
void ForEachRun(std::string_view text, Find&& find, Visit&& visit) {
  // As many masks as stay in the first-level cache beside the text they are made from.
  constexpr size_t kMasks = 64;
  uint64_t masks[kMasks];
  const char* word = nullptr;  // the start of a word that has not ended
  uint64_t before = 0;         // whether the byte before belongs to a word
  for (size_t start = 0; start < text.size(); start += 64 * kMasks) {
    const std::string_view part = text.substr(start, 64 * kMasks);
    find(start, part, masks);
    const char* base = part.data();
    for (size_t i = 0; i < (part.size() + 63) / 64; ++i, base += 64) {
      uint64_t edges = masks[i] ^ (masks[i] << 1 | before);
      before = masks[i] >> 63;
      if (edges == 0) continue;
      if (word != nullptr) {
        visit(std::string_view(word, base + std::countr_zero(edges) - word));
        edges &= edges - 1;
        word = nullptr;
      }
      while (edges != 0) {
        const char* first = base + std::countr_zero(edges);
        edges &= edges - 1;
        if (edges == 0) {
          word = first;
          break;
        }
        visit(std::string_view(first, base + std::countr_zero(edges) - first));
        edges &= edges - 1;
      }
    }
  }
  if (word != nullptr) {
    visit(std::string_view(word, text.data() + text.size() - word));
  }
}

// Calls visit(std::string_view word) for each word of the text, in order. The words are
// views into the text.
template <typename Visit>
void ForEachWord(std::string_view text, Visit&& visit, CpuPath path = BestCpuPath()) {
  ForEachRun(
      text,
      [path](size_t, std::string_view part, uint64_t* masks) {
        FindWordBytes(part, masks, path);
      },
      visit);
}

// The same words in batches of up to kWordBatch: for tables that prefetch. Calls
// visit(std::span<const std::string_view> words).
inline constexpr size_t kWordBatch = 64;
template <typename Visit>
void ForEachWords(std::string_view text, Visit&& visit, CpuPath path = BestCpuPath()) {
  std::string_view batch[kWordBatch];
  size_t size = 0;
  ForEachWord(
      text,
      [&](std::string_view word) {
        batch[size] = word;
        if (++size < kWordBatch) return;
        visit(std::span<const std::string_view>(batch, size));
        size = 0;
      },
      path);
  if (size > 0) visit(std::span<const std::string_view>(batch, size));
}

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_TOKENIZER_H_
