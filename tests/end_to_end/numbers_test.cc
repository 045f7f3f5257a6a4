// Averages, medians and quantiles of ten million numbers, against a sort of the same.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "base/random.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/end_to_end/process.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

constexpr size_t kCount = 10'000'000;
constexpr uint64_t kSeed = 20'240'607;

// Ten million random integers, in binary and as text; made once.
class MillionsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    Random random(kSeed);
    numbers_ = new std::vector<int64_t>(kCount);
    for (int64_t& number : *numbers_) number = static_cast<int64_t>(random());
    const std::string folder = TestFolder();
    binary_ = folder + "/numbers.i64";
    text_ = folder + "/numbers.txt";
    WriteWholeFile(binary_, std::string(reinterpret_cast<const char*>(numbers_->data()),
                                        kCount * sizeof(int64_t)));
    std::string text(kCount * 21, '\0');
    char* to = text.data();
    for (const int64_t number : *numbers_) {
      to = std::to_chars(to, to + 21, number).ptr;
      *to++ = '\n';
    }
    text.resize(to - text.data());
    WriteWholeFile(text_, text);
    std::sort(numbers_->begin(), numbers_->end());
  }
  static void TearDownTestSuite() { delete numbers_; }

  // What skep run prints, which must succeed.
  static std::string Run(std::vector<std::string> args) {
    args.insert(args.begin(), "run");
    const Outcome outcome = Skep(args);
    EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
    return outcome.out;
  }
  static std::string Line(int64_t number) { return std::to_string(number) + "\n"; }

  static std::vector<int64_t>* numbers_;  // sorted
  static std::string binary_;
  static std::string text_;
};
std::vector<int64_t>* MillionsTest::numbers_ = nullptr;
std::string MillionsTest::binary_;
std::string MillionsTest::text_;

TEST_F(MillionsTest, MedianEqualsASort) {
  const std::string lower = Line((*numbers_)[(kCount - 1) / 2]);
  EXPECT_EQ(Run({"median", "--format", "i64", binary_}), lower);
  EXPECT_EQ(Run({"median", text_}), lower);
  EXPECT_EQ(Run({"median", "--format", "i64", "--definition", "upper", binary_}),
            Line((*numbers_)[kCount / 2]));
}

TEST_F(MillionsTest, QuantilesEqualASort) {
  EXPECT_EQ(Run({"quantile", "--q", "0,0.25,0.999,1", "--format", "i64", binary_}),
            "0\t" + Line((*numbers_)[0]) + "0.25\t" +
                Line((*numbers_)[kCount / 4 - 1]) + "0.999\t" +
                Line((*numbers_)[kCount / 1000 * 999 - 1]) + "1\t" +
                Line(numbers_->back()));
}

TEST_F(MillionsTest, AverageIsThatOfTheExactSum) {
  const auto json =
      nlohmann::json::parse(Run({"average", "--json", "--format", "i64", binary_}));
  const auto& answer = json["answer"];
  EXPECT_EQ(answer["count"], kCount);
  EXPECT_EQ(answer["min"], numbers_->front());
  EXPECT_EQ(answer["max"], numbers_->back());
  __int128 sum = 0;
  for (const int64_t number : *numbers_) sum += number;
  const double mean = static_cast<double>(static_cast<long double>(sum) /
                                          static_cast<long double>(kCount));
  EXPECT_DOUBLE_EQ(answer["mean"].get<double>(), mean);
}

TEST_F(MillionsTest, TheFleetChangesNothing) {
  const std::string first = Run({"average", "--workers", "1", text_});
  EXPECT_EQ(Run({"average", "--workers", "3", text_}), first);
}

Outcome RunOn(const std::string& text, std::vector<std::string> args) {
  args.insert(args.begin(), "run");
  args.push_back("-");
  return Skep(args, {.input = text});
}

TEST(NumbersTest, DoublesWithDuplicatesNegativesAndInfinities) {
  const std::string text = "1.5 -2.5 1.5 inf -inf 1e308 -0.0 1.5 3\n";
  EXPECT_EQ(RunOn(text, {"median"}).out, "1.5\n");
  EXPECT_EQ(RunOn(text, {"quantile", "--q", "0,1"}).out, "0\t-inf\n1\tinf\n");
  const Outcome average = RunOn(text, {"average"});
  EXPECT_EQ(average.exit_code, kOk);
  EXPECT_NE(average.err.find("inf"), std::string::npos) << "both infinities go unsaid";
}

TEST(NumbersTest, OneTwoAndNoNumbers) {
  EXPECT_EQ(RunOn("7", {"median"}).out, "7\n");
  EXPECT_EQ(RunOn("7 9", {"median"}).out, "7\n");
  EXPECT_EQ(RunOn("7 9", {"median", "--definition", "midpoint"}).out, "8\n");
  EXPECT_NE(RunOn("7 10", {"average"}).out.find("mean\t8.5\n"), std::string::npos);
  for (const char* job : {"median", "quantile", "average"}) {
    const Outcome none = RunOn("", {job});
    EXPECT_EQ(none.exit_code, kJobFailed) << job << none.out;
    EXPECT_EQ(none.out, "") << job;
    EXPECT_NE(none.err.find("no numbers"), std::string::npos)
        << job << ": " << none.err;
  }
}

TEST(NumbersTest, WhatIsNoNumberIsSaidByFileAndLine) {
  const Outcome outcome = RunOn("1\nx\n3\n", {"median"});
  EXPECT_EQ(outcome.out, "1\n");
  EXPECT_NE(outcome.err.find("-:2"), std::string::npos) << outcome.err;
  const Outcome strict = RunOn("1\nx\n3\n", {"median", "--strict"});
  EXPECT_EQ(strict.exit_code, kJobFailed);
  EXPECT_EQ(strict.out, "");
}

}  // namespace
}  // namespace skep
