#include "gtest/gtest.h"
#include "jobs/job_testing.h"

namespace skep {

void Grep(Job& job);

namespace {

constexpr char kText[] = "The hive\nis full\n\nof honey, the\nbees. say";

std::vector<LocalFile> TwoFiles() {
  return {{"a.txt", "one bee\ntwo\nbees"}, {"b.txt", "no\n\nbee\n"}};
}

TEST(Grep, WritesTheMatchingLinesInOrder) {
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "[Tt]he"}}, kText)),
            "The hive\nof honey, the\n");
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "say$"}}, kText)), "bees. say\n");
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "wasp"}}, kText)), "");
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "x"}}, "")), "");
}

TEST(Grep, Switches) {
  EXPECT_EQ(
      OutputOf(RunJob(Grep, {{"pattern", "the"}, {"ignore-case", "true"}}, kText)),
      "The hive\nof honey, the\n");
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "e"}, {"invert-match", "true"}}, kText)),
            "is full\n\n");
  EXPECT_EQ(
      OutputOf(RunJob(Grep, {{"pattern", "s."}, {"fixed-strings", "true"}}, kText)),
      "bees. say\n");
}

TEST(Grep, NumbersLinesThroughTheWholeFile) {
  const JobFlags flags = {{"pattern", "e"}, {"line-number", "true"}};
  EXPECT_EQ(OutputOf(RunJob(Grep, flags, kText)),
            "1:The hive\n4:of honey, the\n5:bees. say\n");
  EXPECT_EQ(OutputOf(RunJob(Grep, flags, TwoFiles())),
            "a.txt:1:one bee\na.txt:3:bees\nb.txt:3:bee\n");
}

TEST(Grep, NamesTheFileWhenThereAreSeveral) {
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "bee"}}, TwoFiles())),
            "a.txt:one bee\na.txt:bees\nb.txt:bee\n");
}

TEST(Grep, CountsByFile) {
  const JobFlags flags = {{"pattern", "bee"}, {"count", "true"}};
  const auto result = RunJob(Grep, flags, TwoFiles());
  EXPECT_EQ(AnswerOf(result), "a.txt:2\nb.txt:1\n");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->parts.empty());
  EXPECT_EQ(result->answer.json(),
            "{\"matches\":3,\"files\":[{\"file\":\"a.txt\",\"matches\":2},"
            "{\"file\":\"b.txt\",\"matches\":1}]}");
  EXPECT_EQ(AnswerOf(RunJob(Grep, flags, "bee\nno\n")), "1\n");
  EXPECT_EQ(AnswerOf(RunJob(Grep, flags, "")), "0\n");
}

TEST(Grep, PatternsThatCannotBeAreRefusedBeforeAnythingRuns) {
  EXPECT_EQ(OutputOf(RunJob(Grep, {}, "x")),
            "error: grep needs a pattern: --pattern PATTERN");
  const auto result = RunJob(Grep, {{"pattern", "a("}}, "x");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace skep
