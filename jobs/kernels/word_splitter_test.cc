#include "jobs/kernels/word_splitter.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/frequent_words.h"

namespace skep {
namespace {

using Words = std::vector<std::string>;

Words WordsOf(std::string_view text, const WordSplitterOptions& options) {
  const auto splitter = WordSplitter::Create(options).value();
  Words words;
  splitter->ForEach(text, [&](std::span<const std::string_view> batch) {
    words.insert(words.end(), batch.begin(), batch.end());
  });
  return words;
}

class WordSplitterPath : public testing::TestWithParam<CpuPath> {};

TEST_P(WordSplitterPath, OptionsOneByOne) {
  const CpuPath path = GetParam();
  const std::string_view text = "The bee, the\tHive.\n\n of bees\n";
  EXPECT_EQ(WordsOf(text, {.path = path}),
            (Words{"The", "bee,", "the", "Hive.", "of", "bees"}));
  EXPECT_EQ(WordsOf(text, {.ignore_case = true, .path = path}),
            (Words{"the", "bee,", "the", "hive.", "of", "bees"}));
  EXPECT_EQ(WordsOf(text, {.min_length = 4, .path = path}),
            (Words{"bee,", "Hive.", "bees"}));
  EXPECT_EQ(WordsOf(text, {.stop_words = "the of", .path = path}),
            (Words{"The", "bee,", "Hive.", "bees"}));
  EXPECT_EQ(WordsOf(text, {.pattern = "[a-zA-Z]+", .path = path}),
            (Words{"The", "bee", "the", "Hive", "of", "bees"}));
  EXPECT_EQ(WordsOf(text, {.ngrams = 2, .path = path}),
            (Words{"The bee,", "bee, the", "the Hive.", "of bees"}));
  EXPECT_EQ(WordsOf(text, {.ngrams = 5, .path = path}), Words());
}

TEST_P(WordSplitterPath, OptionsTogether) {
  const CpuPath path = GetParam();
  const std::string_view text = "A rose is a ROSE is a rose\nno rose";
  EXPECT_EQ(
      WordsOf(text,
              {.ignore_case = true, .stop_words = "A", .ngrams = 2, .path = path}),
      (Words{"rose is", "rose is", "no rose"}));
  EXPECT_EQ(WordsOf(text, {.pattern = "r[a-z]+|is",
                           .ignore_case = true,
                           .min_length = 3,
                           .path = path}),
            (Words{"rose", "rose", "rose", "rose"}));
  EXPECT_EQ(WordsOf("a b c d",
                    {.pattern = "[a-z]", .stop_words = "c", .ngrams = 2, .path = path}),
            (Words{"a b"}));
  // What a pattern matches may be empty, or the longer of two.
  EXPECT_EQ(WordsOf("ab xx", {.pattern = "x*|a|ab", .path = path}),
            (Words{"ab", "xx"}));
}

TEST_P(WordSplitterPath, UnicodeWithOtherOptions) {
  const CpuPath path = GetParam();
  const std::string_view text =
      "Die Stra\u00dfe, die STRASSE\n\u00dcber den Fu\u00df.\n";
  EXPECT_EQ(
      WordsOf(text, {.unicode = true, .path = path}),
      (Words{"Die", "Stra\u00dfe", "die", "STRASSE", "\u00dcber", "den", "Fu\u00df"}));
  EXPECT_EQ(WordsOf(text, {.unicode = true, .ignore_case = true, .path = path}),
            (Words{"die", "strasse", "die", "strasse", "\u00fcber", "den", "fuss"}));
  // Characters, not bytes: "\u00fc" is two of these.
  EXPECT_EQ(WordsOf("\u00fcb \u00fcbe abcd abc \u00fc",
                    {.unicode = true, .min_length = 3, .path = path}),
            (Words{"\u00fcbe", "abcd", "abc"}));
  EXPECT_EQ(WordsOf(text, {.unicode = true,
                           .ignore_case = true,
                           .stop_words = "Stra\u00dfe, U\u0308BER.",
                           .path = path}),
            (Words{"die", "die", "den", "fuss"}));
  EXPECT_EQ(WordsOf(text, {.unicode = true,
                           .ignore_case = true,
                           .stop_words = "den",
                           .ngrams = 2,
                           .path = path}),
            (Words{"die strasse", "strasse die", "die strasse"}));
  EXPECT_EQ(WordSplitter::Create({.pattern = "a", .unicode = true}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(WordSplitterPath, CutAtAnyLineEnd) {
  Random random(3);
  std::string text;
  while (text.size() < 20'000) {
    text += "aB bA a b ab\n"[random.Below(13)];
    text += "aAbB \n"[random.Below(6)];
    if (random.Below(20) == 0) text += "\u00c4";
  }
  const std::string huge(300'000, 'w');
  text += huge + " " + huge + " x\nend";
  for (const WordSplitterOptions& options :
       {WordSplitterOptions{.path = GetParam()},
        WordSplitterOptions{.unicode = true, .path = GetParam()},
        WordSplitterOptions{.unicode = true,
        .ignore_case = true,
        .min_length = 2,
        .stop_words = "ab \u00c4b",
        .ngrams = 2,
        .path = GetParam()},
        WordSplitterOptions{.pattern = "[ab]+", .ignore_case = true, .ngrams = 2},
        WordSplitterOptions{.min_length = 2, .stop_words = "ab BA", .ngrams = 3}}) {
    const auto splitter = WordSplitter::Create(options).value();
    Words pieces;
    for (size_t at = 0; at < text.size();) {
      const size_t end =
          std::min(text.find('\n', at + random.Below(3000)), text.size() - 1) + 1;
      splitter->ForEach(std::string_view(text).substr(at, end - at),
                        [&](std::span<const std::string_view> batch) {
                          pieces.insert(pieces.end(), batch.begin(), batch.end());
                        });
      at = end;
    }
    EXPECT_TRUE(pieces == WordsOf(text, options));
    EXPECT_GT(pieces.size(), 100u);
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, WordSplitterPath,
                         testing::ValuesIn(SupportedCpuPaths()), [](const auto& info) {
                           return std::string(CpuPathName(info.param));
                         });

TEST(WordSplitter, RefusesWhatIsNoExpression) {
  EXPECT_EQ(WordSplitter::Create({.pattern = "a("}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// --- FrequentWords -----------------------------------------------------------------

class Stream {
 public:
  explicit Stream(uint64_t seed) : random_(seed) {}

  // Skewed: the word of number n about twice as often as that of 2 n.
  void Fill(size_t words, FrequentWords* frequent) {
    std::vector<std::string> batch(50);
    for (size_t i = 0; i < words; i += batch.size()) {
      for (std::string& word : batch) {
        word = std::to_string(random_.Below(20'000) >> random_.Below(15));
        ++counts_[word];
      }
      const std::vector<std::string_view> views(batch.begin(), batch.end());
      frequent->AddEach(views);
    }
  }

  void Check(const FrequentWords& frequent, uint64_t words, size_t counters) const {
    EXPECT_EQ(frequent.total(), words);
    EXPECT_LE(frequent.error(), words / (counters + 1));
    std::map<std::string, uint64_t> found;
    for (const FrequentWord& word : frequent.Top(2 * counters)) {
      const uint64_t exact = counts_.at(word.word);
      EXPECT_LE(exact, word.count) << word.word;
      EXPECT_GE(exact + word.error, word.count) << word.word;
      EXPECT_LE(word.error, frequent.error()) << word.word;
      found[word.word] = word.count;
    }
    // The most frequent word had its counter from the start.
    if (counters > 10) {
      EXPECT_EQ(frequent.Top(1)[0].error, 0u);
    }
    for (const auto& [word, count] : counts_) {
      if (!found.contains(word)) {
        EXPECT_LE(count, frequent.error()) << word;
      }
    }
  }

 private:
  Random random_;
  std::map<std::string, uint64_t> counts_;
};

TEST(FrequentWords, CountsAreWithinTheirErrors) {
  for (const size_t counters : {1, 10, 300, 100'000}) {
    Stream stream(counters);
    FrequentWords frequent(counters);
    stream.Fill(100'000, &frequent);
    stream.Check(frequent, 100'000, counters);
    EXPECT_EQ(frequent.error() == 0, counters == 100'000);
  }
}

TEST(FrequentWords, MergedTheyAreStill) {
  constexpr size_t kCounters = 200;
  Stream stream(9);
  FrequentWords all(kCounters);
  for (int part = 0; part < 8; ++part) {
    FrequentWords frequent(kCounters);
    stream.Fill(20'000, &frequent);
    const std::string bytes = frequent.Encode();
    EXPECT_TRUE(all.MergeEncoded(bytes).ok());
    EXPECT_EQ(all.MergeEncoded(bytes.substr(0, bytes.size() - 1)).code(),
              absl::StatusCode::kDataLoss);
  }
  stream.Check(all, 160'000, kCounters);
}

}  // namespace
}  // namespace skep
