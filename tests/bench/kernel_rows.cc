#include "tests/bench/kernel_rows.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string_view>

#include "base/random.h"
#include "base/strings.h"
#include "base/word_table.h"
#include "glog/logging.h"
#include "jobs/kernels/exact_summary.h"
#include "jobs/kernels/n_queens.h"
#include "jobs/kernels/number_parser.h"
#include "jobs/kernels/number_sums.h"
#include "jobs/kernels/queens_halves.h"
#include "jobs/kernels/rank_selection.h"
#include "jobs/kernels/selection.h"
#include "jobs/kernels/sudoku.h"
#include "jobs/kernels/tokenizer.h"
#include "jobs/kernels/top_k.h"
#include "jobs/kernels/unicode_words.h"
#include "tests/bench/baselines.h"
#include "tests/bench/bench_inputs.h"
#include "tools/gen/numbers.h"
#include "tools/gen/puzzles.h"
#include "tools/gen/words.h"

namespace skep {
namespace {

// --- N-Queens ----------------------------------------------------------------------

KernelRow PlainRow(int n) {
  return {.name = StrCat(n, " plain bitmask"),
          .run = [n](CpuPath) { Use(PlainQueens(n)); },
          .published = n == 16 ? 4.2 : n == 17 ? 31 : 0,
          .published_by = "plain bitmask"};
}

KernelRow PrefixesRow(int n, double published) {
  return {.name = StrCat(n, " by prefixes"),
          .run =
              [n](CpuPath path) {
                for (const QueensPrefix& prefix : QueensPrefixes(n, 2)) {
                  Use(CountQueens(prefix, {}, path).value());
                }
              },
          .has_paths = true,
          .published = published,
          .published_by = "best backtracker",
          .baseline = StrCat(n, " plain bitmask")};
}

// OEIS A000170, from 14 on: a kernel that is fast and wrong ends the table.
constexpr uint64_t kQueensFrom14[] = {365596,    2279184,    14772512,   95815104,
                                      666090624, 4968057848, 39029188884};

KernelRow HalvesRow(int n, double published) {
  return {.name = StrCat(n, " by halves"),
          .run =
              [n](CpuPath path) {
                const auto board = QueensHalves::Create(n, path).value();
                CHECK_EQ(board->Count(0, board->size(), {}).value(),
                         kQueensFrom14[n - 14]);
              },
          .has_paths = n <= 18,  // the others would take minutes without AVX-512
          .published = published,
          .published_by = "quadrants",
          .baseline = StrCat(n, " plain bitmask")};
}

// --- Words -------------------------------------------------------------------------

// Counts the text `times` over, as from a file of so many copies.
WordTable CountText(std::string_view text, int times, CpuPath path) {
  WordTable table({.path = path});
  for (int i = 0; i < times; ++i) {
    ForEachWords(
        text, [&table](auto words) { table.AddEach(words); }, path);
  }
  return table;
}

// CPU seconds of a command and all that it starts, by bytes rather than by the locale.
double SecondsOfShell(const std::string& command) {
  const auto children = [] {
    rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  };
  const double before = children();
  CHECK_EQ(std::system(("export LC_ALL=C; " + command).c_str()), 0) << command;
  return children() - before;
}

WordTable CountUnicode(std::string_view text, CpuPath path) {
  WordTable table({.path = path});
  UnicodeWords::Create(/*fold_case=*/true, path)
      .value()
      ->ForEach(text, [&table](auto words) { table.AddEach(words); });
  return table;
}

// The text with other letters for a-z and A-Z, of which each takes several bytes.
std::string Respell(std::string_view text, char32_t small_a, char32_t capital_a) {
  std::string other;
  const auto put = [&other](char32_t c) {
    if (c >= 0x800) other += static_cast<char>(0xe0 | c >> 12);
    other += static_cast<char>(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6);
    other += static_cast<char>(0x80 | (c & 0x3f));
  };
  for (const char c : text) {
    if (c >= 'a' && c <= 'z') {
      put(small_a + static_cast<char32_t>(c - 'a'));
    } else if (c >= 'A' && c <= 'Z') {
      put(capital_a + static_cast<char32_t>(c - 'A'));
    } else {
      other += c;
    }
  }
  return other;
}

void TakeTop(const WordTable& table) {
  TopK top(100);
  table.ForEach([&top](std::string_view key, uint64_t count) { top.Add(key, count); });
  Use(top.Take());
}

}  // namespace

std::vector<KernelRow> QueensRows(const KernelBenchOptions& options) {
  std::vector<KernelRow> rows;
  rows.push_back(PlainRow(14));
  rows.push_back(PrefixesRow(14, 0));
  rows.push_back(HalvesRow(14, 0));
  rows.push_back(PlainRow(16));
  rows.push_back(PrefixesRow(16, 2.8));
  rows.push_back(HalvesRow(16, 0.264));
  if (options.longest) {
    rows.push_back(PlainRow(17));
    rows.push_back(PrefixesRow(17, 19.7));
  }
  rows.push_back(HalvesRow(17, 3.94));
  if (options.full) {
    rows.push_back(HalvesRow(18, 7.03));
  }
  if (options.longest) {
    rows.push_back(HalvesRow(19, 100));
    rows.push_back(HalvesRow(20, 403));
  }
  for (KernelRow& row : rows) {
    row.family = "N-Queens";
    row.unit = "s";
  }
  return rows;
}

std::vector<KernelRow> SudokuRows(const KernelBenchOptions& options) {
  struct Puzzles {
    const char* name;
    const char* file;
    double published;
    const char* by;
  };
  constexpr Puzzles kPuzzles[] = {
      {"17 clues", "sudoku17_20k.txt", 286'000, "band solver"},
      {"magictour", "magictour_1465.txt", 105'900, "tdoku"},
      {"hardest", "hardest_1000.txt", 19'100, "tdoku"},
      {"24 clues, generated", "", 0, ""}};
  std::vector<KernelRow> rows;
  for (const Puzzles& puzzles : kPuzzles) {
    std::istringstream text(
        *puzzles.file == '\0'
            ? Generate(
                  GeneratePuzzles,
                  {.min_clues = 24, .max_clues = 24, .unique = true, .count = 1000})
            : ReadData(options.data, puzzles.file));
    auto lines = std::make_shared<std::vector<std::string>>();
    for (std::string line; std::getline(text, line);) lines->push_back(line);
    if (lines->empty()) continue;
    const double count = static_cast<double>(lines->size());
    const std::string baseline = StrCat(puzzles.name, ", dancing links");
    const auto few = std::min<size_t>(500, lines->size());
    rows.push_back(
        {.name = baseline, .scale = static_cast<double>(few), .run = [=](CpuPath) {
           for (size_t i = 0; i < few; ++i)
             Use(DancingLinksSolution((*lines)[i]).size());
         }});
    for (const uint64_t limit : {1, 2}) {
      rows.push_back(
          {.name = StrCat(puzzles.name, limit == 1 ? ", first" : ", proved unique"),
           .scale = count,
           .run =
               [lines, limit](CpuPath path) {
                 for (const std::string& line : *lines) {
                   Use(SolveSudoku(line, {.limit = limit, .path = path}).guesses);
                 }
               },
           .has_paths = true,
           .published = puzzles.published,
           .published_by = puzzles.by,
           .baseline = baseline});
    }
  }
  for (KernelRow& row : rows) {
    row.family = "Sudoku";
    row.unit = "/s";
  }
  return rows;
}

std::vector<KernelRow> WordRows(const KernelBenchOptions& options) {
  std::vector<KernelRow> rows;
  const auto add = [&rows](std::string name, double bytes, bool has_paths,
                           double published, std::string by, std::string baseline,
                           std::function<void(CpuPath)> run) {
    rows.push_back({.family = "Words",
                    .name = std::move(name),
                    .unit = "MB/s",
                    .scale = bytes / 1e6,
                    .run = std::move(run),
                    .has_paths = has_paths,
                    .published = published,
                    .published_by = std::move(by),
                    .baseline = std::move(baseline)});
  };
  const auto bible =
      std::make_shared<const std::string>(ReadData(options.data, "kjv.txt"));
  const double bible_bytes = static_cast<double>(bible->size());
  if (!bible->empty()) {
    add("kjv, unordered_map", bible_bytes, false, 0, "", "",
        [bible](CpuPath) { Use(PlainWordCount(*bible).size()); });
    rows.push_back({.family = "Words",
                    .name = "kjv, tr | sort | uniq -c",
                    .unit = "MB/s",
                    .scale = bible_bytes / 1e6,
                    .seconds = [path = options.data + "/kjv.txt"] {
                      return SecondsOfShell(StrCat("tr -s '[:space:]' '\\n' <'", path,
                                                   "' | sort | uniq -c >/dev/null"));
                    }});
    const int times = options.full ? 100 : 20;
    add(StrCat("kjv x", times), times * bible_bytes, true, 717, "prototype",
        "kjv, unordered_map",
        [=](CpuPath path) { TakeTop(CountText(*bible, times, path)); });
  }
  const auto add_unicode = [&](std::string name, std::string text) {
    if (text.empty()) return;
    const auto shared = std::make_shared<const std::string>(std::move(text));
    const double bytes = static_cast<double>(shared->size());
    add(name + ", plain ICU", bytes, false, 0, "", "",
        [shared](CpuPath) { Use(PlainUnicodeWordCount(*shared)); });
    add(name, bytes, true, 0, "", name + ", plain ICU",
        [shared](CpuPath path) { TakeTop(CountUnicode(*shared, path)); });
  };
  add_unicode("unicode, kjv", *bible);
  add_unicode("unicode, kjv in Cyrillic letters", Respell(*bible, 0x430, 0x410));
  // Runs of ideographs of a sentence each, which dictionaries divide.
  std::string ideographs = Respell(bible->substr(0, 400'000), 0x5929, 0x4eba);
  std::erase(ideographs, ' ');
  add_unicode("unicode, ideographs", std::move(ideographs));
  const auto zipf = std::make_shared<const std::string>(Generate(
      GenerateWords,
      {.vocabulary = 4'000'000, .bytes = uint64_t{options.full ? 400u : 64u} << 20}));
  const double zipf_bytes = static_cast<double>(zipf->size());
  const std::string size = StrCat("zipf ", zipf->size() >> 20, " MiB");
  add(size + ", unordered_map", zipf_bytes, false, 0, "", "",
      [zipf](CpuPath) { Use(PlainWordCount(*zipf).size()); });
  add(size + ", top 100", zipf_bytes, true, 350, "target", size + ", unordered_map",
      [zipf](CpuPath path) { TakeTop(CountText(*zipf, 1, path)); });
  add(size + ", all sorted", zipf_bytes, true, 241, "prototype",
      size + ", unordered_map",
      [zipf](CpuPath path) { Use(SortByCount(CountText(*zipf, 1, path))); });
  return rows;
}

std::vector<KernelRow> NumberRows(const KernelBenchOptions& options) {
  const size_t count = size_t{options.full ? 32u : 8u} << 20;
  const auto keys = std::make_shared<std::vector<uint64_t>>(count);
  const auto reals = std::make_shared<std::vector<double>>(count);
  Random random(2);
  for (uint64_t& key : *keys) key = random();
  for (double& real : *reals) real = random.Unit();
  std::vector<KernelRow> rows;
  const auto add = [&](std::string name, double scale, std::string unit,
                       double published, std::string by, std::string baseline,
                       std::function<void(CpuPath)> run) {
    rows.push_back({.family = "Numbers",
                    .name = std::move(name),
                    .unit = std::move(unit),
                    .scale = scale / 1e9,
                    .run = std::move(run),
                    .published = published,
                    .published_by = std::move(by),
                    .baseline = std::move(baseline)});
  };
  const double items = static_cast<double>(count);
  const char* const kItems = "G items/s";
  add("read memory", items, kItems, 2.03, "read limit", "",
      [keys](CpuPath) { Use(ReadMemory(*keys)); });
  add("count around a pivot", items, kItems, 1.70, "AVX-512", "read memory",
      [keys](CpuPath path) { Use(CountAround(*keys, uint64_t{1} << 63, path)); });
  rows.back().has_paths = true;
  add("collect a window", items, kItems, 1.64, "AVX-512", "read memory",
      [keys](CpuPath path) {
        std::vector<uint64_t> kept;
        const uint64_t middle = uint64_t{1} << 63;
        CollectRange(*keys, {middle, middle + (middle >> 6)}, &kept, path);
        Use(kept);
      });
  rows.back().has_paths = true;
  add("median by nth_element", items, kItems, 0.088, "nth_element", "",
      [keys](CpuPath) {
        std::vector<uint64_t> copy = *keys;
        Use(SelectRank(copy, copy.size() / 2));
      });
  add("median by bisection", items, kItems, 0.026, "muduo's median", "",
      [keys](CpuPath) { Use(SelectByBisection(*keys, keys->size() / 2)); });
  add("median by 11 bits a pass", items, kItems, 0, "", "median by bisection",
      [keys](CpuPath) { Use(SelectByRadix(*keys, keys->size() / 2)); });
  add("median by a window", items, kItems, 0.71, "quickselect", "median by bisection",
      [keys](CpuPath path) {
        const uint64_t ranks[] = {keys->size() / 2};
        Use(SelectRanks(*keys, ranks, path));
      });
  rows.back().has_paths = true;
  add("six quantiles by windows", items, kItems, 0, "", "median by bisection",
      [keys](CpuPath path) {
        const uint64_t n = keys->size();
        const uint64_t ranks[] = {n / 100, n / 4, n / 2, 3 * n / 4, 9 * n / 10, n - 1};
        Use(SelectRanks(*keys, ranks, path));
      });
  const std::span<const int64_t> integers(
      reinterpret_cast<const int64_t*>(keys->data()), keys->size());
  const double bytes = 8 * items;
  add("read memory, bytes", bytes, "GB/s", 16.2, "read limit", "",
      [keys](CpuPath) { Use(ReadMemory(*keys)); });
  const auto add_sum = [&](std::string name, double published, std::string by,
                           std::function<void(CpuPath)> run) {
    add(std::move(name), bytes, "GB/s", published, std::move(by), "read memory, bytes",
        std::move(run));
    rows.back().has_paths = true;
  };
  add_sum("sum of integers", 13, "target",
          [keys, integers](CpuPath path) { Use(SumIntegers(integers, path)); });
  add_sum("exact summary, integers", 0, "", [keys, integers](CpuPath path) {
    ExactSummary summary;
    summary.Add(integers, path);
    Use(summary.Mean());
  });
  add_sum("sum of doubles, compensated", 10.6, "compensated",
          [reals](CpuPath path) { Use(FastSum(*reals, path)); });
  add_sum("exact summary, doubles", 0, "", [reals](CpuPath path) {
    ExactSummary summary;
    summary.Add(std::span<const double>(*reals), path);
    Use(summary.Mean());
  });
  for (const auto type : {NumbersOptions::Type::kI64, NumbersOptions::Type::kF64}) {
    const bool integers = type == NumbersOptions::Type::kI64;
    const auto text = std::make_shared<const std::string>(
        Generate(GenerateNumbers, {.type = type, .count = 1 << 20}));
    const double size = static_cast<double>(text->size());
    if (integers) {
      add("integers by strtoll", size, "GB/s", 0, "", "",
          [text](CpuPath) { Use(PlainParse(*text)); });
    }
    add(integers ? "parse integers" : "parse doubles", size, "GB/s", integers ? 1 : 0.5,
        "target", "integers by strtoll", [text](CpuPath path) {
          ParsedNumbers numbers;
          numbers.integers.reserve(1 << 20);
          numbers.doubles.reserve(1 << 20);
          ParseNumbers(*text, &numbers, path);
          Use(numbers);
        });
    rows.back().has_paths = true;
  }
  return rows;
}

}  // namespace skep
