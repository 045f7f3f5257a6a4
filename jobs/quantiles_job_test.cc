#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <sstream>
#include <vector>

#include "base/random.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "jobs/api/json_text.h"
#include "jobs/job_testing.h"
#include "jobs/kernels/number.h"
#include "jobs/number_skim.h"

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

// Many windows at once, and numbers of all three kinds; a sample of them only.
TEST(Quantiles, ManyOfMoreThanOneSampleHolds) {
  constexpr int kCount = 600'000;
  Random random(22);
  std::vector<Number> values;
  std::string text;
  for (int i = 0; i < kCount; ++i) {
    const uint64_t bits = random();
    Number value = Number::Real(static_cast<double>(bits) * 0.37);
    if (i % 3 == 0) value = Number::Integer(static_cast<int64_t>(bits) >> (i % 40));
    if (i % 3 == 1) value = Number::Integer(bits | uint64_t{1} << 63);
    if (i % 50 == 0) value = Number::Integer(1 << 20);
    values.push_back(value);
    StrAppend(&text, value.ToString(), "\n");
  }
  std::sort(values.begin(), values.end());
  std::string q, expected;
  for (int i = 10; i <= 990; i += 7) {
    const std::string part = StrCat("0.", i < 100 ? "0" : "", i);
    StrAppend(&q, q.empty() ? "" : ",", part);
    StrAppend(&expected, part, "\t", values[i * (kCount / 1000) - 1].ToString(), "\n");
  }
  const auto result = RunLocally(
      MakeJob(Quantiles),
      {.options = {{"q", q}}, .files = {{"f", text}}, .block_bytes = 1 << 20});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->answer.text(), expected);
  EXPECT_LE(result->stages.size(), 3);
}

TEST(Quantiles, EqualNumbersCostNothing) {
  std::string bytes;
  for (int i = 0; i < 600'000; ++i) {
    const int64_t value = i % 10 == 0 ? i : 42 + i % 2;
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  const auto result =
      RunLocally(MakeJob(Quantiles),
                 {.options = {{"format", "i64"}, {"q", "0,0.3,0.5,0.7,0.95,1"}},
                  .files = {{"f", bytes}},
                  .block_bytes = 1 << 20});
  EXPECT_EQ(AnswerOf(result),
            "0\t0\n0.3\t42\n0.5\t43\n0.7\t43\n0.95\t299990\n1\t599990\n");
  ASSERT_TRUE(result.ok());
  EXPECT_LE(result->stages.size(), 2);
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
  EXPECT_EQ(result->stages.size(), 2);
}

// Each sketch within its bound, and what --check counts.
TEST(Quantiles, BySketches) {
  constexpr int kCount = 100'000;
  std::string text;
  for (int i = 0; i < kCount; ++i) StrAppend(&text, i * 7919 % kCount + 1, "\n");
  for (const std::string sketch : {"kll", "tdigest", "ddsketch"}) {
    const auto result = RunLocally(
        MakeJob(Quantiles),
        {.options = {{"q", "0.01,0.5,0.99"}, {"approx", sketch}, {"check", "true"}},
         .files = {{"f", text}},
         .block_bytes = 1 << 16});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->stages.size(), 2);
    // Values are ranks here. Errors are at most 1 % of a value, or of all.
    std::string_view lines = result->answer.text();
    for (const double rank : {1000.0, 50000.0, 99000.0}) {
      const size_t tab = lines.find('\t');
      ASSERT_NE(tab, std::string_view::npos);
      const double value = std::stod(std::string(lines.substr(tab + 1)));
      EXPECT_NEAR(value, rank, sketch == "ddsketch" ? rank / 100 : 1000) << sketch;
      lines.remove_prefix(lines.find('\n') + 1);
    }
    ASSERT_EQ(result->answer.notes_size(), 4);
    EXPECT_NE(result->answer.notes(0).find(sketch), std::string::npos);
    EXPECT_NE(result->answer.notes(2).find("rank 50000 is wanted: off by "),
              std::string::npos);
    EXPECT_NE(result->answer.json().find("\"rank_errors\":["), std::string::npos);
  }
  // A few numbers are all in the sketch: nothing is off, and nothing is left to check.
  const auto few = RunJob(
      Quantiles, {{"q", "0.5,1"}, {"approx", "kll"}, {"check", "true"}}, "3 1 2");
  EXPECT_EQ(AnswerOf(few), "0.5\t2\n1\t3\n");
  ASSERT_TRUE(few.ok());
  EXPECT_NE(few->answer.json().find("\"rank_errors\":[0,0]"), std::string::npos);
}

// --- Against a sort ------------------------------------------------------------------

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Adversary {
  const char* name;
  std::function<double(size_t i, size_t n, Random& random)> number;
};

// What is hard to sample, to cut into windows, or to compare. NaNs are left out.
const Adversary kAdversaries[] = {
    {"uniform", [](size_t, size_t, Random& random) { return random.Unit(); }},
    {"all equal", [](size_t, size_t, Random&) { return 7.5; }},
    {"ascending", [](size_t i, size_t, Random&) { return static_cast<double>(i); }},
    {"descending",
     [](size_t i, size_t n, Random&) { return static_cast<double>(n - i); }},
    {"two values",
     [](size_t, size_t, Random& random) { return random.Chance(0.5) ? 1.0 : 2.0; }},
    {"heavy tails",
     [](size_t, size_t, Random& random) { return 1 / (random.Unit() - 0.5); }},
    {"NaNs, infinities, zeros, denormals",
     [](size_t i, size_t, Random&) {
       constexpr double kValues[] = {std::numeric_limits<double>::quiet_NaN(),
                                     -kInfinity,
                                     kInfinity,
                                     -0.0,
                                     0.0,
                                     5e-324,
                                     -5e-324};
       return kValues[i % 7];
     }},
    {"denormals",
     [](size_t, size_t, Random& random) {
       return std::ldexp(random.Unit() - 0.5, -1022);
     }},
    {"saw", [](size_t i, size_t, Random&) { return static_cast<double>(i % 1009); }},
    // Long runs that are alike, in no order: pieces of the input say little.
    {"clusters",
     [](size_t i, size_t, Random& random) {
       return static_cast<double>(i / 20'000 * 7919 % 31) + 1e-3 * random.Unit();
     }},
    {"crowded middle",
     [](size_t, size_t, Random& random) {
       return random.Chance(0.01) ? 1e6 * (random.Unit() - 0.5) : 42 + random.Unit();
     }},
};

// By the definitions as they stand in kernels/README.md, from sorted numbers.
double QuantileBySort(const std::vector<double>& sorted, double q,
                      const std::string& definition) {
  const auto n = static_cast<double>(sorted.size());
  const auto at = [&](double rank) { return sorted[static_cast<size_t>(rank) - 1]; };
  // q is a binary fraction: its products are exact.
  const double lower = at(std::max(1.0, std::ceil(q * n)));
  const double upper = at(std::min(n, std::floor(q * n) + 1));
  if (definition == "lower") return lower;
  if (definition == "upper") return upper;
  const double rank = (n - 1) * q + 1;
  const bool midpoint = definition == "midpoint";
  const double low = midpoint ? lower : at(std::floor(rank));
  const double high = midpoint ? upper : at(std::ceil(rank));
  const double part = midpoint ? 0.5 : rank - std::floor(rank);
  if (low == high) return low;
  // An infinity is no nearer half way.
  if (std::isinf(low) != std::isinf(high)) return std::isinf(low) ? low : high;
  return low + (high - low) * part;
}

// Returns the stages that ran.
std::vector<std::string> ExpectAsBySort(const Adversary& adversary, size_t size,
                                        const std::string& definition) {
  Random random(size);
  std::string bytes;
  std::vector<double> sorted;
  for (size_t i = 0; i < size; ++i) {
    const double value = adversary.number(i, size, random);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    if (!std::isnan(value)) sorted.push_back(value);
  }
  std::sort(sorted.begin(), sorted.end());
  const auto result =
      RunLocally(MakeJob(Quantiles),
                 {.options = {{"q", "0,0.125,0.5,0.75,1"},
                              {"format", "f64"},
                              {"definition", definition}},
                  .files = {{"f", bytes}},
                  .split_bytes = std::max<uint64_t>(8, bytes.size() / 3 / 8 * 8),
                  .block_bytes = 1 << 20});
  if (sorted.empty()) {
    EXPECT_FALSE(result.ok());
    return {};
  }
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) return {};
  std::istringstream lines(result->answer.text());
  for (const double q : {0.0, 0.125, 0.5, 0.75, 1.0}) {
    std::string name, value;
    lines >> name >> value;
    const double got = std::strtod(value.c_str(), nullptr),
                 expected = QuantileBySort(sorted, q, definition);
    EXPECT_TRUE(got == expected || (std::isnan(got) && std::isnan(expected)) ||
                std::fabs(got - expected) <= 1e-15 * std::fabs(expected) + 1e-323)
        << adversary.name << ", " << size << " numbers, " << definition << " " << q
        << ": " << value << " instead of " << JsonNumber(expected);
  }
  return result->stages;
}

TEST(Quantiles, AdversariesAsBySort) {
  for (const Adversary& adversary : kAdversaries) {
    for (const char* definition : {"lower", "upper", "midpoint", "interpolated"}) {
      for (const size_t size : {1, 2, 3, 8, 1000}) {
        ExpectAsBySort(adversary, size, definition);
      }
    }
  }
}

// More than is collected at once, so that it is skimmed first.
TEST(Quantiles, LargeAdversariesAsBySort) {
  for (const Adversary& adversary : kAdversaries) {
    const auto stages = ExpectAsBySort(adversary, 700'000, "interpolated");
    ASSERT_FALSE(stages.empty());
    EXPECT_EQ(stages[0], "skim");
    // Where pieces of the input say little, windows are wide: that takes one more.
    EXPECT_LE(stages.size(), adversary.name == std::string("clusters") ? 3 : 2)
        << adversary.name;
  }
}

TEST(Quantiles, TextIsSkimmedByWholeNumbers) {
  Random random(29);
  std::vector<int64_t> values;
  std::string text;
  for (int i = 0; i < 400'000; ++i) {
    values.push_back(static_cast<int64_t>(random() >> random.Below(64)));
    StrAppend(&text, values.back(), i % 10 == 0 ? "\n" : ", ");
  }
  std::sort(values.begin(), values.end());
  for (const uint64_t block : {uint64_t{1} << 20, uint64_t{4} << 10}) {
    const auto result = RunLocally(MakeJob(Quantiles), {.options = {{"q", "0,0.5,1"}},
                                                        .files = {{"f", text}},
                                                        .split_bytes = 2 << 20,
                                                        .block_bytes = block});
    EXPECT_EQ(AnswerOf(result), StrCat("0\t", values.front(), "\n0.5\t",
                                       values[199'999], "\n1\t", values.back(), "\n"));
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->stages, (std::vector<std::string>{"skim", "window"}));
  }
  // Nothing but words where the skim looks, and a few numbers.
  std::string words(5 << 20, 'x');
  for (size_t i = 0; i < words.size(); i += 100) words[i] = '\n';
  const auto few = RunLocally(MakeJob(Quantiles),
                              {.files = {{"f", StrCat("3 1 2\n", words, "\n")}}});
  EXPECT_EQ(AnswerOf(few), "0.5\t2\n");
}

// Sees what a task of the skim leaves to the planner.
class SkimContext final : public MapContext {
 public:
  SkimContext(const Options& options, std::string_view args)
      : options_(options), args_(args) {}

  const Options& options() const override { return options_; }
  std::string_view args() const override { return args_; }
  int task() const override { return 0; }
  std::stop_token stop_token() const override { return {}; }
  std::string_view payload() const override { return {}; }
  void Count(std::string_view, uint64_t) override {}
  void Write(std::string_view) override {}
  void Warn(std::string_view) override {}
  void Emit(std::string_view, std::string_view) override {}
  void EmitCount(std::string_view, uint64_t) override {}
  void SetResult(std::string bytes) override { result = std::move(bytes); }

  std::string result;

 private:
  const Options& options_;
  const std::string_view args_;
};

// How long a split is says little of how much text is in it if it is compressed.
TEST(Quantiles, ASkimIsBoundedWhateverComesOutOfItsInput) {
  const Job job = MakeJob(Quantiles);
  const Options options(job.flags());
  std::vector<InputSplit> splits(4);
  for (InputSplit& split : splits) split.set_length(5000);
  const PlanResult plan = SkimStage(splits, 1);
  const StageSpec& spec = plan.stage();
  SkimContext context(options, spec.args());
  const auto mapper = job.FindStage(spec.name())->mapper();
  std::string text;
  while (text.size() < 6 << 20) text += "1\n2\n3\n4\n";
  for (int block = 0; block < 3; ++block) {
    ASSERT_TRUE(mapper->Map({.bytes = text, .file_name = "f"}, context).ok());
  }
  ASSERT_TRUE(mapper->Finish(context).ok());
  EXPECT_GT(context.result.size(), size_t{4} << 20);
  EXPECT_LT(context.result.size(), size_t{6} << 20) << "20 MiB for four tasks";

  SkimContext malformed(options, "");
  const auto other = job.FindStage(spec.name())->mapper();
  EXPECT_EQ(other->Map({.bytes = text, .file_name = "f"}, malformed).code(),
            absl::StatusCode::kInternal);
}

TEST(Quantiles, ByGroupEqualASort) {
  Random random(23);
  std::map<std::string, std::vector<int64_t>> groups;
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    const std::string key = StrCat("k", random.Below(40));
    groups[key].push_back(static_cast<int64_t>(random() >> random.Below(64)));
    StrAppend(&text, "skipped;", groups[key].back(), ";", key, "\n");
  }
  std::string expected;
  for (auto& [key, values] : groups) {
    std::sort(values.begin(), values.end());
    StrAppend(&expected, key, "\t", values.size(), "\t",
              values[(values.size() - 1) / 2], "\t", values.back(), "\n");
  }
  const auto result = RunLocally(MakeJob(Quantiles), {.options = {{"q", "0.5,1"},
                                                                  {"group-by", "3"},
                                                                  {"column", "2"},
                                                                  {"separator", ";"}},
                                                      .files = {{"f", text}},
                                                      .block_bytes = 1 << 12});
  EXPECT_EQ(OutputOf(result), expected);
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
