#include <map>
#include <sstream>

#include "gtest/gtest.h"
#include "jobs/job_testing.h"

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

TEST(WordCount, TopOfFewerWordsIsAllOfThem) {
  EXPECT_EQ(AnswerOf(RunJob(WordCount, {{"top", "10"}}, "one two two")),
            "two\t2\none\t1\n");
  EXPECT_EQ(AnswerOf(RunJob(WordCount, {{"top", "10"}}, "")), "");
}

TEST(WordCount, RefusesATopThatMeansNothing) {
  const Job job = MakeJob(WordCount);
  Options options(job.flags());
  for (const char* value : {"0", "-3", "100001"}) {
    EXPECT_FALSE(options.Set("top", value).ok()) << value;
  }
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
  const auto result = RunLocally(MakeJob(WordCount), {.files = {{"kjv.txt", book}}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->output() == expected);
}

}  // namespace
}  // namespace skep
