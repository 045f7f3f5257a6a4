#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "jobs/job_testing.h"

namespace skep {

void Median(Job& job);

namespace {

std::string MedianOf(const std::string& text, const std::string& definition = "lower") {
  return AnswerOf(RunJob(Median, {{"definition", definition}}, text));
}

TEST(Median, OfFewValues) {
  EXPECT_EQ(MedianOf("5"), "5\n");
  EXPECT_EQ(MedianOf("5 3"), "3\n");
  EXPECT_EQ(MedianOf("5 3", "upper"), "5\n");
  EXPECT_EQ(MedianOf("5 3", "midpoint"), "4\n");
  EXPECT_EQ(MedianOf("5 2", "interpolated"), "3.5\n");
  EXPECT_EQ(MedianOf("9 1 5"), "5\n");
}

TEST(Median, OfNoValueIsAnError) {
  const auto result = RunJob(Median, {}, "");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(AnswerOf(result), "error: there are no numbers in the input");
}

TEST(Median, OfDoublesWithDuplicatesNegativesAndInfinities) {
  EXPECT_EQ(MedianOf("-inf 0.1 0.1 -3.5 inf"), "0.1\n");
  EXPECT_EQ(MedianOf("-inf -inf 1"), "-inf\n");
  EXPECT_EQ(MedianOf("inf inf -1"), "inf\n");
  EXPECT_EQ(MedianOf("-0.0 -5 5"), "0\n");
  EXPECT_EQ(MedianOf("-inf inf", "midpoint"), "nan\n");
}

TEST(Median, MixesIntegersAndDoublesWithoutRounding) {
  // As doubles the two integers are the same number.
  EXPECT_EQ(MedianOf("9007199254740993 9007199254740992 9007199254740994.0"),
            "9007199254740993\n");
  EXPECT_EQ(MedianOf("9223372036854775807 9223372036854775806 1e300"),
            "9223372036854775807\n");
  EXPECT_EQ(MedianOf("1 1.5 2"), "1.5\n");
}

TEST(Median, LeavesOutWhatIsNoNumber) {
  const auto result = RunJob(Median, {}, "1\nx\n2 nan\n3\n");
  EXPECT_EQ(AnswerOf(result), "2\n");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->answer.notes(1), "input:2: \"x\" is not a number");
  EXPECT_EQ(result->answer.notes(2), "input:3: NaN");
  EXPECT_EQ(result->answer.json(),
            "{\"count\":3,\"median\":2,\"definition\":\"lower\",\"unparsable\":1,"
            "\"nan\":1}");
  EXPECT_EQ(RunJob(Median, {{"strict", "true"}}, "1\nx\n").status().code(),
            absl::StatusCode::kInvalidArgument);
}

// Each way is exact, whatever the numbers; over all ways of cutting the input.
TEST(Median, AllAlgorithmsFindTheSame) {
  Random random(9);
  std::vector<std::string> inputs = {"5", "5 3", "-inf -0.0 0.1 inf", "7 7 7 7 7 8",
                                     "9007199254740993 9007199254740992 1e300"};
  for (const int bits : {1, 10, 64}) {
    std::string& text = inputs.emplace_back();
    for (int i = 0; i < 300; ++i) {
      StrAppend(&text, static_cast<int64_t>(random()) >> (64 - bits), "\n");
    }
  }
  for (const std::string& text : inputs) {
    for (const char* definition : {"lower", "midpoint"}) {
      const std::string wanted = MedianOf(text, definition);
      for (const char* algorithm : {"bisection", "radix", "random-pivot"}) {
        EXPECT_EQ(
            AnswerOf(RunJob(
                Median, {{"algorithm", algorithm}, {"definition", definition}}, text)),
            wanted)
            << algorithm;
      }
    }
  }
  EXPECT_EQ(RunJob(Median, {{"algorithm", "radix"}}, "").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Median, OfRandomIntegersEqualsASort) {
  Random random(5);
  for (const int bits : {3, 20, 40, 64}) {
    for (const int count : {1000, 1001}) {
      std::vector<int64_t> values;
      std::string text;
      for (int i = 0; i < count; ++i) {
        values.push_back(static_cast<int64_t>(random()) >> (64 - bits));
        StrAppend(&text, values.back(), "\n");
      }
      std::sort(values.begin(), values.end());
      EXPECT_EQ(MedianOf(text), StrCat(values[(count - 1) / 2], "\n"));
      EXPECT_EQ(MedianOf(text, "upper"), StrCat(values[count / 2], "\n"));
    }
  }
}

TEST(Median, OfMoreThanOneSampleHoldsTakesTwoRounds) {
  // 1.1 million values that share their first 16 bits, and one that does not.
  constexpr int kCount = 1'100'001;
  Random random(9);
  std::vector<double> values;
  for (int i = 1; i < kCount; ++i) values.push_back(1 + random.Unit() / 32);
  values.push_back(-1);
  const std::string bytes(reinterpret_cast<const char*>(values.data()),
                          values.size() * sizeof(double));
  std::sort(values.begin(), values.end());
  const auto result = RunLocally(MakeJob(Median), {.options = {{"format", "f64"}},
                                                   .files = {{"f", bytes}},
                                                   .block_bytes = 1 << 20});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(std::stod(result->answer.text()), values[kCount / 2]);
  EXPECT_EQ(result->stages.size(), 2);
}

TEST(Median, EqualIntegersTakeTwoRoundsHoweverMany) {
  constexpr int kCount = 1'200'000;
  std::string text;
  for (int i = 0; i < kCount; ++i) text += i % 3 == 0 ? "1000\n" : "1001\n";
  const auto result =
      RunLocally(MakeJob(Median), {.files = {{"f", text}}, .block_bytes = 1 << 20});
  EXPECT_EQ(AnswerOf(result), "1001\n");
  ASSERT_TRUE(result.ok());
  EXPECT_LE(result->stages.size(), 2);
}

}  // namespace
}  // namespace skep
