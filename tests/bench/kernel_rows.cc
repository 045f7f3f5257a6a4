#include "tests/bench/kernel_rows.h"

#include <sys/resource.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "absl/strings/str_replace.h"
#include "base/random.h"
#include "base/strings.h"
#include "base/word_table.h"
#include "glog/logging.h"
#include "jobs/kernels/exact_summary.h"
#include "jobs/kernels/number_parser.h"
#include "jobs/kernels/number_sums.h"
#include "jobs/kernels/rank_selection.h"
#include "jobs/kernels/selection.h"
#include "jobs/kernels/tokenizer.h"
#include "jobs/kernels/top_k.h"
#include "jobs/kernels/unicode_words.h"
#include "tests/bench/baselines.h"
#include "tests/bench/bench_inputs.h"
#include "tools/gen/numbers.h"
#include "tools/gen/words.h"

namespace skep {
namespace {

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

// As one word of a shell's, whatever is in it.
std::string Quoted(const std::string& text) {
  return StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
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

double SecondsOfShellCount(const std::string& path) {
  return SecondsOfShell(StrCat("tr -s '[:space:]' '\\n' <", Quoted(path),
                               " | sort | uniq -c >/dev/null"));
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

using Text = Lazy<std::string>;

class WordRowMaker {
 public:
  explicit WordRowMaker(const KernelBenchOptions& options) : options_(options) {}

  std::vector<KernelRow> Make() {
    if (!options_.data.empty()) AddBible();
    AddZipf();
    return std::move(rows_);
  }

 private:
  KernelRow& Add(std::string name, const Text& text, int times,
                 std::function<void(CpuPath)> run) {
    rows_.push_back(
        {.name = std::move(name),
         .unit = "MB/s",
         .work = [=] { return 1e-6 * times * static_cast<double>(text->size()); },
         .run = std::move(run)});
    return rows_.back();
  }

  void AddUnicode(const std::string& name, const Text& text) {
    Add(name + ", plain ICU", text, 1,
        [text](CpuPath) { Use(PlainUnicodeWordCount(*text)); });
    KernelRow& row = Add(name, text, 1,
                         [text](CpuPath path) { TakeTop(CountUnicode(*text, path)); });
    row.has_paths = true;
    row.baselines = {name + ", plain ICU"};
  }

  void AddBible() {
    const Text bible([data = options_.data] { return ReadData(data, "kjv.txt"); });
    Add("kjv, unordered_map", bible, 1,
        [bible](CpuPath) { Use(PlainWordCount(*bible).size()); });
    Add("kjv, tr | sort | uniq -c", bible, 1, nullptr).seconds =
        [path = options_.data + "/kjv.txt"] { return SecondsOfShellCount(path); };
    const int times = options_.full ? 100 : 20;
    KernelRow& row = Add(StrCat("kjv x", times), bible, times, [=](CpuPath path) {
      TakeTop(CountText(*bible, times, path));
    });
    row.has_paths = true;
    row.published = {{717, "AVX-512 prototype"}, {225, "countwords C"}, {138, "Go"}};
    row.baselines = {"kjv, unordered_map", "kjv, tr | sort | uniq -c"};
    row.asked = {{.figure = 700}};
    AddUnicode("unicode, kjv", bible);
    AddUnicode("unicode, kjv in Cyrillic letters",
               Text([bible] { return Respell(*bible, 0x430, 0x410); }));
    // Runs of ideographs of a sentence each, which dictionaries divide.
    AddUnicode("unicode, ideographs", Text([bible] {
                 std::string text = Respell(bible->substr(0, 400'000), 0x5929, 0x4eba);
                 std::erase(text, ' ');
                 return text;
               }));
  }

  void AddZipf() {
    const uint64_t megabytes = options_.full ? 400 : 64;
    const Text zipf([megabytes] {
      return Generate(GenerateWords,
                      {.vocabulary = 4'000'000, .bytes = megabytes << 20});
    });
    const std::string size = StrCat("zipf ", megabytes, " MiB");
    const std::string plain = size + ", unordered_map";
    Add(plain, zipf, 1, [zipf](CpuPath) { Use(PlainWordCount(*zipf).size()); });
    // The whole would take the shell half a minute.
    const uint64_t few = megabytes / 8;
    const Text part([zipf, few] { return zipf->substr(0, few << 20); });
    const std::string shell = StrCat("zipf ", few, " MiB, tr | sort | uniq -c");
    KernelRow& by_shell = Add(shell, part, 1, nullptr);
    by_shell.seconds = [part] {
      const BenchFolder folder;
      return SecondsOfShellCount(folder.Write("zipf", *part));
    };
    by_shell.published = {{12, "the same"}};
    const auto add = [&](const char* what, double asked,
                         std::function<void(CpuPath)> run) {
      KernelRow& row = Add(size + what, zipf, 1, std::move(run));
      row.has_paths = true;
      row.published = {{241, "AVX-512 prototype"},
                       {41, "Go"},
                       {13, "word_freq"},
                       {12, "tr | sort | uniq -c"}};
      row.baselines = {plain, shell};
      row.asked = {{.figure = asked}};
    };
    add(", top 100", 350, [zipf](CpuPath path) { TakeTop(CountText(*zipf, 1, path)); });
    add(", all sorted", 200,
        [zipf](CpuPath path) { Use(SortByCount(CountText(*zipf, 1, path))); });
  }

  const KernelBenchOptions& options_;
  std::vector<KernelRow> rows_;
};

// --- Numbers -----------------------------------------------------------------------

constexpr char kReadItems[] = "read memory", kReadBytes[] = "read memory, bytes";
constexpr char kBisection[] = "median by bisection", kStrtoll[] = "integers by strtoll";

class NumberRowMaker {
 public:
  explicit NumberRowMaker(const KernelBenchOptions& options)
      : count_(size_t{options.full ? 32u : 8u} << 20),
        keys_([count = count_] {
          Random random(2);
          std::vector<uint64_t> keys(count);
          for (uint64_t& key : keys) key = random();
          return keys;
        }),
        reals_([count = count_] {
          Random random(4);
          std::vector<double> reals(count);
          for (double& real : reals) real = random.Unit();
          return reals;
        }) {}

  std::vector<KernelRow> Make() {
    AddSelection();
    AddSums();
    AddParsing(NumbersOptions::Type::kI64);
    AddParsing(NumbersOptions::Type::kF64);
    return std::move(rows_);
  }

 private:
  // Of so many items, in thousand millions a second.
  KernelRow& AddItems(std::string name, std::vector<Published> published,
                      std::function<void(CpuPath)> run) {
    rows_.push_back({.name = std::move(name),
                     .unit = "G items/s",
                     .work = [keys = keys_] { return 1e-9 * keys->size(); },
                     .run = std::move(run),
                     .published = std::move(published)});
    return rows_.back();
  }

  // What goes as fast as memory: the bytes of the input in a second.
  template <typename Input>
  KernelRow& AddBytes(std::string name, const Lazy<Input>& input,
                      std::vector<Published> published,
                      std::function<void(CpuPath)> run) {
    rows_.push_back({.name = std::move(name),
                     .unit = "GB/s",
                     .work = [input] { return 1e-9 * BytesOf(*input); },
                     .run = std::move(run),
                     .published = std::move(published)});
    return rows_.back();
  }
  template <typename Input>
  static double BytesOf(const Input& input) {
    return static_cast<double>(input.size() * sizeof input[0]);
  }

  void AddSelection();
  void AddSums();
  void AddParsing(NumbersOptions::Type type);

  const size_t count_;
  const Lazy<std::vector<uint64_t>> keys_;
  const Lazy<std::vector<double>> reals_;
  std::vector<KernelRow> rows_;
};

void NumberRowMaker::AddSelection() {
  const auto keys = keys_;
  AddItems(kReadItems, {{2.03, "read limit"}},
           [keys](CpuPath) { Use(ReadMemory(*keys)); });
  const auto with_paths = [](const char* baseline, KernelRow& row) -> KernelRow& {
    row.has_paths = true;
    row.baselines = {baseline};
    return row;
  };
  with_paths(kReadItems, AddItems("count around a pivot", {{1.70, "AVX-512"}},
                                  [keys](CpuPath path) {
                                    Use(CountAround(*keys, uint64_t{1} << 63, path));
                                  }));
  with_paths(kReadItems,
             AddItems("collect a window", {{1.64, "AVX-512"}}, [keys](CpuPath path) {
               std::vector<uint64_t> kept;
               const uint64_t middle = uint64_t{1} << 63;
               CollectRange(*keys, {middle, middle + (middle >> 6)}, &kept, path);
               Use(kept);
             }));
  AddItems("median by nth_element", {{0.088, "nth_element"}}, [keys](CpuPath) {
    std::vector<uint64_t> copy = *keys;
    Use(SelectRank(copy, copy.size() / 2));
  });
  AddItems(kBisection, {{0.026, "muduo's median"}},
           [keys](CpuPath) { Use(SelectByBisection(*keys, keys->size() / 2)); });
  AddItems("median by 11 bits a pass", {}, [keys](CpuPath) {
    Use(SelectByRadix(*keys, keys->size() / 2));
  }).baselines = {kBisection};
  KernelRow& median = with_paths(
      kBisection,
      AddItems(
          "median by a window",
          {{0.71, "quickselect"}, {0.088, "nth_element"}, {0.026, "muduo's median"}},
          [keys](CpuPath path) {
            const uint64_t ranks[] = {keys->size() / 2};
            Use(SelectRanks(*keys, ranks, path));
          }));
  median.baselines = {kBisection, "median by nth_element", kReadItems};
  median.asked = {{.figure = 0.7}, {.figure = 20, .over = kBisection}};
  with_paths(kBisection, AddItems("six quantiles by windows", {}, [keys](CpuPath path) {
               const uint64_t n = keys->size();
               const uint64_t ranks[] = {n / 100,   n / 4,      n / 2,
                                         3 * n / 4, 9 * n / 10, n - 1};
               Use(SelectRanks(*keys, ranks, path));
             }));
}

void NumberRowMaker::AddSums() {
  const auto keys = keys_;
  const auto reals = reals_;
  const auto integers = [keys] {
    return std::span<const int64_t>(reinterpret_cast<const int64_t*>(keys->data()),
                                    keys->size());
  };
  AddBytes(kReadBytes, keys, {{16.24, "read limit"}},
           [keys](CpuPath) { Use(ReadMemory(*keys)); });
  const auto add = [this](std::string name, const auto& input,
                          std::vector<Published> published, std::vector<Asked> asked,
                          std::function<void(CpuPath)> run) {
    KernelRow& row =
        AddBytes(std::move(name), input, std::move(published), std::move(run));
    row.has_paths = true;
    row.baselines = {kReadBytes};
    row.asked = std::move(asked);
  };
  add("sum of integers", keys, {}, {{.figure = 13}},
      [integers](CpuPath path) { Use(SumIntegers(integers(), path)); });
  add("exact summary, integers", keys, {}, {}, [integers](CpuPath path) {
    ExactSummary summary;
    summary.Add(integers(), path);
    Use(summary.Mean());
  });
  add("sum of doubles, compensated", reals, {{10.64, "compensated"}}, {{.figure = 10}},
      [reals](CpuPath path) { Use(FastSum(*reals, path)); });
  add("exact summary, doubles", reals, {}, {}, [reals](CpuPath path) {
    ExactSummary summary;
    summary.Add(std::span<const double>(*reals), path);
    Use(summary.Mean());
  });
}

void NumberRowMaker::AddParsing(NumbersOptions::Type type) {
  const bool integers = type == NumbersOptions::Type::kI64;
  const Text text(
      [type] { return Generate(GenerateNumbers, {.type = type, .count = 1 << 20}); });
  if (integers) {
    AddBytes(kStrtoll, text, {}, [text](CpuPath) { Use(PlainParse(*text)); });
  }
  KernelRow& row = AddBytes(integers ? "parse integers" : "parse doubles", text, {},
                            [text](CpuPath path) {
                              ParsedNumbers numbers;
                              numbers.integers.reserve(1 << 20);
                              numbers.doubles.reserve(1 << 20);
                              ParseNumbers(*text, &numbers, path);
                              Use(numbers);
                            });
  row.has_paths = true;
  row.baselines = {kStrtoll};
  row.asked = {{.figure = integers ? 1 : 0.5}};
}

}  // namespace

std::vector<KernelRow> WordRows(const KernelBenchOptions& options) {
  return WordRowMaker(options).Make();
}

std::vector<KernelRow> NumberRows(const KernelBenchOptions& options) {
  return NumberRowMaker(options).Make();
}

}  // namespace skep
