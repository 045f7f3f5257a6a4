#include "tools/compare/comparison.h"

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "storage/file_system.h"
#include "tools/compare/comparison_rounds.h"
#include "tools/compare/counted_item.h"
#include "tools/compare/fleet_comparison.h"

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

CompareFamily TestFamily(std::string answer_of_slow, bool within = true) {
  return {
      .name = "test",
      .what = "sums",
      .size_name = "numbers",
      .sizes = {1000, 20'000},
      .inputs = {"plain", "odd"},
      .by_default = {"slow", "fast", "near"},
      .make = [answer_of_slow, within](const std::string& input, uint64_t size,
                                       uint64_t) {
        const auto n = static_cast<uint32_t>(size);
        return absl::StatusOr<ComparedCase>(ComparedCase{
            .input = input,
            .algorithms = {
                {.name = "fast", .what = "few", .run = Adds(n, "42")},
                {.name = "slow", .what = "many", .run = Adds(8 * n, answer_of_slow)},
                {.name = "near",
                 .what = "<about>",
                 .run = Adds(n, "41"),
                 .judge = [within](const std::string& a) {
                   return Judgement{"off by " + a, within};
                 }}}});
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
  const CompareFamily family = TestFamily("42");
  const auto comparison =
      Compare(family, {.algorithms = {"slow", "fast"}, .sizes = {2000}, .rounds = 3});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const std::string text = ComparisonText(*comparison);
  EXPECT_EQ(text.find("x ["), std::string::npos) << text;
  EXPECT_NE(text.find("without an interval"), std::string::npos) << text;
  EXPECT_NE(text.find("+-"), std::string::npos) << text;
  const auto json = nlohmann::json::parse(ComparisonJson(*comparison), nullptr, false);
  const auto& faster = json["sizes"][0]["algorithms"][1]["times_faster"];
  EXPECT_TRUE(faster["low"].is_null()) << json;
  EXPECT_TRUE(faster["estimate"].is_number());
}

// What is not known is told as that, with the reason.
TEST(Comparison, OneRoundHasNoSpread) {
  CompareFamily family = TestFamily("42");
  family.counts = "Rounds: three.";
  const auto comparison =
      Compare(family, {.algorithms = {"slow", "fast"}, .sizes = {2000}, .rounds = 2});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const std::string text = ComparisonText(*comparison);
  EXPECT_EQ(text.find("+-"), std::string::npos) << text;
  EXPECT_NE(text.find("spread is not known: that takes 3 rounds"), std::string::npos);
  EXPECT_NE(text.find("Rounds: three."), std::string::npos);
  const auto json = nlohmann::json::parse(ComparisonJson(*comparison), nullptr, false);
  const auto& fast = json["sizes"][0]["algorithms"][1];
  EXPECT_TRUE(fast["spread"].is_null()) << json;
  EXPECT_TRUE(fast["path"].is_null()) << json;
  EXPECT_EQ(fast["rounds"], 3);
}

TEST(Comparison, WhatIsNotCountedIsNotNought) {
  CompareFamily family = TestFamily("42");
  family.make = [](const std::string& input, uint64_t, uint64_t) {
    return absl::StatusOr<ComparedCase>(ComparedCase{
        .input = input,
        .algorithms = {
            {.name = "none", .run = [] { return ComparedRun{.answer = "1"}; }},
            {.name = "nought",
             .run = [] { return ComparedRun{.answer = "1", .rounds = 0, .bytes = 0}; },
             .in_full =
                 [] { return ComparedRun{.answer = "1", .rounds = 0, .bytes = 7}; },
             .path = CpuPath::kAvx2}}});
  };
  const auto comparison =
      Compare(family, {.algorithms = {"none", "nought"}, .sizes = {1}, .rounds = 1});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const auto json = nlohmann::json::parse(ComparisonJson(*comparison), nullptr, false);
  const auto& algorithms = json["sizes"][0]["algorithms"];
  EXPECT_TRUE(algorithms[0]["rounds"].is_null()) << json;
  EXPECT_TRUE(algorithms[0]["bytes_moved"].is_null()) << json;
  EXPECT_EQ(algorithms[1]["rounds"], 0);
  EXPECT_EQ(algorithms[1]["bytes_moved"], 7);
  EXPECT_EQ(algorithms[1]["path"], "avx2");
  EXPECT_NE(ComparisonText(*comparison).find("avx2 "), std::string::npos);
}

TEST(CountedItem, CountsWhatStandardAlgorithmsDo) {
  std::vector<uint64_t> keys;
  for (uint64_t i = 0; i < 100; ++i) keys.push_back(i);
  ItemCost cost;
  auto items = CountedItems(keys, &cost);
  EXPECT_TRUE(std::is_sorted(items.begin(), items.end()));
  EXPECT_EQ(cost.comparisons, 99u);
  EXPECT_EQ(cost.moves, 0u);
  EXPECT_EQ(cost.bytes(), 99u * 8);
  EXPECT_EQ(cost.rounds(), 1u);
  std::reverse(items.begin(), items.end());
  EXPECT_EQ(cost.moves, 150u);  // three a swap
  ItemCost of_words;
  const std::vector<std::string_view> words = {"abc", "abd"};
  auto views = CountedItems(words, &of_words);
  EXPECT_TRUE(views[0] < views[1]);
  EXPECT_EQ(of_words.bytes_compared, 3u);
}

TEST(Comparison, AnswersMustAgreeBeforeAnythingIsMeasured) {
  const auto comparison = Compare(TestFamily("43"), {.sizes = {10}});
  EXPECT_EQ(comparison.status().code(), absl::StatusCode::kInternal);
  EXPECT_NE(comparison.status().message().find("43"), std::string::npos);
}

TEST(Comparison, WhatIsBeyondItsBoundIsNotMeasured) {
  const auto comparison = Compare(TestFamily("42", false), {.sizes = {10}});
  EXPECT_EQ(comparison.status().code(), absl::StatusCode::kInternal);
  EXPECT_NE(comparison.status().message().find("beyond its bound: off by 41"),
            std::string::npos);
}

// Rounds whose times are given.
AlgorithmFigures FiguresOf(const std::vector<double>& first,
                           const std::vector<double>& second) {
  std::vector<AlgorithmFigures> figures(2);
  FillFigures({{first, first}, {second, second}}, /*by_wall=*/false, &figures);
  return figures[1];
}

TEST(Comparison, TellsNoiseFromDifference) {
  std::vector<double> first, noise, slower;
  for (int i = 0; i < 21; ++i) {
    first.push_back(1 + 0.02 * ((7 * i) % 11 - 5));
    noise.push_back(1 + 0.02 * ((4 * i) % 11 - 5));
    slower.push_back(1.2 * (1 + 0.02 * ((4 * i) % 11 - 5)));
  }
  EXPECT_TRUE(FiguresOf(first, noise).within_noise);
  const AlgorithmFigures differs = FiguresOf(first, slower);
  EXPECT_FALSE(differs.within_noise);
  EXPECT_NEAR(differs.ratio.estimate, 1 / 1.2, 0.05);
}

// Times as they are measured: a round has its own pace, each measurement some noise,
// and one in ten is disturbed.
std::vector<std::vector<double>> RoundsOf(int rounds, double of_second,
                                          Random& random) {
  std::vector<std::vector<double>> times(2);
  const auto normal = [&random] {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random.Unit();
    return sum;
  };
  for (int round = 0; round < rounds; ++round) {
    const double pace = 1 + 0.03 * normal();
    for (size_t i = 0; i < 2; ++i) {
      const double disturbed = random.Below(10) == 0 ? 1 + 0.3 * random.Unit() : 1;
      times[i].push_back(pace * disturbed * (1 + 0.01 * normal()) *
                         (i == 1 ? of_second : 1));
    }
  }
  return times;
}

double WithinNoise(int rounds, double of_second) {
  constexpr int kRuns = 50;
  Random random(7);
  int within = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto times = RoundsOf(rounds, of_second, random);
    within += FiguresOf(times[0], times[1]).within_noise;
  }
  return static_cast<double>(within) / kRuns;
}

TEST(Comparison, NoiseAndDifferencesAreToldApartMostly) {
  EXPECT_GE(WithinNoise(5, 1), 0.9);
  EXPECT_GE(WithinNoise(11, 1), 0.9);
  EXPECT_LE(WithinNoise(21, 1.05), 0.1);
}

TEST(Comparison, UnknownNamesAreRefused) {
  const CompareFamily family = TestFamily("42");
  for (const CompareOptions& options :
       {CompareOptions{.algorithms = {"fastest"}}, CompareOptions{.input = "even"}}) {
    EXPECT_EQ(Compare(family, options).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

// A fleet whose jobs take the time that their flags say.
struct FakeFleet {
  std::vector<std::string> ran;
  std::string answer_of_slow = "42";
  std::string input;

  absl::StatusOr<FleetRun> Run(const std::string& job,
                               const std::map<std::string, std::string>& flags,
                               const std::string& path) {
    EXPECT_EQ(job, "sum");
    EXPECT_EQ(flags.at("n"), "1000");
    const std::string& how = flags.at("how");
    ran.push_back(how);
    if (!path.empty()) input = ReadFile(FileSystem::Real(), path).value();
    const double jitter = 1 + 0.01 * static_cast<double>(ran.size() % 7);
    return FleetRun{.answer = how == "slow"    ? answer_of_slow
                              : how == "about" ? "41"
                                               : "42",
                    .wall_seconds = jitter * (how == "slow" ? 3 : 1),
                    .cpu_seconds = 2,
                    .rounds = 4,
                    .bytes_moved = 4096};
  }
  FleetRunner Runner() {
    return
        [this](const std::string& job, const std::map<std::string, std::string>& flags,
               const std::string& path) { return Run(job, flags, path); };
  }
};

CompareFamily FamilyOfJobs() {
  CompareFamily family = TestFamily("42");
  family.on_fleet = {
      .job = "sum",
      .algorithms = {{"slow", "plain", {{"how", "slow"}}},
                     {"fast", "clever", {{"how", "fast"}}},
                     {"about", "nearly", {{"how", "about"}}, false}},
      .sizes = {1000},
      .make = [](const std::string&, uint64_t size, uint64_t) {
        return absl::StatusOr<FleetInput>(FleetInput{.what = StrCat(size, " numbers"),
                                                     .flags = {{"n", StrCat(size)}},
                                                     .bytes = "1 2 3"});
      }};
  return family;
}

TEST(FleetComparison, ComparesJobsByTheClock) {
  FakeFleet fleet;
  const CompareFamily family = FamilyOfJobs();
  const auto comparison = CompareOnFleet(family, {.rounds = 5}, "here (1 worker)",
                                         testing::TempDir(), fleet.Runner());
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(fleet.input, "1 2 3");
  // A warm-up of each, then rounds in which the first turn goes round.
  ASSERT_EQ(fleet.ran.size(), 3u + 5 * 3);
  EXPECT_EQ(fleet.ran[3], "slow");
  EXPECT_EQ(fleet.ran[6], "fast");
  EXPECT_EQ(fleet.ran[9], "about");
  const SizeFigures& size = comparison->sizes[0];
  EXPECT_NEAR(size.algorithms[1].ratio.estimate, 3, 0.2);
  EXPECT_FALSE(size.algorithms[1].within_noise);
  EXPECT_EQ(size.algorithms[1].rounds, 4u);
  EXPECT_EQ(size.algorithms[1].bytes, 4096u);
  EXPECT_EQ(size.algorithms[2].note, "need not agree");
  const std::string text = ComparisonText(*comparison);
  EXPECT_NE(text.find("on the fleet of here (1 worker)"), std::string::npos) << text;
  EXPECT_NE(text.find("ALGORITHM"), std::string::npos);
  const auto json = nlohmann::json::parse(ComparisonJson(*comparison), nullptr, false);
  EXPECT_EQ(json["fleet"], "here (1 worker)");
  // What is not known is not drawn.
  const std::string html = ComparisonHtml(*comparison, "skep compare test");
  EXPECT_EQ(html.find("Memory at the peak"), std::string::npos);
  EXPECT_NE(html.find("<svg"), std::string::npos);
}

TEST(FleetComparison, AnswersMustAgree) {
  FakeFleet fleet{.answer_of_slow = "43"};
  const auto comparison =
      CompareOnFleet(FamilyOfJobs(), {}, "here", testing::TempDir(), fleet.Runner());
  EXPECT_EQ(comparison.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(fleet.ran.size(), 2u);
  EXPECT_EQ(CompareOnFleet(FamilyOfJobs(), {.algorithms = {"fastest"}}, "here",
                           testing::TempDir(), fleet.Runner())
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

// What families say of their jobs is true of the jobs: see also tests/end_to_end.
TEST(CompareFamilies, AllAreThereOnAFleet) {
  for (const CompareFamily& family : CompareFamilies()) {
    EXPECT_EQ(family.on_fleet.job, family.name);
    EXPECT_FALSE(family.on_fleet.algorithms.empty()) << family.name;
    for (const std::string& input : family.inputs) {
      const auto made = family.on_fleet.make(input, family.sizes[0], 1);
      ASSERT_TRUE(made.ok()) << made.status();
      EXPECT_NE(made->what, "");
    }
  }
}

// Every algorithm of every family against every other, on every input, with what
// differs in their ways of working: small sizes and larger ones.
TEST(CompareFamilies, AllAlgorithmsAgreeOnAllInputs) {
  for (const CompareFamily& family : CompareFamilies()) {
    EXPECT_EQ(FindCompareFamily(family.name), &family);
    EXPECT_NE(family.counts, "") << family.name;
    for (const std::string& input : family.inputs) {
      for (const uint64_t size : {family.sizes[0], family.sizes[1]}) {
        const auto made = family.make(input, size, 1);
        ASSERT_TRUE(made.ok()) << made.status();
        std::string agreed;
        for (const ComparedAlgorithm& algorithm : made->algorithms) {
          ComparedRun run = algorithm.run();
          if (algorithm.in_full != nullptr) run = algorithm.in_full();
          if (family.name != "nqueens") {
            EXPECT_TRUE(run.rounds && run.bytes)
                << family.name << " " << algorithm.name;
            EXPECT_GT(run.bytes.value_or(0), 0) << family.name << " " << algorithm.name;
          }
          if (algorithm.judge != nullptr) {
            const Judgement judged = algorithm.judge(run.answer);
            EXPECT_TRUE(judged.within) << family.name << " " << algorithm.name << " on "
                                       << made->input << ": " << judged.text;
            EXPECT_NE(judged.text, "");
            // Far from the truth is not within any bound.
            if (family.name != "wordcount") {
              EXPECT_FALSE(algorithm.judge("-1e300").within) << algorithm.name;
            } else {
              EXPECT_FALSE(algorithm.judge("the 1 0\n").within);
            }
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
