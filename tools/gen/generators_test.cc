#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "jobs/kernels/number_parser.h"
#include "jobs/kernels/sudoku.h"
#include "jobs/kernels/tokenizer.h"
#include "base/word_table.h"
#include "tools/gen/numbers.h"
#include "tools/gen/puzzles.h"
#include "tools/gen/words.h"

namespace skep {
namespace {

template <typename Options>
std::string TextOf(absl::Status (*generate)(const Options&, const Sink&),
                   const Options& options) {
  std::string text;
  const absl::Status status = generate(options, [&text](std::string_view bytes) {
    text += bytes;
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return text;
}

TEST(GenerateWords, SpellsEveryWordInItsOwnWay) {
  std::set<std::string> words;
  size_t longest = 0;
  for (uint64_t rank = 1; rank <= 100'000; ++rank) {
    std::string word;
    SpellWord(rank, &word);
    longest = std::max(longest, word.size());
    words.insert(word);
  }
  EXPECT_EQ(words.size(), 100'000u);
  EXPECT_EQ(longest, 16u);
  std::string last;
  SpellWord(uint64_t{1} << 32, &last);
  EXPECT_LE(last.size(), 20u);
}

TEST(GenerateWords, FollowsZipfsLaw) {
  for (const double exponent : {0.5, 1.0, 1.5}) {
    const ZipfRanks ranks(exponent, 50);
    Random random(7);
    constexpr int kDraws = 200'000;
    std::vector<int> drawn(51);
    for (int i = 0; i < kDraws; ++i) ++drawn.at(ranks.Draw(random));
    EXPECT_EQ(drawn[0], 0);
    double weights = 0, chi_square = 0;
    for (int rank = 1; rank <= 50; ++rank) weights += std::pow(rank, -exponent);
    for (int rank = 1; rank <= 50; ++rank) {
      const double expected = kDraws * std::pow(rank, -exponent) / weights;
      chi_square += (drawn[rank] - expected) * (drawn[rank] - expected) / expected;
    }
    EXPECT_LT(chi_square, 85) << exponent;  // 49 degrees of freedom: one in a thousand
  }
  const ZipfRanks one(1, 1);
  Random random(1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.Draw(random), 1u);
}

TEST(GenerateWords, FillsTheBytesWithWholeLines) {
  for (const uint64_t bytes : {0, 5, 100, 1'000'000}) {
    const WordsOptions options{.vocabulary = 5000, .bytes = bytes, .seed = 3};
    const std::string text = TextOf(GenerateWords, options);
    EXPECT_LE(text.size(), bytes);
    EXPECT_GE(text.size() + 40, bytes);
    EXPECT_TRUE(text.empty() || text.back() == '\n');
    EXPECT_EQ(text, TextOf(GenerateWords, options));
  }
  WordsOptions other{.bytes = 1000};
  const std::string text = TextOf(GenerateWords, other);
  other.seed = 2;
  EXPECT_NE(text, TextOf(GenerateWords, other));
}

TEST(GenerateWords, DrawsUniformlyWhenAsked) {
  WordTable table;
  ForEachWord(
      TextOf(GenerateWords, {.distribution = WordsOptions::Distribution::kUniform,
                             .vocabulary = 100,
                             .bytes = 1'000'000}),
      [&table](std::string_view word) { table.Add(word, 1); });
  EXPECT_EQ(table.size(), 100u);
  uint64_t least = UINT64_MAX, most = 0;
  table.ForEach([&](std::string_view, uint64_t count) {
    least = std::min(least, count);
    most = std::max(most, count);
  });
  EXPECT_LT(most, 2 * least);
}

TEST(GenerateWords, RefusesWhatItCannotDraw) {
  const Sink sink = [](std::string_view) { return absl::OkStatus(); };
  EXPECT_FALSE(GenerateWords({.exponent = 0}, sink).ok());
  EXPECT_FALSE(GenerateWords({.exponent = NAN}, sink).ok());
  EXPECT_FALSE(GenerateWords({.vocabulary = 0}, sink).ok());
  const Sink closed = [](std::string_view) { return Cancelled("closed"); };
  EXPECT_EQ(GenerateWords({.bytes = uint64_t{1} << 60}, closed).code(),
            absl::StatusCode::kCancelled);
}

TEST(GenerateNumbers, TextAndBinaryAreTheSameNumbers) {
  for (const auto type : {NumbersOptions::Type::kI64, NumbersOptions::Type::kF64}) {
    NumbersOptions options{.type = type, .count = 50'000, .seed = 9};
    ParsedNumbers text, binary;
    ParseNumbers(TextOf(GenerateNumbers, options), &text);
    options.binary = true;
    const std::string bytes = TextOf(GenerateNumbers, options);
    EXPECT_EQ(bytes.size(), 400'000u);
    const bool integers = type == NumbersOptions::Type::kI64;
    ASSERT_TRUE(
        (integers ? DecodeIntegers(bytes, &binary) : DecodeDoubles(bytes, &binary))
            .ok());
    EXPECT_EQ(text.integers, binary.integers);
    // A zero is written as an integer; there is none among these.
    EXPECT_EQ(text.doubles, binary.doubles);
    EXPECT_EQ(text.unparsable, 0u);
  }
  EXPECT_EQ(TextOf(GenerateNumbers, {.count = 0}), "");
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(GeneratePuzzles, HaveTheirCluesAndOneSolution) {
  for (const int clues : {17, 19, 22, 25, 30, 81}) {
    const PuzzlesOptions options{
        .min_clues = clues, .max_clues = clues, .unique = true, .count = 5, .seed = 4};
    const auto puzzles = Lines(TextOf(GeneratePuzzles, options));
    ASSERT_EQ(puzzles.size(), 5u);
    for (const std::string& puzzle : puzzles) {
      EXPECT_EQ(81 - std::count(puzzle.begin(), puzzle.end(), '0'), clues);
      EXPECT_EQ(SolveSudoku(puzzle, {.limit = 2}).solutions, 1u) << puzzle;
    }
    EXPECT_NE(puzzles[0], puzzles[1]);
    EXPECT_EQ(puzzles, Lines(TextOf(GeneratePuzzles, options)));
  }
}

TEST(GeneratePuzzles, WithoutUniqueTheyHaveSomeSolution) {
  std::set<long> clues;
  for (const std::string& puzzle : Lines(
           TextOf(GeneratePuzzles, {.min_clues = 8, .max_clues = 12, .count = 100}))) {
    clues.insert(81 - std::count(puzzle.begin(), puzzle.end(), '0'));
    EXPECT_EQ(SolveSudoku(puzzle).solutions, 1u);
  }
  EXPECT_EQ(clues, (std::set<long>{8, 9, 10, 11, 12}));
}

TEST(GeneratePuzzles, RefusesImpossibleClues) {
  const Sink sink = [](std::string_view) { return absl::OkStatus(); };
  EXPECT_FALSE(
      GeneratePuzzles({.min_clues = 16, .max_clues = 20, .unique = true}, sink).ok());
  EXPECT_FALSE(GeneratePuzzles({.min_clues = 20, .max_clues = 19}, sink).ok());
  EXPECT_FALSE(GeneratePuzzles({.min_clues = 20, .max_clues = 82}, sink).ok());
}

}  // namespace
}  // namespace skep
