#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "jobs/api/json_text.h"
#include "jobs/job_testing.h"

namespace skep {

void Average(Job& job);

namespace {

std::vector<std::string> NotesOf(const absl::StatusOr<LocalResult>& result) {
  if (!result.ok()) return {};
  return {result->answer.notes().begin(), result->answer.notes().end()};
}

// The bytes of the values, one after another.
template <typename T>
std::string Binary(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

TEST(Average, TellsWhatThereIsToTell) {
  const auto result = RunJob(Average, {}, "4 2\n4\n5 5 7\n9 4\n");
  EXPECT_EQ(AnswerOf(result),
            "count\t8\nmin\t2\nmax\t9\nsum\t40\nmean\t5\nvariance\t4\n"
            "sample variance\t4.571428571428571\n");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->answer.json(),
            "{\"count\":8,\"min\":2,\"max\":9,\"sum\":40,\"mean\":5,\"variance\":4,"
            "\"sample_variance\":4.571428571428571,\"unparsable\":0,\"nan\":0}");
  EXPECT_TRUE(NotesOf(result).empty());
}

TEST(Average, OneValue) {
  EXPECT_EQ(AnswerOf(RunJob(Average, {}, "-2.5")),
            "count\t1\nmin\t-2.5\nmax\t-2.5\nsum\t-2.5\nmean\t-2.5\nvariance\t0\n"
            "sample variance\tnan\n");
}

TEST(Average, NoValueIsAnError) {
  const auto result = RunJob(Average, {}, " \n");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(AnswerOf(result), "error: there are no numbers in the input");
  EXPECT_EQ(
      AnswerOf(RunJob(Average, {}, "\nx\n")),
      "error: there are no numbers in the input: 1 value was left out, the first: "
      "input:2: \"x\" is not a number");
}

TEST(Average, IsExactWhereDoublesWouldRound) {
  // In floating point this sum is 0 or 2, by the order.
  EXPECT_NE(AnswerOf(RunJob(Average, {}, "1e100 1 -1e100 1 1")).find("mean\t0.6\n"),
            std::string::npos);
  EXPECT_NE(AnswerOf(RunJob(Average, {}, "9223372036854775807 9223372036854775807"))
                .find("sum\t18446744073709551614\n"),
            std::string::npos);
}

TEST(Average, UnsignedIntegersAreExact) {
  const std::string expected =
      "count\t3\nmin\t-1\nmax\t18446744073709551615\nsum\t18446744073709551621\n";
  EXPECT_EQ(AnswerOf(RunJob(Average, {}, "18446744073709551615 -1 7"))
                .substr(0, expected.size()),
            expected);
  EXPECT_NE(AnswerOf(RunJob(Average, {{"format", "u64"}},
                            Binary<uint64_t>({1, UINT64_MAX, UINT64_MAX - 1})))
                .find("max\t18446744073709551615\nsum\t36893488147419103230\n"),
            std::string::npos);
}

TEST(Average, ZeroHasNoSign) {
  EXPECT_EQ(AnswerOf(RunJob(Average, {}, "-0.0 -0.0")).substr(0, 20),
            "count\t2\nmin\t0\nmax\t0\n");
}

TEST(Average, InfinitiesAreReported) {
  const auto both = RunJob(Average, {}, "inf 1 -inf");
  EXPECT_NE(AnswerOf(both).find("mean\tnan\n"), std::string::npos);
  EXPECT_EQ(NotesOf(both),
            (std::vector<std::string>{"the input holds +inf (1) and -inf (1): "
                                      "there is no sum, mean or variance"}));
  const auto one = RunJob(Average, {}, "-inf 1");
  EXPECT_NE(AnswerOf(one).find("min\t-inf\nmax\t1\nsum\t-inf\nmean\t-inf\n"),
            std::string::npos);
  EXPECT_EQ(NotesOf(one).size(), 1);
}

TEST(Average, ReportsWhatIsNoNumberByFileAndLine) {
  const std::vector<LocalFile> files = {{"a.txt", "1\n2 x\n\n3\n"},
                                        {"b.txt", "4\n5\nNaN 6\n7e\n"}};
  const auto result = RunJob(Average, {}, files);
  EXPECT_EQ(NotesOf(result),
            (std::vector<std::string>{"3 values were left out: 2 not a number, 1 NaN",
                                      "a.txt:2: \"x\" is not a number", "b.txt:3: NaN",
                                      "b.txt:4: \"7e\" is not a number"}));
  EXPECT_NE(AnswerOf(result).find("count\t6\n"), std::string::npos);

  const auto strict = RunJob(Average, {{"strict", "true"}}, files);
  EXPECT_EQ(strict.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      AnswerOf(strict),
      "error: a.txt:2: \"x\" is not a number (and 2 more like it); without --strict "
      "they are left out");
}

TEST(Average, KeepsTheReportShort) {
  std::string text = "1\n";
  for (int i = 0; i < 100; ++i) text += "bad\n";
  const std::vector<std::string> notes = NotesOf(RunJob(Average, {}, text));
  ASSERT_EQ(notes.size(), 12);
  EXPECT_EQ(notes[10], "input:11: \"bad\" is not a number");
  EXPECT_EQ(notes[11], "... and 90 more");
}

std::string Sorted(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end + 1 - at));
    at = end + 1;
  }
  std::sort(lines.begin(), lines.end());
  std::string sorted;
  for (const std::string& line : lines) sorted += line;
  return sorted;
}

TEST(Average, ByGroup) {
  const auto result = RunJob(Average, {{"group-by", "1"}},
                             "b 1\na  2\nb 3 x\n\n c\t18446744073709551615\na 0.5\n"
                             "a\nb four\nb nan\n");
  EXPECT_EQ(Sorted(OutputOf(result)),
            "a\t2\t0.5\t2\t2.5\t1.25\t0.5625\n"
            "b\t2\t1\t3\t4\t2\t1\n"
            "c\t1\t18446744073709551615\t18446744073709551615\t18446744073709551615\t"
            "18446744073709551616\t0\n");
  EXPECT_EQ(NotesOf(result), (std::vector<std::string>{
                                 "3 values were left out: 2 not a number, 1 NaN",
                                 "input:7: there is no column 2",
                                 "input:8: \"four\" is not a number", "input:9: NaN"}));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->answer.json(),
            "{\"count\":5,\"groups\":3,\"unparsable\":2,\"nan\":1}");
  EXPECT_EQ(Sorted(OutputOf(RunJob(
                Average, {{"group-by", "3"}, {"column", "1"}, {"separator", ","}},
                "1,,x y\n2,, z\n3,,x y\n"))),
            " z\t1\t2\t2\t2\t2\t0\nx y\t2\t1\t3\t4\t2\t1\n");
  EXPECT_FALSE(RunJob(Average, {{"group-by", "2"}}, "a 1\n").ok());
  EXPECT_FALSE(
      RunJob(Average, {{"group-by", "1"}, {"format", "f64"}}, std::string(8, 'x'))
          .ok());
}

TEST(Average, ReadsBinaryFiles) {
  EXPECT_NE(AnswerOf(RunJob(Average, {{"format", "i64"}},
                            Binary<int64_t>({INT64_MIN, -1, 5, INT64_MAX})))
                .find("min\t-9223372036854775808\nmax\t9223372036854775807\nsum\t3\n"),
            std::string::npos);
  const auto doubles =
      RunJob(Average, {{"format", "f64"}}, Binary<double>({0.5, NAN, -1.5, 4}));
  EXPECT_NE(AnswerOf(doubles).find("count\t3\nmin\t-1.5\nmax\t4\nsum\t3\nmean\t1\n"),
            std::string::npos);
  EXPECT_EQ(NotesOf(doubles)[1], "input: record 1: NaN");
  EXPECT_EQ(RunJob(Average, {{"format", "f64"}}, "123").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Average, ManyValuesEqualAStraightforwardSum) {
  Random random(3);
  std::string text;
  __int128 sum = 0;
  constexpr int kCount = 20'000;
  for (int i = 0; i < kCount; ++i) {
    const auto value = static_cast<int64_t>(random());
    sum += value;
    StrAppend(&text, value, i % 3 == 0 ? "\n" : " ");
  }
  const auto mean = static_cast<double>(static_cast<long double>(sum) / kCount);
  EXPECT_NE(AnswerOf(RunJob(Average, {}, text))
                .find(StrCat("mean\t", JsonNumber(mean), "\n")),
            std::string::npos);
}

TEST(Average, FastSaysHowFarItMayBeOff) {
  const auto result = RunJob(Average, {{"sum", "fast"}}, "1 2\n3 18446744073709551615");
  EXPECT_EQ(AnswerOf(result),
            "count\t4\nsum\t18446744073709551621\nmean\t4611686018427387904\n"
            "sum error\t0\n");
  // One split: with others the last bit may be another.
  const auto reals = RunLocally(
      MakeJob(Average),
      {.options = {{"sum", "fast"}}, .files = {{"f", "1e100 0.5 -1e100 x"}}});
  ASSERT_TRUE(reals.ok()) << reals.status();
  EXPECT_EQ(reals->answer.text().substr(0, 15), "count\t3\nsum\t0.5");
  EXPECT_NE(reals->answer.notes(reals->answer.notes_size() - 1).find("off by at most"),
            std::string::npos);
  EXPECT_NE(reals->answer.json().find("\"sum_error\":"), std::string::npos);
  // Infinities are told in the same words.
  for (const char* input : {"1 inf 2", "-inf inf 1", "-inf 1 -inf"}) {
    const auto fast = RunLocally(
        MakeJob(Average), {.options = {{"sum", "fast"}}, .files = {{"f", input}}});
    const auto exact = RunLocally(MakeJob(Average), {.files = {{"f", input}}});
    ASSERT_EQ(fast->answer.notes_size(), 1) << input;
    EXPECT_EQ(fast->answer.notes(0), exact->answer.notes(0));
  }
  const auto far = RunLocally(
      MakeJob(Average),
      {.options = {{"sum", "fast"}}, .files = {{"f", "1e308 1e308 -1e308"}}});
  EXPECT_NE(far->answer.notes(0).find("left the range"), std::string::npos);
  const Job job = MakeJob(Average);
  EXPECT_FALSE(Options(job.flags()).Set("sum", "quick").ok());
  EXPECT_FALSE(RunJob(Average, {{"sum", "fast"}, {"group-by", "1"}}, "1 2").ok());
}

}  // namespace
}  // namespace skep
