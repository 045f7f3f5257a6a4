// What the kernels are compared with in the same run: the plain way to do the same,
// written to be simple rather than fast.

#ifndef SKEP_TESTS_BENCH_BASELINES_H_
#define SKEP_TESTS_BENCH_BASELINES_H_

#include <cstdint>
#include <span>
#include <string_view>

namespace skep {

// N-Queens by bit masks, row by row, the left half of the board doubled. For even n.
uint64_t PlainQueens(int n);

// Whether the puzzle has a solution, by Knuth's dancing links (Algorithm X, 2000).
bool DancingLinksSolves(std::string_view puzzle);

// Distinct words between blanks, counted in a std::unordered_map.
size_t PlainWordCount(std::string_view text);

// Distinct words by ICU's breaks, folded and composed one by one; the same table.
size_t PlainUnicodeWordCount(std::string_view text);

// The sum of all words of the memory, four at a time.
uint64_t ReadMemory(std::span<const uint64_t> words);

// The sum of integers, one a line, read by strtoll. The text ends with a line end.
int64_t PlainParse(std::string_view text);

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_BASELINES_H_
