#include "tools/compare/comparison.h"

#include <nlohmann/json.hpp>

#include "gtest/gtest.h"

namespace skep {
namespace {

// Work whose cost is known: adds so many numbers.
std::function<ComparedRun()> Adds(uint32_t count, std::string answer) {
  return [=] {
    volatile uint32_t sum = 0;
    for (uint32_t i = 0; i < count; ++i) sum = sum + i;
    return ComparedRun{.answer = answer, .rounds = 3, .bytes = 5};
  };
}

CompareFamily TestFamily(std::string answer_of_slow) {
  return {
      .name = "test",
      .what = "sums",
      .size_name = "numbers",
      .sizes = {1000, 20'000},
      .inputs = {"plain", "odd"},
      .by_default = {"slow", "fast", "near"},
      .make = [answer_of_slow](const std::string& input, uint64_t size, uint64_t) {
        const auto n = static_cast<uint32_t>(size);
        return absl::StatusOr<ComparedCase>(ComparedCase{
            .input = input,
            .algorithms = {
                {.name = "fast", .what = "few", .run = Adds(n, "42")},
                {.name = "slow", .what = "many", .run = Adds(8 * n, answer_of_slow)},
                {.name = "near",
                 .what = "<about>",
                 .run = Adds(n, "41"),
                 .judge = [](const std::string& a) { return "off by " + a; }}}});
      }};
}

TEST(Comparison, TellsWhatIsFasterAndByHowMuch) {
  const CompareFamily family = TestFamily("42");
  const auto comparison = Compare(family, {.rounds = 7});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  ASSERT_EQ(comparison->sizes.size(), 2u);
  for (const SizeFigures& size : comparison->sizes) {
    ASSERT_EQ(size.algorithms.size(), 3u);
    const AlgorithmFigures& slow = size.algorithms[0];
    const AlgorithmFigures& fast = size.algorithms[1];
    EXPECT_EQ(slow.name, "slow");
    EXPECT_EQ(slow.ratio.estimate, 1);
    // Eight times by its work; the machine may have other things to do.
    EXPECT_GT(fast.ratio.estimate, 3);
    EXPECT_LE(fast.ratio.low, fast.ratio.estimate);
    EXPECT_LE(fast.ratio.estimate, fast.ratio.high);
    EXPECT_GT(fast.wall.estimate, 0);
    EXPECT_GT(fast.cpu.estimate, 0);
    EXPECT_EQ(size.algorithms[2].note, "off by 41");
    EXPECT_EQ(fast.rounds, 3u);
  }
  const std::string text = ComparisonText(*comparison);
  EXPECT_NE(text.find("slow"), std::string::npos);
  EXPECT_NE(text.find("off by 41"), std::string::npos);
  const auto json = nlohmann::json::parse(ComparisonJson(*comparison), nullptr, false);
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["sizes"][1]["algorithms"][1]["name"], "fast");
  EXPECT_GT(json["sizes"][1]["algorithms"][1]["times_faster"]["estimate"], 3);
  const std::string html = ComparisonHtml(*comparison, "skep compare <test>");
  EXPECT_NE(html.find("skep compare &lt;test&gt;"), std::string::npos);
  EXPECT_NE(html.find("<svg"), std::string::npos);
}

TEST(Comparison, TheSameIsWithinTheNoise) {
  const CompareFamily family = TestFamily("42");
  const auto comparison =
      Compare(family, {.algorithms = {"fast", "fast"}, .sizes = {2000}, .rounds = 15});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const AlgorithmFigures& again = comparison->sizes[0].algorithms[1];
  EXPECT_EQ(again.within_noise, again.ratio.low <= 1 && again.ratio.high >= 1);
  EXPECT_LT(again.ratio.low, 1.5);
  EXPECT_GT(again.ratio.high, 1 / 1.5);
}

TEST(Comparison, FewRoundsGiveNoInterval) {
  const auto comparison = Compare(
      TestFamily("42"), {.algorithms = {"slow", "fast"}, .sizes = {2000}, .rounds = 3});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const std::string text = ComparisonText(*comparison);
  EXPECT_EQ(text.find("x ["), std::string::npos) << text;
  EXPECT_NE(text.find("without an interval"), std::string::npos) << text;
  const auto json = nlohmann::json::parse(ComparisonJson(*comparison), nullptr, false);
  const auto& faster = json["sizes"][0]["algorithms"][1]["times_faster"];
  EXPECT_TRUE(faster["low"].is_null()) << json;
  EXPECT_TRUE(faster["estimate"].is_number());
}

TEST(Comparison, AnswersMustAgreeBeforeAnythingIsMeasured) {
  const auto comparison = Compare(TestFamily("43"), {.sizes = {10}});
  EXPECT_EQ(comparison.status().code(), absl::StatusCode::kInternal);
  EXPECT_NE(comparison.status().message().find("43"), std::string::npos);
}

TEST(Comparison, UnknownNamesAreRefused) {
  const CompareFamily family = TestFamily("42");
  for (const CompareOptions& options :
       {CompareOptions{.algorithms = {"fastest"}}, CompareOptions{.input = "even"}}) {
    EXPECT_EQ(Compare(family, options).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

// Every algorithm of every family against every other, on every input, with what
// differs in their ways of working: small sizes and larger ones.
TEST(CompareFamilies, AllAlgorithmsAgreeOnAllInputs) {
  for (const CompareFamily& family : CompareFamilies()) {
    EXPECT_EQ(FindCompareFamily(family.name), &family);
    for (const std::string& input : family.inputs) {
      for (const uint64_t size : {family.sizes[0], family.sizes[1]}) {
        const auto made = family.make(input, size, 1);
        ASSERT_TRUE(made.ok()) << made.status();
        std::string agreed;
        for (const ComparedAlgorithm& algorithm : made->algorithms) {
          const ComparedRun run = algorithm.run();
          if (algorithm.judge != nullptr) {
            EXPECT_NE(algorithm.judge(run.answer), "") << algorithm.name;
            continue;
          }
          if (agreed.empty()) agreed = run.answer;
          EXPECT_EQ(run.answer, agreed) << family.name << " " << algorithm.name;
        }
        EXPECT_NE(agreed, "") << family.name << " " << input;
      }
    }
    const auto made = family.make(family.inputs[0], family.sizes[0], 1);
    for (const std::string& name : family.by_default) {
      EXPECT_TRUE(std::any_of(made->algorithms.begin(), made->algorithms.end(),
                              [&name](const auto& a) { return a.name == name; }))
          << name;
    }
  }
}

}  // namespace
}  // namespace skep
