#include "tests/bench/job_rows.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "base/coding.h"
#include "base/huge_pages.h"
#include "base/random.h"
#include "base/strings.h"
#include "base/word_table.h"
#include "jobs/kernels/exact_summary.h"
#include "jobs/kernels/line_matcher.h"
#include "jobs/kernels/number_parser.h"
#include "jobs/kernels/queens_halves.h"
#include "jobs/kernels/rank_selection.h"
#include "jobs/kernels/record_sort.h"
#include "jobs/kernels/sudoku.h"
#include "jobs/kernels/tokenizer.h"
#include "jobs/kernels/top_k.h"
#include "tools/gen/numbers.h"
#include "tools/gen/words.h"

namespace skep {
namespace {

// As the engine gives a mapper its input: pieces that stay in the cache, cut at line
// ends.
template <typename Fn>
void ForEachPiece(std::string_view text, Fn&& fn) {
  constexpr size_t kPiece = 1 << 20;
  while (!text.empty()) {
    size_t size = std::min(kPiece, text.size());
    if (size < text.size()) size = text.substr(0, size).rfind('\n') + 1;
    fn(text.substr(0, size));
    text.remove_prefix(size);
  }
}

std::string Megabytes(uint64_t bytes) {
  return StrCat((bytes + 500'000) / 1'000'000, " MB");
}

void SelectFrom(std::string_view text, std::span<const double> quantiles) {
  std::vector<uint64_t> keys;
  ParsedNumbers numbers;
  ForEachPiece(text, [&](std::string_view piece) {
    numbers.ClearNumbers();
    ParseNumbers(piece, &numbers);
    for (const int64_t value : numbers.integers)
      keys.push_back(OrderedFromInt64(value));
  });
  std::vector<uint64_t> ranks;
  for (const double q : quantiles) {
    ranks.push_back(1 +
                    static_cast<uint64_t>(q * static_cast<double>(keys.size() - 1)));
  }
  Use(SelectRanks(keys, ranks));
}

JobRow NumbersRow(const BenchFolder& folder, const std::string& name, bool quick,
                  NumbersOptions::Type type, std::vector<std::string> arguments,
                  std::function<void(std::string_view)> kernel) {
  const uint64_t count = (quick ? 1 : 8) << 20;
  const std::string text = Generate(GenerateNumbers, {.type = type, .count = count});
  return {.name = name,
          .what = StrCat(count >> 20, " Mi ",
                         type == NumbersOptions::Type::kI64 ? "integers" : "doubles",
                         " as text, ", Megabytes(text.size())),
          .arguments = std::move(arguments),
          .input = folder.Write("numbers", text),
          .kernel = std::move(kernel)};
}

void Average(std::string_view text) {
  ExactSummary summary;
  ParsedNumbers numbers;
  ForEachPiece(text, [&](std::string_view piece) {
    numbers.ClearNumbers();
    ParseNumbers(piece, &numbers);
    summary.Add(numbers.integers);
    summary.Add(numbers.doubles);
  });
  Use(summary.Mean());
}

void AddNumberRows(bool quick, std::vector<JobRowMaker>* rows) {
  using Type = NumbersOptions::Type;
  rows->push_back({"average", [quick](const BenchFolder& folder) {
                     return NumbersRow(folder, "average", quick, Type::kI64,
                                       {"average"}, Average);
                   }});
  rows->push_back({"average of doubles", [quick](const BenchFolder& folder) {
                     return NumbersRow(folder, "average of doubles", quick, Type::kF64,
                                       {"average"}, Average);
                   }});
  rows->push_back({"median", [quick](const BenchFolder& folder) {
                     return NumbersRow(folder, "median", quick, Type::kI64, {"median"},
                                       [](std::string_view text) {
                                         SelectFrom(text, std::vector<double>{0.5});
                                       });
                   }});
  rows->push_back(
      {"quantile", [quick](const BenchFolder& folder) {
         return NumbersRow(
             folder, "quantile", quick, Type::kI64,
             {"quantile", "--q", "0.01,0.25,0.5,0.75,0.9,1"},
             [](std::string_view text) {
               SelectFrom(text, std::vector<double>{0.01, 0.25, 0.5, 0.75, 0.9, 1});
             });
       }});
}

void CountWords(std::string_view text) {
  WordTable table;
  ForEachPiece(text, [&](std::string_view piece) {
    ForEachWords(piece, [&table](auto words) { table.AddEach(words); });
  });
  TopK top(100);
  table.ForEach([&top](std::string_view key, uint64_t count) { top.Add(key, count); });
  Use(top.Take());
}

void AddTextRows(const JobBenchOptions& options, std::vector<JobRowMaker>* rows) {
  const bool quick = options.quick;
  const auto bible = [data = options.data, quick](const BenchFolder& folder,
                                                  JobRow* row) {
    const std::string text = ReadData(data, "kjv.txt");
    const int times = quick ? 12 : 100;
    row->what = StrCat("kjv.txt x", times, ", ", Megabytes(text.size() * times));
    row->input = folder.Write("kjv", text, times);
  };
  if (!options.data.empty()) {
    rows->push_back({"wordcount of kjv", [bible](const BenchFolder& folder) {
                       JobRow row{.name = "wordcount of kjv",
                                  .arguments = {"wordcount", "--top", "100"},
                                  .kernel = CountWords};
                       bible(folder, &row);
                       return row;
                     }});
  }
  rows->push_back({"wordcount of zipf", [quick](const BenchFolder& folder) {
                     const std::string text =
                         Generate(GenerateWords,
                                  {.vocabulary = 4'000'000,
                                   .bytes = uint64_t{quick ? 50u : 400u} * 1'000'000});
                     return JobRow{.name = "wordcount of zipf",
                                   .what = Megabytes(text.size()),
                                   .arguments = {"wordcount", "--top", "100"},
                                   .input = folder.Write("zipf", text),
                                   .kernel = CountWords};
                   }});
  if (!options.data.empty()) {
    rows->push_back({"grep", [bible](const BenchFolder& folder) {
                       JobRow row{.name = "grep",
                                  .arguments = {"grep", "--pattern", "Nebuchadnezzar"},
                                  .writes_output = true,
                                  .kernel = [](std::string_view text) {
                                    const auto matcher =
                                        LineMatcher::Create("Nebuchadnezzar", {});
                                    std::string out;
                                    ForEachPiece(text, [&](std::string_view piece) {
                                      (*matcher)->ForEachLine(
                                          piece, [&out](const LineMatcher::Line& line) {
                                            out += line.text;
                                            out += '\n';
                                            return true;
                                          });
                                    });
                                    Use(out);
                                  }};
                       bible(folder, &row);
                       return row;
                     }});
  }
}

JobRow SudokuRow(const BenchFolder& folder, const std::string& data, bool quick) {
  const std::string text = ReadData(data, "sudoku17_20k.txt");
  const int times = quick ? 1 : 10;
  return {.name = "sudoku",
          .what = StrCat(20 * times, " k puzzles of 17 clues"),
          .arguments = {"sudoku"},
          .input = folder.Write("puzzles", text, times),
          .writes_output = true,
          .kernel = [](std::string_view puzzles) {
            std::string out;
            while (!puzzles.empty()) {
              const size_t end = puzzles.find('\n');
              out += SolveSudoku(puzzles.substr(0, end), {.limit = 1}).solution();
              out += '\n';
              if (end == std::string_view::npos) break;
              puzzles.remove_prefix(end + 1);
            }
            Use(out);
          }};
}

// Lines of 100 bytes, all of them printable.
JobRow SortRow(const BenchFolder& folder, bool quick) {
  constexpr size_t kLine = 100;
  const size_t count = quick ? 125'000 : 1'000'000;
  Random random(3);
  std::string text(count * kLine, '\n');
  for (size_t i = 0; i < text.size(); ++i) {
    if (i % kLine < kLine - 1) text[i] = static_cast<char>('!' + random.Below(94));
  }
  return {.name = "sort",
          .what = StrCat(count / 1000, " k lines of 100 bytes"),
          .arguments = {"sort"},
          .input = folder.Write("lines", text),
          .writes_output = true,
          .kernel = [](std::string_view lines) {
            HugeVector<char> sorted(lines.size());
            RecordSorter().Sort(lines, kLine, kLine, sorted.data());
            Use(sorted);
          }};
}

}  // namespace

std::vector<JobRowMaker> JobRows(const JobBenchOptions& options) {
  const bool quick = options.quick;
  std::vector<JobRowMaker> rows;
  rows.push_back({"nqueens", [quick](const BenchFolder&) {
                    const int n = quick ? 16 : 18;
                    return JobRow{.name = "nqueens",
                                  .what = StrCat("n = ", n),
                                  .arguments = {"nqueens", "--n", StrCat(n)},
                                  .kernel = [n](std::string_view) {
                                    const auto board = QueensHalves::Create(n).value();
                                    Use(board->Count(0, board->size(), {}).value());
                                  }};
                  }});
  AddNumberRows(quick, &rows);
  AddTextRows(options, &rows);
  if (!options.data.empty()) {
    rows.push_back({"sudoku", [data = options.data, quick](const BenchFolder& folder) {
                      return SudokuRow(folder, data, quick);
                    }});
  }
  rows.push_back(
      {"sort", [quick](const BenchFolder& folder) { return SortRow(folder, quick); }});
  return rows;
}

}  // namespace skep
