#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/job_testing.h"
#include "jobs/kernels/frequent_words.h"

namespace skep {

void WordCount(Job& job);

namespace {

TEST(WordCount, WritesEachWordWithItsCountInKeyOrder) {
  EXPECT_EQ(OutputOf(RunJob(WordCount, {}, "the bee and the hive\n\n  the\tend")),
            "and\t1\nbee\t1\nend\t1\nhive\t1\nthe\t3\n");
  EXPECT_EQ(OutputOf(RunJob(WordCount, {}, "")), "");
}

TEST(WordCount, KeepsBytesAsTheyAre) {
  EXPECT_EQ(
      OutputOf(RunJob(WordCount, {}, "caf\xc3\xa9 Caf\xc3\xa9 \xff\xfe caf\xc3\xa9")),
      "Caf\xc3\xa9\t1\ncaf\xc3\xa9\t2\n\xff\xfe\t1\n");
  EXPECT_EQ(OutputOf(RunJob(WordCount, {{"ignore-case", "true"}},
                            "CAF\xc3\x89 caf\xc3\x89 caf\xc3\xa9")),
            "caf\xc3\x89\t2\ncaf\xc3\xa9\t1\n");
}

TEST(WordCount, TopAnswersBestFirstAndTiesInByteOrder) {
  const auto result = RunJob(WordCount, {{"top", "3"}}, "b a c a c b \xff z z z");
  EXPECT_EQ(AnswerOf(result), "z\t3\na\t2\nb\t2\n");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->parts.empty());
  EXPECT_EQ(result->answer.json(),
            "{\"words\":[{\"word\":\"z\",\"count\":3},{\"word\":\"a\",\"count\":2},"
            "{\"word\":\"b\",\"count\":2}]}");
}

TEST(WordCount, WithoutACombinerCountsTheSame) {
  const std::string text = "b a\nc a c a\n";
  EXPECT_EQ(OutputOf(RunJob(WordCount, {{"no-combiner", "true"}}, text)),
            "a\t3\nb\t1\nc\t2\n");
  EXPECT_EQ(AnswerOf(RunJob(WordCount, {{"no-combiner", "true"}, {"top", "2"}}, text)),
            "a\t3\nc\t2\n");
}

TEST(WordCount, TopOfFewerWordsIsAllOfThem) {
  EXPECT_EQ(AnswerOf(RunJob(WordCount, {{"top", "10"}}, "one two two")),
            "two\t2\none\t1\n");
  EXPECT_EQ(AnswerOf(RunJob(WordCount, {{"top", "10"}}, "")), "");
}

TEST(WordCount, RefusesFlagsThatMeanNothing) {
  const Job job = MakeJob(WordCount);
  Options options(job.flags());
  for (const char* value : {"0", "-3", "100001"}) {
    EXPECT_FALSE(options.Set("top", value).ok()) << value;
  }
  EXPECT_FALSE(options.Set("pattern", "").ok());
}

TEST(WordCount, WordsAreChosenByFlags) {
  const std::string text = "A rose is a ROSE is a rose.\nNo rose";
  EXPECT_EQ(OutputOf(RunJob(WordCount,
                            {{"pattern", "[a-z]+"},
                             {"ignore-case", "true"},
                             {"stop-words", "a\nis"},
                             {"min-length", "3"}},
                            text)),
            "rose\t4\n");
  EXPECT_EQ(
      OutputOf(RunJob(WordCount, {{"ngrams", "3"}, {"ignore-case", "true"}}, text)),
      "a rose is\t2\nis a rose\t1\nis a rose.\t1\nrose is a\t2\n");
  EXPECT_EQ(AnswerOf(RunJob(WordCount, {{"ngrams", "2"}, {"top", "1"}}, text)),
            "is a\t2\n");
}

TEST(WordCount, ApproximatelyIsExactWhereCountersSuffice) {
  const auto result =
      RunJob(WordCount, {{"top", "2"}, {"approx", "true"}}, "b a c a c a");
  EXPECT_EQ(AnswerOf(result), "a\t3\t0\nc\t2\t0\n");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->answer.json(),
            "{\"words\":[{\"word\":\"a\",\"count\":3,\"error\":0},"
            "{\"word\":\"c\",\"count\":2,\"error\":0}],\"total\":6,\"error\":0}");
  EXPECT_EQ(AnswerOf(RunJob(WordCount, {{"top", "2"}, {"approx", "true"}}, "")), "");
}

// Summaries of many splits must fit a message together: what long words have not room
// for is part of the error.
TEST(WordCount, ApproximatelyInBoundedBytes) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text += "the the " + std::to_string(i) + std::string(6000, 'q') + "\n";
  }
  const auto result =
      RunLocally(MakeJob(WordCount), {.options = {{"top", "1"}, {"approx", "true"}},
                                      .files = {{"f", text}},
                                      .split_bytes = 150});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->answer.text().substr(0, 4), "the\t");
  // A split that has a long word forgets it.
  EXPECT_TRUE(result->answer.json().ends_with(",\"total\":900,\"error\":300}"))
      << result->answer.json();
}

TEST(WordCount, FewerBytesKeepTheMostFrequentWords) {
  FrequentWords frequent(1000);
  for (int i = 0; i < 4000; ++i) {
    const std::string long_word = std::to_string(i) + std::string(20'000, 'q');
    const std::string_view words[] = {"often", long_word, "often", "the"};
    frequent.AddEach(words);
  }
  EXPECT_EQ(frequent.total(), 16'000u);
  // 80 MB do not stay; a word that stands there once is lost once.
  EXPECT_GE(frequent.error(), 1u);
  EXPECT_LE(frequent.error(), 5u);
  for (const size_t bytes : {1'000'000, 60'000, 50, 0}) {
    EXPECT_LE(frequent.Encode(bytes).size(), std::max<size_t>(bytes, 20)) << bytes;
    const std::vector<FrequentWord> top = frequent.Top(2);
    ASSERT_EQ(top.size(), bytes >= 60'000 ? 2u : bytes == 50 ? 1u : 0u);
    for (const FrequentWord& word : top) {
      const uint64_t exact = word.word == "often" ? 8000 : 4000;
      EXPECT_GE(word.count, exact) << word.word;
      EXPECT_LE(word.count - word.error, exact) << word.word;
    }
  }
  EXPECT_GE(frequent.error(), 8000u);
}

TEST(WordCount, WordsOfUnicode) {
  const std::string text =
      "Don't walk 3.14 STRASSE;\nStra\u00dfe e\u0301 \u00c9\xff\u00e9 \U0001f41d\n"
      "\u65e5\u672c\u8a9e\u306e\u5358\u8a9e";
  const std::string counts =
      "3.14\t1\ndon't\t1\nstrasse\t2\nwalk\t1\n\u00e9\t3\n\u306e\t1\n"
      "\u5358\u8a9e\t1\n\u65e5\u672c\u8a9e\t1\n";
  EXPECT_EQ(OutputOf(RunJob(WordCount, {{"words", "unicode"}}, text)), counts);
  EXPECT_EQ(
      OutputOf(RunJob(WordCount, {{"words", "unicode-cased"}, {"ignore-case", "true"}},
                      text)),
      counts);
  EXPECT_EQ(OutputOf(RunJob(WordCount,
                            {{"words", "unicode-cased"}, {"min-length", "4"}}, text)),
            "3.14\t1\nDon't\t1\nSTRASSE\t1\nStra\u00dfe\t1\nwalk\t1\n");
  EXPECT_EQ(AnswerOf(RunJob(WordCount,
                            {{"words", "unicode"},
                             {"stop-words", "STRA\u00dfe"},
                             {"ngrams", "2"},
                             {"top", "1"},
                             {"approx", "true"}},
                            text)),
            "\u00e9 \u00e9\t2\t0\n");
  EXPECT_EQ(AnswerOf(RunJob(WordCount, {{"words", "unicode"}, {"top", "1"}}, text)),
            "\u00e9\t3\n");
}

TEST(WordCount, TellsWhenTheBestWordsAreTooLongToPrint) {
  std::string text;
  for (char c = 'a'; c < 'a' + 10; ++c) text += std::string(1 << 20, c) + "\n";
  const JobFlags approximately = {{"top", "10"}, {"approx", "true"}};
  for (const auto& result :
       {RunJob(WordCount, {{"top", "10"}}, text),
        // In one split: of many, each has less room than such a word takes.
        RunLocally(MakeJob(WordCount),
                   {.options = approximately, .files = {{"f", text}}})}) {
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(result.status().ToString().find("leave out --top"), std::string::npos);
  }
  const auto fewer = RunJob(WordCount, {{"top", "1"}}, text);
  EXPECT_EQ(AnswerOf(fewer), std::string(1 << 20, 'a') + "\t1\n");
}

TEST(WordCount, RefusesWhatDoesNotGoTogether) {
  for (const JobFlags& flags :
       {JobFlags{{"approx", "true"}}, JobFlags{{"pattern", "("}},
        JobFlags{{"pattern", "a"}, {"words", "unicode"}},
        JobFlags{{"approx", "true"}, {"top", "10"}, {"counters", "9"}}}) {
    EXPECT_EQ(RunJob(WordCount, flags, "x").status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(WordCount, EqualsTheShellsCountOfAnyBytes) {
  Random random(5);
  std::string text;
  for (int i = 0; i < 30'000; ++i) {
    const auto byte = static_cast<char>(random.Below(256));
    text += random.Below(3) == 0 ? "ab \n"[random.Below(4)] : byte == '\0' ? 'x' : byte;
  }
  text += std::string(1 << 20, 'w') + " " + std::string(1 << 20, '\xff');
  const std::string file = testing::TempDir() + "/words.txt";
  std::ofstream(file, std::ios::binary) << text;
  FILE* const pipe = popen(("LC_ALL=C tr -s '[:space:]' '\\n' <" + file +
                            " | grep -a . | LC_ALL=C sort | LC_ALL=C uniq -c")
                               .c_str(),
                           "r");
  std::string expected;
  std::vector<char> buffer(4 << 20);
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) {
    int at = 0;
    long count = 0;
    ASSERT_EQ(std::sscanf(buffer.data(), "%ld %n", &count, &at), 1);
    std::string word(buffer.data() + at);
    word.pop_back();
    expected += word + "\t" + std::to_string(count) + "\n";
  }
  EXPECT_EQ(pclose(pipe), 0);
  EXPECT_TRUE(OutputOf(RunJob(WordCount, {}, text)) == expected);
}

TEST(WordCount, EqualsAStraightforwardCountOfABook) {
  const std::string book = TestDataFile("kjv.txt");
  if (book.empty()) GTEST_SKIP() << "set SKEP_TEST_DATA to a folder with kjv.txt";
  std::map<std::string, int> counts;
  std::istringstream words(book);
  for (std::string word; words >> word;) ++counts[word];
  std::string expected;
  for (const auto& [word, count] : counts) {
    expected += word + "\t" + std::to_string(count) + "\n";
  }
  const auto count = [&](const JobFlags& flags) {
    const auto result = RunLocally(MakeJob(WordCount),
                                   {.options = flags, .files = {{"kjv.txt", book}}});
    return result.ok() ? result->output() : result.status().ToString();
  };
  EXPECT_TRUE(count({}) == expected);
  // In a book of ASCII Unicode's words are those of a simple expression.
  EXPECT_TRUE(count({{"words", "unicode-cased"}}) ==
              count({{"pattern", "[A-Za-z]+(?:'[A-Za-z]+)*|[0-9]+"}}));
}

}  // namespace
}  // namespace skep
