#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <utility>

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

TEST(Sort, RefusesKeysThatAreNone) {
  for (const char* key : {"0", "x", "1.0", "1,", "1,2,3", "1q", "1.", "1n,2.x"}) {
    EXPECT_EQ(RunJob(Sort, {{"key", key}}, "x").status().code(),
              absl::StatusCode::kInvalidArgument)
        << key;
  }
  EXPECT_FALSE(RunJob(Sort, {{"field-separator", "ab"}}, "x").ok());
}

// As it comes from a flag that is given several times, or none.
TEST(Sort, SeveralKeysAreLines) {
  EXPECT_EQ(OutputOf(RunJob(Sort, {{"key", "1,1\n2,2n\n"}}, "b 10\nb 9\na 3\n")),
            "a 3\nb 9\nb 10\n");
  const Job job = MakeJob(Sort);
  for (const Flag& flag : job.flags()) {
    EXPECT_EQ(flag.lines, flag.name == "key") << flag.name;
  }
  EXPECT_FALSE(RunJob(Sort, {{"key", "\n"}}, "x").ok());
}

// Places beyond the line are its end, however far.
TEST(Sort, PlacesOfAnySize) {
  const std::string text = "x x b\nx x a\ny y 0\n";
  const auto sorted = [&](const std::string& key) {
    return OutputOf(RunJob(Sort, {{"stable", "true"}, {"key", key}}, text));
  };
  for (const std::string most : {"99", "18446744073709551615"}) {
    EXPECT_EQ(sorted("1,1." + most), "x x a\nx x b\ny y 0\n");
    EXPECT_EQ(sorted("1,2." + most), "x x a\nx x b\ny y 0\n");
    EXPECT_EQ(sorted("3b,3." + most + "b"), "y y 0\nx x a\nx x b\n");
    EXPECT_EQ(sorted("3." + most), text);
    EXPECT_EQ(sorted(most + ",1"), text);
  }
}

TEST(Sort, NumbersOfAnySize) {
  EXPECT_EQ(OutputOf(RunJob(Sort, {{"numeric", "true"}},
                            "10\n9\n-1\n-10\n x\n0.5\n-0\n1e3\n00012\n"
                            "123456789012345678901234567890\n-.25\n")),
            "-10\n-1\n-.25\n x\n-0\n0.5\n1e3\n9\n10\n00012\n"
            "123456789012345678901234567890\n");
}

TEST(Sort, AgreesWithTheSystems) {
  constexpr const char* kKeys[] = {"",          "2",         "2,2",     "2n",
                                   "2,2nr 1,1", "1.2,1",     "2b,2b",   "1,1f 3nr",
                                   "3,3r",      "2.2b,2.3b", "1.1,2.1", "3n 2,2 1"};
  const std::string file = testing::TempDir() + "/sort_peer.txt";
  Random random(11);
  for (int round = 0; round < 150; ++round) {
    std::string text;
    for (uint64_t lines = random.Below(60); lines > 0; --lines) {
      for (uint64_t n = random.Below(8); n > 0; --n) {
        constexpr std::string_view kPieces[] = {"a", "B", "b",  " ",  "  ", ":",
                                                "1", "-", ".5", "10", "0",  "\t"};
        text += kPieces[random.Below(std::size(kPieces))];
      }
      text += '\n';
    }
    std::ofstream(file, std::ios::binary) << text;
    JobFlags flags;
    std::string command = "LC_ALL=C sort";
    for (const auto& [name, letter] : {std::pair{"numeric", "n"},
                                       {"reverse", "r"},
                                       {"stable", "s"},
                                       {"unique", "u"}}) {
      if (random.Below(3) != 0) continue;
      flags[name] = "true";
      StrAppend(&command, " -", letter);
    }
    if (random.Below(3) == 0) {
      flags["field-separator"] = ":";
      StrAppend(&command, " -t:");
    }
    flags["key"] = kKeys[random.Below(std::size(kKeys))];
    std::istringstream keys(flags["key"]);
    for (std::string key; keys >> key;) StrAppend(&command, " -k", key);
    FILE* const pipe = popen(StrCat(command, " ", file).c_str(), "r");
    std::string expected;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
      expected += static_cast<char>(c);
    }
    ASSERT_EQ(pclose(pipe), 0) << command;
    ASSERT_EQ(OutputOf(RunJob(Sort, flags, text)), expected) << command << " of\n"
                                                             << text;
  }
}

}  // namespace
}  // namespace skep
