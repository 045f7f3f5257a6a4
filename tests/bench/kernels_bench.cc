// What the kernels of jobs/kernels cost, each beside a plain baseline in the same run.
// See README.md for how to run it and what to look at.

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "base/word_table.h"
#include "benchmark/benchmark.h"
#include "jobs/kernels/exact_summary.h"
#include "jobs/kernels/n_queens.h"
#include "jobs/kernels/number_parser.h"
#include "jobs/kernels/queens_halves.h"
#include "jobs/kernels/selection.h"
#include "jobs/kernels/string_search.h"
#include "jobs/kernels/sudoku.h"
#include "jobs/kernels/tokenizer.h"

namespace skep {
namespace {

// --- N-Queens ----------------------------------------------------------------------

uint64_t PlainBitmask(uint32_t board, uint32_t columns, uint32_t left, uint32_t right) {
  if (columns == board) return 1;
  uint64_t count = 0;
  for (uint32_t free = board & ~(columns | left | right); free != 0; free &= free - 1) {
    const uint32_t queen = free & -free;
    count +=
        PlainBitmask(board, columns | queen, (left | queen) << 1, (right | queen) >> 1);
  }
  return count;
}

void BM_QueensPlainBitmask(benchmark::State& state) {
  const uint32_t n = static_cast<uint32_t>(state.range(0));
  for (auto _ : state) {
    uint64_t half = 0;
    for (uint32_t column = 0; column < n / 2; ++column) {
      const uint32_t queen = 1u << column;
      half += PlainBitmask((1u << n) - 1, queen, queen << 1, queen >> 1);
    }
    benchmark::DoNotOptimize(half);
  }
}
BENCHMARK(BM_QueensPlainBitmask)->Arg(14)->Unit(benchmark::kMillisecond);

void BM_QueensByPrefix(benchmark::State& state) {
  for (auto _ : state) {
    uint64_t total = 0;
    for (const QueensPrefix& prefix : QueensPrefixes(state.range(0), 2)) {
      total += prefix.weight * CountQueens(prefix, {}).value();
    }
    benchmark::DoNotOptimize(total);
  }
}
BENCHMARK(BM_QueensByPrefix)->Arg(14)->Unit(benchmark::kMillisecond);

void BM_QueensByHalves(benchmark::State& state) {
  for (auto _ : state) {
    const auto board = QueensHalves::Create(state.range(0)).value();
    benchmark::DoNotOptimize(board->Count(0, board->size(), {}).value());
  }
}
BENCHMARK(BM_QueensByHalves)->DenseRange(14, 17)->Unit(benchmark::kMillisecond);

// --- Sudoku ------------------------------------------------------------------------

std::string DataFile(const char* name) {
  const char* folder = std::getenv("SKEP_TEST_DATA");
  return folder == nullptr ? "" : std::string(folder) + "/" + name;
}

// Argument 0: the limit of solutions; 2 proves that there is only one.
void BM_Sudoku(benchmark::State& state, const char* file) {
  std::ifstream in(DataFile(file));
  std::vector<std::string> puzzles;
  for (std::string line; std::getline(in, line);) puzzles.push_back(line);
  if (puzzles.empty()) {
    state.SkipWithError("set SKEP_TEST_DATA to the folder of the puzzles");
    return;
  }
  SudokuOptions options;
  options.limit = state.range(0);
  uint64_t guesses = 0;
  for (auto _ : state) {
    for (const std::string& puzzle : puzzles) {
      guesses += SolveSudoku(puzzle, options).guesses;
    }
  }
  state.SetItemsProcessed(state.iterations() * puzzles.size());
  state.counters["guesses"] =
      benchmark::Counter(static_cast<double>(guesses) /
                         static_cast<double>(state.iterations() * puzzles.size()));
}
BENCHMARK_CAPTURE(BM_Sudoku, clues17, "sudoku17_20k.txt")->Arg(1)->Arg(2);
BENCHMARK_CAPTURE(BM_Sudoku, magictour, "magictour_1465.txt")->Arg(1)->Arg(2);
BENCHMARK_CAPTURE(BM_Sudoku, hardest, "hardest_1000.txt")->Arg(1)->Arg(2);

// --- Words -------------------------------------------------------------------------

// A text of 8 MB whose words are spread like those of a language: short ones often.
const std::string& Text() {
  static const std::string* text = [] {
    auto* words = new std::string;
    Random random(1);
    while (words->size() < 8 << 20) {
      *words += 'w' + std::to_string(random.Below(40000) >> random.Below(16));
      *words += random.Below(12) == 0 ? '\n' : ' ';
    }
    return words;
  }();
  return *text;
}

void BM_ReadMemory(benchmark::State& state) {
  const std::string& text = Text();
  for (auto _ : state) {
    uint64_t sums[4] = {};
    for (size_t i = 0; i + 32 <= text.size(); i += 32) {
      for (int j = 0; j < 4; ++j) {
        sums[j] += LoadLittle<uint64_t>(text.data() + i + 8 * j);
      }
    }
    benchmark::DoNotOptimize(sums);
  }
  state.SetBytesProcessed(state.iterations() * text.size());
}
BENCHMARK(BM_ReadMemory);

// Argument: a CpuPath.
void BM_Tokenize(benchmark::State& state) {
  const auto path = static_cast<CpuPath>(state.range(0));
  if (path > BestCpuPath()) {
    state.SkipWithError("this machine lacks the instructions");
    return;
  }
  for (auto _ : state) {
    size_t bytes = 0;
    ForEachWord(
        Text(), [&](std::string_view word) { bytes += word.size(); }, path);
    benchmark::DoNotOptimize(bytes);
  }
  state.SetBytesProcessed(state.iterations() * Text().size());
}
BENCHMARK(BM_Tokenize)->DenseRange(0, 2);

void BM_CountWords(benchmark::State& state) {
  for (auto _ : state) {
    WordTable table;
    ForEachWords(Text(), [&](auto words) { table.AddEach(words); });
    benchmark::DoNotOptimize(table.size());
  }
  state.SetBytesProcessed(state.iterations() * Text().size());
}
BENCHMARK(BM_CountWords);

void BM_FindString(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(FindString(Text(), "not there"));
  state.SetBytesProcessed(state.iterations() * Text().size());
}
BENCHMARK(BM_FindString);

void BM_CountLineEnds(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(CountLineEnds(Text()));
  state.SetBytesProcessed(state.iterations() * Text().size());
}
BENCHMARK(BM_CountLineEnds);

// --- Numbers -----------------------------------------------------------------------

constexpr int kNumbers = 1 << 20;

std::vector<uint64_t> RandomKeys() {
  Random random(2);
  std::vector<uint64_t> keys(kNumbers);
  for (uint64_t& key : keys) key = random();
  return keys;
}

// Argument: digits after the point; 0 for integers.
void BM_ParseNumbers(benchmark::State& state) {
  const int64_t digits = state.range(0);
  Random random(3);
  std::string text;
  for (int i = 0; i < kNumbers; ++i) {
    const uint64_t whole = random() >> 1 >> random.Below(63);
    text += std::to_string(digits == 0 ? whole : whole % 1000000);
    if (digits > 0) text += '.' + std::to_string(random()).substr(0, digits);
    text += '\n';
  }
  ParsedNumbers numbers;
  for (auto _ : state) {
    numbers.ClearNumbers();
    ParseNumbers(text, &numbers);
  }
  state.SetBytesProcessed(state.iterations() * text.size());
}
BENCHMARK(BM_ParseNumbers)->Arg(0)->Arg(3)->Arg(16);

void BM_SummariseIntegers(benchmark::State& state) {
  const std::vector<uint64_t> keys = RandomKeys();
  const std::vector<int64_t> values(keys.begin(), keys.end());
  for (auto _ : state) {
    ExactSummary summary;
    summary.Add(values);
    benchmark::DoNotOptimize(summary.Mean());
  }
  state.SetItemsProcessed(state.iterations() * kNumbers);
}
BENCHMARK(BM_SummariseIntegers);

void BM_SummariseDoubles(benchmark::State& state) {
  Random random(4);
  std::vector<double> values(kNumbers);
  for (double& value : values) value = random.Unit();
  for (auto _ : state) {
    ExactSummary summary;
    summary.Add(values);
    benchmark::DoNotOptimize(summary.Mean());
  }
  state.SetItemsProcessed(state.iterations() * kNumbers);
}
BENCHMARK(BM_SummariseDoubles);

void BM_MedianByNthElement(benchmark::State& state) {
  const std::vector<uint64_t> keys = RandomKeys();
  for (auto _ : state) {
    std::vector<uint64_t> copy = keys;
    benchmark::DoNotOptimize(SelectRank(copy, kNumbers / 2));
  }
  state.SetItemsProcessed(state.iterations() * kNumbers);
}
BENCHMARK(BM_MedianByNthElement);

void BM_MedianByBuckets(benchmark::State& state) {
  const std::vector<uint64_t> keys = RandomKeys();
  for (auto _ : state) {
    KeyRange range;
    const int shift = BucketShift(range, 1 << 16);
    std::vector<uint64_t> counts(BucketCount(range, shift));
    CountBuckets(keys, range, shift, counts);
    const Bucket bucket = FindBucket(counts, kNumbers / 2);
    std::vector<uint64_t> few;
    CollectRange(keys, BucketRange(range, shift, bucket.index), &few);
    benchmark::DoNotOptimize(SelectRank(few, bucket.rank));
  }
  state.SetItemsProcessed(state.iterations() * kNumbers);
}
BENCHMARK(BM_MedianByBuckets);

}  // namespace
}  // namespace skep

BENCHMARK_MAIN();
