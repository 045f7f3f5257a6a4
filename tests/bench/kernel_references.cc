#include "tests/bench/kernel_references.h"

namespace skep {
namespace {

constexpr KernelReference kReferences[] = {
    {"N-Queens", "plain bit masks, half of the board", "16 4.2 s, 17 31 s"},
    {"N-Queens", "best backtracker, two rows of look-ahead",
     "16 2.8 s, 17 19.7 s, 18 142 s"},
    {"N-Queens", "best program, quarters met in the middle",
     "16 0.264 s, 17 3.94 s, 18 7.03 s, 19 100 s, 20 403 s"},
    {"Sudoku", "tdoku", "17 clues 267,000/s, magictour 105,900/s, hardest 19,100/s"},
    {"Sudoku", "best band solver in Rust",
     "17 clues 286,000/s, magictour 70,800/s, hardest 11,600/s"},
    {"Sudoku", "JCZSolve", "17 clues 204,000/s, magictour 58,100/s, hardest 9,700/s"},
    {"Sudoku", "dancing links of muduo", "17 clues 25,000/s"},
    {"Words", "countwords, optimized C", "kjv x100 225 MB/s, fails on zipf"},
    {"Words", "Go with a hash table of its own", "kjv x100 138 MB/s, zipf 41 MB/s"},
    {"Words", "prototype with AVX-512", "kjv x100 717 MB/s, zipf 241 MB/s"},
    {"Words", "word_freq of recipes/topk", "zipf 13 MB/s"},
    {"Words", "tr, sort, uniq -c", "zipf 12 MB/s"},
    {"Numbers", "memory read", "2.03 G items/s"},
    {"Numbers", "count below a pivot, AVX-512", "1.70 G items/s"},
    {"Numbers", "filter a window", "1.64 G items/s"},
    {"Numbers", "nth_element", "0.088 G items/s"},
    {"Numbers", "vectorised quickselect", "0.71 G items/s"},
    {"Numbers", "compensated sum of doubles", "1.33 G items/s"},
};

}  // namespace

std::span<const KernelReference> KernelReferences() { return kReferences; }

}  // namespace skep
