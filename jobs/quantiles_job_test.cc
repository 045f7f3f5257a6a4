#include <algorithm>

#include "base/random.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "jobs/api/json_text.h"
#include "jobs/job_testing.h"

namespace skep {

void Quantiles(Job& job);

namespace {

TEST(Quantiles, AnswersEachInTheOrderAsked) {
  std::string text;
  for (int i = 100; i >= 1; --i) StrAppend(&text, i, "\n");
  const auto result = RunJob(Quantiles, {{"q", "0.99,0,0.5,.07,1"}}, text);
  EXPECT_EQ(AnswerOf(result), "0.99\t99\n0\t1\n0.5\t50\n.07\t7\n1\t100\n");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(
      result->answer.json(),
      "{\"count\":100,\"quantiles\":[{\"q\":0.99,\"value\":99},{\"q\":0,\"value\":1},"
      "{\"q\":0.5,\"value\":50},{\"q\":0.07,\"value\":7},{\"q\":1,\"value\":100}],"
      "\"definition\":\"lower\",\"unparsable\":0,\"nan\":0}");
}

TEST(Quantiles, Definitions) {
  const std::string text = "10 20 30 40";
  const auto quartile = [&](const std::string& definition) {
    return AnswerOf(
        RunJob(Quantiles, {{"q", "0.25"}, {"definition", definition}}, text));
  };
  EXPECT_EQ(quartile("lower"), "0.25\t10\n");
  EXPECT_EQ(quartile("upper"), "0.25\t20\n");
  EXPECT_EQ(quartile("midpoint"), "0.25\t15\n");
  EXPECT_EQ(quartile("interpolated"), "0.25\t17.5\n");
}

TEST(Quantiles, ManyAtOnceEqualASort) {
  Random random(21);
  std::vector<int64_t> values;
  std::string text, q, expected;
  constexpr int kCount = 5000;
  for (int i = 0; i < kCount; ++i) {
    values.push_back(static_cast<int64_t>(random() >> random.Below(64)));
    StrAppend(&text, values.back(), "\n");
  }
  std::sort(values.begin(), values.end());
  for (int i = 1; i <= 500; ++i) {
    const std::string part = StrCat("0.", i < 100 ? (i < 10 ? "00" : "0") : "", i);
    StrAppend(&q, i == 1 ? "" : ",", part);
    StrAppend(&expected, part, "\t", values[i * kCount / 1000 - 1], "\n");
  }
  EXPECT_EQ(AnswerOf(RunJob(Quantiles, {{"q", q}}, text)), expected);
}

TEST(Quantiles, OfMoreThanFitsOneRoundEqualASort) {
  // Many prefixes at once, each with too many numbers to count them key by key.
  constexpr int kCount = 3'000'000;
  Random random(2);
  std::vector<double> values;
  for (int i = 0; i < kCount; ++i) values.push_back(1 + random.Unit());
  const std::string bytes(reinterpret_cast<const char*>(values.data()),
                          values.size() * sizeof(double));
  std::sort(values.begin(), values.end());
  const auto result = RunLocally(
      MakeJob(Quantiles),
      {.options = {{"format", "f64"}, {"q", "0.05,0.1,0.3,0.31,0.5,0.7,0.9,0.99"}},
       .files = {{"f", bytes}},
       .block_bytes = 1 << 20});
  ASSERT_TRUE(result.ok()) << result.status();
  std::string expected;
  for (const char* q : {"0.05", "0.1", "0.3", "0.31", "0.5", "0.7", "0.9", "0.99"}) {
    const auto rank = static_cast<int64_t>(std::stod(q) * 100 + 0.5) * kCount / 100;
    StrAppend(&expected, q, "\t", JsonNumber(values[rank - 1]), "\n");
  }
  EXPECT_EQ(result->answer.text(), expected);
  EXPECT_EQ(result->stages.size(), 3);
}

TEST(Quantiles, RefusesWhatIsNoQuantile) {
  const Job job = MakeJob(Quantiles);
  Options options(job.flags());
  for (const char* q : {"", "1.5", "-0.1", "0.5,", "half"}) {
    EXPECT_EQ(options.Set("q", q).code(), absl::StatusCode::kInvalidArgument) << q;
  }
  EXPECT_FALSE(options.Set("definition", "nearest").ok());
}

}  // namespace
}  // namespace skep
