// Counting the words of a text.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <utility>

#include "base/cpu_path.h"
#include "base/digest.h"
#include "base/status.h"
#include "base/strings.h"
#include "base/word_table.h"
#include "jobs/kernels/frequent_words.h"
#include "jobs/kernels/tokenizer.h"
#include "tests/bench/baselines.h"
#include "tools/compare/counted_item.h"
#include "tools/compare/family.h"
#include "tools/gen/words.h"

namespace skep {
namespace {

// What all exact algorithms must agree on: the words with their counts.
class Counted {
 public:
  // What was done beside reading the text once: more passes, and bytes written and
  // read again.
  uint64_t rounds = 0, bytes = 0;

  void Add(std::string_view word, uint64_t count) {
    ++words_;
    digest_.Add(word,
                std::string_view(reinterpret_cast<const char*>(&count), sizeof count));
  }
  std::string Answer() const {
    return StrCat(words_, " distinct words, digest ", digest_.value().ToString());
  }

 private:
  uint64_t words_ = 0;
  RecordDigest digest_;
};

uint64_t TellAll(const WordTable& table, Counted* counted) {
  if (counted != nullptr) {
    table.ForEach(
        [counted](std::string_view word, uint64_t n) { counted->Add(word, n); });
  }
  return table.size();
}

uint64_t CountInTable(std::string_view text, CpuPath path, Counted* counted) {
  WordTable table({.path = path});
  ForEachWords(
      text, [&table](auto words) { table.AddEach(words); }, path);
  return TellAll(table, counted);
}

constexpr size_t kPiece = 1 << 20;

// Calls visit(piece) for pieces of about a MiB that end at a line's end.
template <typename Visit>
void ForEachPiece(std::string_view text, Visit&& visit) {
  while (!text.empty()) {
    size_t end = text.find('\n', std::min(kPiece, text.size() - 1));
    end = end == text.npos ? text.size() : end + 1;
    visit(text.substr(0, end));
    text.remove_prefix(end);
  }
}

// As map tasks and a reducer do it.
uint64_t CountByCombiner(std::string_view text, Counted* counted) {
  WordTable all;
  ForEachPiece(text, [&](std::string_view piece) {
    WordTable counts;
    ForEachWords(
        piece, [&counts](auto words) { counts.AddEach(words); }, BestCpuPath());
    uint64_t bytes = 0;
    counts.ForEach([&](std::string_view word, uint64_t n) {
      all.Add(word, n);
      bytes += word.size() + sizeof n;
    });
    if (counted != nullptr) counted->bytes += bytes;
  });
  if (counted != nullptr) counted->rounds += 1;  // over the tables
  return TellAll(all, counted);
}

// Lines "count word" of a piece in the order of the words, in a file without a name.
class SortedRun {
 public:
  explicit SortedRun(std::string_view piece) : file_(std::tmpfile()) {
    if (file_ == nullptr) return;
    for (const auto& [word, n] : SortedWordCount(piece)) {
      std::fputs(StrCat(n, " ", word, "\n").c_str(), file_);
    }
    bytes_ = std::ftell(file_);
    std::rewind(file_);
  }
  // Of the file.
  uint64_t bytes() const { return bytes_; }
  SortedRun(const SortedRun&) = delete;
  SortedRun& operator=(const SortedRun&) = delete;
  ~SortedRun() {
    if (file_ != nullptr) std::fclose(file_);
    std::free(line_);
  }

  // Goes to the next word. False at the end.
  bool Next() {
    if (file_ == nullptr) return false;
    const ssize_t size = getline(&line_, &room_, file_);
    if (size <= 0) return false;
    char* blank;
    count_ = std::strtoull(line_, &blank, 10);
    word_ = std::string_view(line_, static_cast<size_t>(size) - 1);
    word_.remove_prefix(static_cast<size_t>(blank + 1 - line_));
    return true;
  }
  std::string_view word() const { return word_; }
  uint64_t count() const { return count_; }

 private:
  FILE* const file_;
  uint64_t bytes_ = 0;
  char* line_ = nullptr;
  size_t room_ = 0;
  std::string_view word_;
  uint64_t count_ = 0;
};

// What SortedWordCount does to the words of the text.
void AddSorting(std::string_view text, ItemCost* all) {
  std::vector<std::string_view> words;
  ForEachWords(text, [&words](auto batch) {
    words.insert(words.end(), batch.begin(), batch.end());
  });
  ItemCost cost;
  auto items = CountedItems(words, &cost);
  std::sort(items.begin(), items.end());
  cost.moves += words.size();  // written where they are sorted
  all->item_bytes = cost.item_bytes;
  all->items += cost.items;
  all->comparisons += cost.comparisons;
  all->moves += cost.moves;
  all->bytes_compared += cost.bytes_compared;
}

uint64_t CountByExternalSort(std::string_view text, Counted* counted) {
  std::vector<std::unique_ptr<SortedRun>> runs;
  ItemCost cost;
  ForEachPiece(text, [&](std::string_view piece) {
    runs.push_back(std::make_unique<SortedRun>(piece));
    if (counted == nullptr) return;
    AddSorting(piece, &cost);
    counted->bytes += 2 * runs.back()->bytes();  // written, and read to be merged
  });
  if (counted != nullptr) {
    counted->rounds += cost.rounds() + 1;
    counted->bytes += cost.bytes();
  }
  std::erase_if(runs, [](const auto& run) { return !run->Next(); });
  const auto later = [](const auto& a, const auto& b) { return a->word() > b->word(); };
  std::make_heap(runs.begin(), runs.end(), later);
  std::string word;
  uint64_t count = 0, words = 0;
  const auto tell = [&] {
    ++words;
    if (counted != nullptr) counted->Add(word, count);
  };
  while (!runs.empty()) {
    std::pop_heap(runs.begin(), runs.end(), later);
    SortedRun& least = *runs.back();
    if (count > 0 && least.word() != word) {
      tell();
      count = 0;
    }
    word = least.word();
    count += least.count();
    if (least.Next()) {
      std::push_heap(runs.begin(), runs.end(), later);
    } else {
      runs.pop_back();
    }
  }
  if (count > 0) tell();
  return words;
}

// Lines "word count error" of the words that a summary holds for the most frequent.
constexpr size_t kCounters = 1000;
constexpr size_t kMostFrequent = 100;

std::string MostFrequent(std::string_view text) {
  FrequentWords frequent(kCounters);
  ForEachWords(
      text, [&frequent](auto words) { frequent.AddEach(words); }, BestCpuPath());
  std::string answer;
  for (const FrequentWord& word : frequent.Top(kMostFrequent)) {
    StrAppend(&answer, word.word, " ", word.count, " ", word.error, "\n");
  }
  return answer;
}

Judgement JudgeMostFrequent(std::string_view text, const std::string& answer) {
  const auto exact = PlainWordCount(text);
  Judgement judged;
  uint64_t right = 0, words = 0;
  std::istringstream lines(answer);
  std::string word;
  for (uint64_t count, error; lines >> word >> count >> error; ++words) {
    const auto found = exact.find(word);
    const uint64_t really = found == exact.end() ? 0 : found->second;
    judged.within = judged.within && really <= count && count - really <= error;
    right += really == count;
  }
  judged.within = judged.within && words == std::min(kMostFrequent, exact.size());
  judged.text = StrCat(right, " of the ", words, " largest counts exact");
  return judged;
}

template <typename Counts>
uint64_t TellEach(const Counts& counts, Counted* counted) {
  if (counted != nullptr) {
    for (const auto& [word, n] : counts) counted->Add(word, n);
  }
  return counts.size();
}

uint64_t CountInMap(std::string_view text, Counted* counted) {
  return TellEach(PlainWordCount(text), counted);
}

uint64_t CountBySorting(std::string_view text, Counted* counted) {
  if (counted != nullptr) {
    ItemCost cost;
    AddSorting(text, &cost);
    counted->rounds += cost.rounds();
    counted->bytes += cost.bytes();
  }
  return TellEach(SortedWordCount(text), counted);
}

struct WordAlgorithm {
  const char* name;
  const char* what;
  // Distinct words; told with their counts, too, unless `counted` is null.
  uint64_t (*count)(std::string_view text, Counted* counted);
  CpuPath least;  // the machine must have it
  std::optional<CpuPath> path = std::nullopt;
};

const WordAlgorithm kAlgorithms[] = {
    {"unordered_map", "one string a word, in std::unordered_map", CountInMap,
     CpuPath::kScalar},
    {"sort", "all words sorted, equal ones counted", CountBySorting, CpuPath::kScalar},
    {"external-sort", "sorted runs of 1 MiB in files, merged", CountByExternalSort,
     CpuPath::kScalar},
    {"combiner", "a table for each MiB, as map tasks do, then all into one",
     CountByCombiner, CpuPath::kScalar, BestCpuPath()},
    {"hash", "masks of 64 bytes and a table of words, on the best path",
     [](std::string_view text, Counted* counted) {
       return CountInTable(text, BestCpuPath(), counted);
     },
     CpuPath::kScalar, BestCpuPath()},
    {"hash-avx2", "the same with AVX2",
     [](std::string_view text, Counted* counted) {
       return CountInTable(text, CpuPath::kAvx2, counted);
     },
     CpuPath::kAvx2, CpuPath::kAvx2},
    {"hash-scalar", "the same without vectors",
     [](std::string_view text, Counted* counted) {
       return CountInTable(text, CpuPath::kScalar, counted);
     },
     CpuPath::kScalar, CpuPath::kScalar},
};

absl::StatusOr<std::string> MakeText(const std::string& input, uint64_t size,
                                     uint64_t seed) {
  std::string text;
  WordsOptions options{.bytes = size, .seed = seed};
  if (input == "zipf-4M") options.vocabulary = 4'000'000;
  if (input == "uniform") options.distribution = WordsOptions::Distribution::kUniform;
  SKEP_RETURN_IF_ERROR(GenerateWords(options, [&text](std::string_view bytes) {
    text += bytes;
    return absl::OkStatus();
  }));
  return text;
}

absl::StatusOr<ComparedCase> MakeCase(const std::string& input, uint64_t size,
                                      uint64_t seed) {
  SKEP_ASSIGN_OR_RETURN(std::string made, MakeText(input, size, seed));
  const auto text = std::make_shared<const std::string>(std::move(made));
  ComparedCase all{.input = StrCat(text->size(), " bytes, ", input)};
  for (const WordAlgorithm& algorithm : kAlgorithms) {
    if (algorithm.least > BestCpuPath()) continue;
    all.algorithms.push_back(
        {.name = algorithm.name,
         .what = algorithm.what,
         .run =
             [text, count = algorithm.count] {
               return ComparedRun{.answer = StrCat(count(*text, nullptr))};
             },
         .in_full =
             [text, count = algorithm.count] {
               Counted counted;
               count(*text, &counted);
               return ComparedRun{.answer = counted.Answer(),
                                  .rounds = 1 + counted.rounds,
                                  .bytes = text->size() + counted.bytes};
             },
         .path = algorithm.path});
  }
  all.algorithms.push_back({.name = "space-saving",
                            .what = StrCat("in ", kCounters, " counters, nearly right"),
                            .run =
                                [text] {
                                  return ComparedRun{.answer = MostFrequent(*text),
                                                     .rounds = 1,
                                                     .bytes = text->size()};
                                },
                            .judge =
                                [text](const std::string& answer) {
                                  return JudgeMostFrequent(*text, answer);
                                },
                            .path = BestCpuPath()});
  return all;
}

absl::StatusOr<FleetInput> MakeFleetInput(const std::string& input, uint64_t size,
                                          uint64_t seed) {
  FleetInput made{.flags = {{"top", "100"}}};
  SKEP_ASSIGN_OR_RETURN(made.bytes, MakeText(input, size, seed));
  made.what = StrCat(made.bytes.size(), " bytes, ", input, ", the best 100");
  return made;
}

}  // namespace

CompareFamily WordCountFamily() {
  return {
      .name = "wordcount",
      .what = "counting the words of a text",
      .size_name = "bytes",
      .sizes = {1 << 16, 1 << 20, 1 << 23},
      .most = uint64_t{4} << 30,
      .inputs = {"zipf", "zipf-4M", "uniform"},
      .by_default = {"unordered_map", "sort", "external-sort", "combiner", "hash",
                     "hash-scalar", "space-saving"},
      .counts =
          "Rounds: passes over the text, over tables or files made of it, and of "
          "sorting "
          "the comparisons a word. Bytes moved: text read, and what is written beside "
          "the table of words and read again; a comparison reads one word.",
      .make = MakeCase,
      .on_fleet = {.job = "wordcount",
                   .algorithms = {{.name = "combiner",
                                   .what = "tables of words, summed by reducers"},
                                  {.name = "no-combiner",
                                   .what = "each word to its reducer, sorted there",
                                   .flags = {{"no-combiner", "true"}}},
                                  {.name = "space-saving",
                                   .what = "one pass in bounded memory, nearly right",
                                   .flags = {{"approx", "true"}},
                                   .exact = false}},
                   .sizes = {1 << 20, 1 << 24},
                   .make = MakeFleetInput}};
}

}  // namespace skep
