// Counting the words of a text.

#include <memory>
#include <utility>

#include "base/cpu_path.h"
#include "base/status.h"
#include "base/strings.h"
#include "base/word_table.h"
#include "jobs/kernels/tokenizer.h"
#include "tests/bench/baselines.h"
#include "tools/compare/family.h"
#include "tools/gen/words.h"

namespace skep {
namespace {

// Distinct words.
uint64_t CountInTable(std::string_view text, CpuPath path) {
  WordTable table({.path = path});
  ForEachWords(
      text, [&table](auto words) { table.AddEach(words); }, path);
  return table.size();
}

struct WordAlgorithm {
  const char* name;
  const char* what;
  uint64_t (*count)(std::string_view text);
  CpuPath least;  // the machine must have it
};

constexpr WordAlgorithm kAlgorithms[] = {
    {"unordered_map", "one string a word, in std::unordered_map",
     [](std::string_view text) { return static_cast<uint64_t>(PlainWordCount(text)); },
     CpuPath::kScalar},
    {"hash", "masks of 64 bytes and a table of words, on the best path",
     [](std::string_view text) { return CountInTable(text, BestCpuPath()); },
     CpuPath::kScalar},
    {"hash-avx2", "the same with AVX2",
     [](std::string_view text) { return CountInTable(text, CpuPath::kAvx2); },
     CpuPath::kAvx2},
    {"hash-scalar", "the same without vectors",
     [](std::string_view text) { return CountInTable(text, CpuPath::kScalar); },
     CpuPath::kScalar},
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
    all.algorithms.push_back({.name = algorithm.name,
                              .what = algorithm.what,
                              .run = [text, count = algorithm.count] {
                                return ComparedRun{
                                    .answer = StrCat(count(*text), " distinct words"),
                                    .rounds = 1,
                                    .bytes = text->size()};
                              }});
  }
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
      .inputs = {"zipf", "zipf-4M", "uniform"},
      .by_default = {"unordered_map", "hash", "hash-scalar"},
      .make = MakeCase,
      .on_fleet = {.job = "wordcount",
                   .algorithms = {{.name = "exact",
                                   .what = "tables of words, summed by reducers"},
                                  {.name = "space-saving",
                                   .what = "one pass in bounded memory, nearly right",
                                   .flags = {{"approx", "true"}},
                                   .exact = false}},
                   .sizes = {1 << 20, 1 << 24},
                   .make = MakeFleetInput}};
}

}  // namespace skep
