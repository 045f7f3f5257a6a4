#include <algorithm>

#include "base/random.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "jobs/job_testing.h"

namespace skep {

void Sort(Job& job);

namespace {

std::string RandomLines(int count) {
  Random random(7);
  std::string text;
  for (int i = 0; i < count; ++i) {
    for (uint64_t n = random.Below(12); n > 0; --n) {
      text += static_cast<char>(random.Below(8) == 0 ? 0xe0 : 'a' + random.Below(3));
    }
    text += '\n';
  }
  return text;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  ForEachLine(text, [&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

TEST(Sort, OrdersBytesAndKeepsDuplicates) {
  EXPECT_EQ(OutputOf(RunJob(Sort, {}, "b\na\xff\nB\n\na\nb\na z")),
            "\nB\na\na z\na\xff\nb\nb\n");
  EXPECT_EQ(OutputOf(RunJob(Sort, {}, "")), "");
}

TEST(Sort, UniqueWritesEqualLinesOnce) {
  EXPECT_EQ(OutputOf(RunJob(Sort, {{"unique", "true"}}, "b\na\nb\n\n\na\n")),
            "\na\nb\n");
}

TEST(Sort, InManyPartitionsEqualsStdSort) {
  const std::string text = RandomLines(20'000);
  std::vector<std::string> expected = Lines(text);
  std::sort(expected.begin(), expected.end());
  for (const uint32_t partitions : {1, 2, 13}) {
    const auto result = RunLocally(
        MakeJob(Sort),
        {.files = {{"f", text}}, .split_bytes = 10'000, .partitions = partitions});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(Lines(result->output()) == expected) << partitions;
    EXPECT_EQ(result->parts.size(), partitions);
    size_t largest = 0;
    for (const std::string& part : result->parts)
      largest = std::max(largest, part.size());
    EXPECT_LT(largest, 2 * text.size() / partitions);
    EXPECT_EQ(result->answer.json(), "{\"lines\":20000,\"written\":20000}");
  }
}

TEST(Sort, OneLineOverAndOverIsOnePartition) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "same\n";
  const auto result =
      RunLocally(MakeJob(Sort), {.files = {{"f", text}}, .partitions = 8});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->output(), text);
  EXPECT_LE(result->parts.size(), 2);
}

TEST(Sort, SamplesDoNotDependOnTheSplits) {
  const std::string text = RandomLines(30'000);
  LocalRun run{.files = {{"f", text}}, .partitions = 5};
  const auto once = RunLocally(MakeJob(Sort), run);
  run.split_bytes = 777;
  const auto again = RunLocally(MakeJob(Sort), run);
  ASSERT_TRUE(once.ok() && again.ok());
  EXPECT_EQ(once->stages, (std::vector<std::string>{"sample", "sort"}));
  EXPECT_TRUE(once->parts == again->parts);
}

}  // namespace
}  // namespace skep
