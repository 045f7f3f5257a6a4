// What the kernels are compared with in the same run: the plain way to do the same,
// written to be simple rather than fast.

#ifndef SKEP_TESTS_BENCH_BASELINES_H_
#define SKEP_TESTS_BENCH_BASELINES_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace skep {

// N-Queens by bit masks, row by row.
uint64_t PlainWholeQueens(int n);
// The same, the left half of the board doubled.
uint64_t PlainQueens(int n);

// A solution of the puzzle, 81 digits, by Knuth's dancing links (Algorithm X, 2000); ""
// if it has none. Adds to `guesses`, if given, how often it tried one of several
// choices.
std::string DancingLinksSolution(std::string_view puzzle, uint64_t* guesses = nullptr);
// The same by trying every digit that its row, column and box leave, in the cell that
// has the fewest.
std::string NaiveSolution(std::string_view puzzle, uint64_t* guesses = nullptr);

// Words between blanks, counted in a std::unordered_map.
std::unordered_map<std::string, uint64_t> PlainWordCount(std::string_view text);
// The same by sorting all words and counting those that are equal, in byte order.
std::vector<std::pair<std::string_view, uint64_t>> SortedWordCount(
    std::string_view text);

// Distinct words by ICU's breaks, folded and composed one by one; the same table.
size_t PlainUnicodeWordCount(std::string_view text);

// The sum of all words of the memory, four at a time.
uint64_t ReadMemory(std::span<const uint64_t> words);

// The sum of integers, one a line, read by strtoll. The text ends with a line end.
int64_t PlainParse(std::string_view text);

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_BASELINES_H_
