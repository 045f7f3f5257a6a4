// Words of a text: maximal runs of bytes other than space, \t, \r, \n, \v and \f. Bytes
// are bytes: UTF-8, other encodings and NUL pass through unchanged.
//
//   ForEachWord(block, [&](std::string_view word) { table.Add(word, 1); });
//
// A vector compare turns 64 bytes into a mask of word bytes; the places where the mask
// changes are the ends of words, walked with count-trailing-zeros, or with AVX-512
// written out by compressing vectors, without a branch on how many there are. A word
// that reaches the end of the text ends there: cut texts at white space.

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

// The places i at which bit i of the masks differs from the one before it: where words
// begin and end, in turn. `before` is the bit before the first, and becomes the last.
// Writes them, and up to kMoreEdges behind them that mean nothing. How many. AVX-512.
inline constexpr size_t kMoreEdges = 16;
size_t FindEdges(std::span<const uint64_t> masks, uint64_t* before, uint32_t* edges);

// What ForEachRun has of a word that has not ended.
struct OpenRun {
  const char* begin = nullptr;
  uint64_t before = 0;  // whether the byte before belongs to a word
};

// Calls visit for the runs that end in `part`.
template <typename Visit>
void VisitRunsByEdges(std::string_view part, std::span<const uint64_t> masks,
                      std::span<uint32_t> edges, OpenRun* open, Visit&& visit) {
  const char* const base = part.data();
  const size_t count = FindEdges(masks, &open->before, edges.data());
  size_t i = 0;
  if (open->begin != nullptr && count > 0) {
    visit(std::string_view(open->begin, base + edges[i++] - open->begin));
    open->begin = nullptr;
  }
  for (; i + 2 <= count; i += 2) {
    visit(std::string_view(base + edges[i], edges[i + 1] - edges[i]));
  }
  if (i < count) open->begin = base + edges[i];
}

template <typename Visit>
void VisitRunsByBits(std::string_view part, std::span<const uint64_t> masks,
                     OpenRun* open, Visit&& visit) {
  const char* base = part.data();
  for (const uint64_t mask : masks) {
    uint64_t edges = mask ^ (mask << 1 | open->before);
    open->before = mask >> 63;
    if (edges != 0 && open->begin != nullptr) {
      visit(
          std::string_view(open->begin, base + std::countr_zero(edges) - open->begin));
      edges &= edges - 1;
      open->begin = nullptr;
    }
    while (edges != 0) {
      const char* first = base + std::countr_zero(edges);
      edges &= edges - 1;
      if (edges == 0) {
        open->begin = first;
        break;
      }
      visit(std::string_view(first, base + std::countr_zero(edges) - first));
      edges &= edges - 1;
    }
    base += 64;
  }
}

// Calls visit(std::string_view run) for each maximal run of bytes whose bits are set,
// in order. find(start, part, masks) sets them for `part`, which begins at `start` of
// the text, as FindWordBytes does.
template <typename Find, typename Visit>
void ForEachRun(std::string_view text, Find&& find, Visit&& visit,
                CpuPath path = BestCpuPath()) {
  // What stays in the first-level cache beside the text that it is made from.
  constexpr size_t kMasks = 64;
  uint64_t masks[kMasks];
  uint32_t edges[64 * kMasks + kMoreEdges];
  OpenRun open;
  for (size_t start = 0; start < text.size(); start += 64 * kMasks) {
    const std::string_view part = text.substr(start, 64 * kMasks);
    find(start, part, masks);
    const std::span<const uint64_t> found(masks, (part.size() + 63) / 64);
    if (path == CpuPath::kAvx512) {
      VisitRunsByEdges(part, found, edges, &open, visit);
    } else {
      VisitRunsByBits(part, found, &open, visit);
    }
  }
  if (open.begin != nullptr) {
    visit(std::string_view(open.begin, text.data() + text.size() - open.begin));
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
      visit, path);
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
