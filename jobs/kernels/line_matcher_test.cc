#include "jobs/kernels/line_matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/string_search.h"

namespace skep {
namespace {

// "number:offset:text" for each line selected.
using Lines = std::vector<std::string>;

Lines Select(std::string_view pattern, std::string_view text,
             const LineMatcherOptions& options = {}, uint64_t* lines = nullptr) {
  const auto matcher = LineMatcher::Create(pattern, options).value();
  Lines selected;
  const uint64_t count = matcher->ForEachLine(text, [&](const LineMatcher::Line& line) {
    selected.push_back(std::to_string(line.number) + ":" + std::to_string(line.offset) +
                       ":" + std::string(line.text));
  });
  if (lines != nullptr) *lines = count;
  return selected;
}

constexpr LineMatcherOptions kFixed{.fixed = true};
constexpr LineMatcherOptions kInvert{.invert = true};

// Line by line, the definition.
Lines Expected(std::string_view pattern, std::string_view text,
               const LineMatcherOptions& options, uint64_t* lines) {
  RE2::Options regex_options;
  regex_options.set_case_sensitive(!options.ignore_case);
  regex_options.set_literal(options.fixed);
  const RE2 regex({pattern.data(), pattern.size()}, regex_options);
  Lines selected;
  uint64_t number = 0;
  size_t from = 0;
  for (; from < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', from), text.size());
    const std::string line(text.substr(from, end - from));
    if (RE2::PartialMatch(line, regex) != options.invert) {
      selected.push_back(std::to_string(number) + ":" + std::to_string(from) + ":" +
                         line);
    }
    from = end + 1;
  }
  *lines = number;
  return selected;
}

TEST(LineMatcher, FixedStrings) {
  EXPECT_EQ(Select("b", "a\nb\ncbc\n", kFixed), (Lines{"1:2:b", "2:4:cbc"}));
  EXPECT_EQ(Select("b", "a\nb", kFixed), (Lines{"1:2:b"}));  // no final line end
  EXPECT_EQ(Select("a.c", "abc\na.c\n", kFixed), (Lines{"1:4:a.c"}));
  EXPECT_EQ(Select("xx", "xxxx xx\n", kFixed), (Lines{"0:0:xxxx xx"}));  // once a line
  EXPECT_EQ(Select("ab", "a\nb\n", kFixed), Lines());
  EXPECT_EQ(Select("x", "", kFixed), Lines());
}

TEST(LineMatcher, RegularExpressions) {
  EXPECT_EQ(Select("^b", "ab\nba\nb\n"), (Lines{"1:3:ba", "2:6:b"}));
  EXPECT_EQ(Select("b$", "ab\nba\nb"), (Lines{"0:0:ab", "2:6:b"}));
  EXPECT_EQ(Select("a|b", "xa\ny\nb\n"), (Lines{"0:0:xa", "2:5:b"}));
  EXPECT_EQ(Select("^$", "a\n\nb\n\n"), (Lines{"1:2:", "3:5:"}));
  EXPECT_EQ(Select("^[0-9]{3}-", "123-4\n12-3\nx123-4\n"), (Lines{"0:0:123-4"}));
}

TEST(LineMatcher, EmptyPatternsSelectEveryLine) {
  for (const LineMatcherOptions& options : {kFixed, LineMatcherOptions{}}) {
    EXPECT_EQ(Select("", "a\n\nb", options), (Lines{"0:0:a", "1:2:", "2:3:b"}));
    EXPECT_EQ(Select("", "a\n", options), (Lines{"0:0:a"}));
    EXPECT_EQ(Select("", "\n", options), (Lines{"0:0:"}));
    EXPECT_EQ(Select("", "", options), Lines());
  }
  EXPECT_EQ(Select("$", "abc"), (Lines{"0:0:abc"}));
  EXPECT_EQ(Select("x*", "abc\n"), (Lines{"0:0:abc"}));
}

TEST(LineMatcher, MatchesNeverSpanLines) {
  EXPECT_EQ(Select("a\\sb", "a\nb\na b\n"), (Lines{"2:4:a b"}));
  EXPECT_EQ(Select("a[^x]b", "a\nb\n"), Lines());
  EXPECT_EQ(Select("a(?s:.)b", "a\nb\n"), Lines());
  EXPECT_EQ(Select("(a|\\n)b", "\nb\nab\n"), (Lines{"2:3:ab"}));
}

TEST(LineMatcher, EndsOfTheTextAreEndsOfTheLine) {
  EXPECT_EQ(Select("\\Ab\\z", "a\nb\nbb\n"), (Lines{"1:2:b"}));
  EXPECT_EQ(Select("a\\z", "a\nba\nab"), (Lines{"0:0:a", "1:2:ba"}));
}

TEST(LineMatcher, CaseAndInversion) {
  EXPECT_EQ(Select("HeLLo", "hello\nHELLO\nhell\n", {.ignore_case = true}),
            (Lines{"0:0:hello", "1:6:HELLO"}));
  EXPECT_EQ(Select("A.C", "a.c\nabc\n", {.fixed = true, .ignore_case = true}),
            (Lines{"0:0:a.c"}));
  EXPECT_EQ(Select("\xc3\x84", "\xc3\xa4\n", {.ignore_case = true}),
            (Lines{"0:0:\xc3\xa4"}));
  EXPECT_EQ(Select("b", "a\nb\n\nc", kInvert), (Lines{"0:0:a", "2:4:", "3:5:c"}));
  EXPECT_EQ(Select("x", "a\nb\n", kInvert), (Lines{"0:0:a", "1:2:b"}));
  EXPECT_EQ(Select("", "a\nb\n", kInvert), Lines());
}

TEST(LineMatcher, RefusesBadPatterns) {
  for (const char* bad : {"(", "a)(b", "[a", "*", "a{1001}", "\\", "(?<x", "\xff"}) {
    const auto matcher = LineMatcher::Create(bad, {});
    EXPECT_EQ(matcher.status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(LineMatcher::Create("a\nb", {}).ok());
  EXPECT_FALSE(LineMatcher::Create("a\nb", kFixed).ok());
  EXPECT_TRUE(LineMatcher::Create("(", kFixed).ok());
}

TEST(LineMatcher, BytesThatAreNoUtf8) {
  EXPECT_EQ(Select("\xff\xfe",
                   "a\xff\xfe"
                   "b\n\xff\n",
                   kFixed),
            (Lines{"0:0:a\xff\xfe"
                   "b"}));
  EXPECT_EQ(Select("b",
                   "\xff"
                   "b\xff\n"),
            (Lines{"0:0:\xff"
                   "b\xff"}));
  const std::string_view zeros("a\0b\nc\n", 6);
  EXPECT_EQ(Select("b", zeros), (Lines{std::string("0:0:") + std::string("a\0b", 3)}));
}

TEST(LineMatcher, HugeLine) {
  std::string huge(1 << 20, 'x');
  huge += "needle";
  uint64_t lines;
  EXPECT_EQ(Select("needle", huge + "\n" + huge, kFixed, &lines).size(), 2u);
  EXPECT_EQ(lines, 2u);
  EXPECT_EQ(Select("le$", huge + "\n" + huge).size(), 2u);
}

TEST(LineMatcher, RandomTextsAgainstLineByLine) {
  Random random(31);
  for (int round = 0; round < 3000; ++round) {
    std::string text(random.Below(200), ' ');
    for (char& c : text) c = "ab\nB \r"[random.Below(6)];
    for (const char* pattern : {"a", "ab", "^a", "b$", "^$", "a b", "^(ab|b)+$", "",
                                "\\bab\\b", "a.*b", "[^a]"}) {
      for (int flags = 0; flags < 8; ++flags) {
        const LineMatcherOptions options{.fixed = (flags & 1) != 0,
                                         .ignore_case = (flags & 2) != 0,
                                         .invert = (flags & 4) != 0};
        if (round % 8 != flags) continue;
        uint64_t lines, expected_lines;
        const Lines selected = Select(pattern, text, options, &lines);
        ASSERT_EQ(selected, Expected(pattern, text, options, &expected_lines))
            << pattern << " in " << text;
        ASSERT_EQ(lines, expected_lines);
      }
    }
  }
}

class StringSearch : public testing::TestWithParam<CpuPath> {};

TEST_P(StringSearch, AgreesWithFind) {
  Random random(32);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random.Below(150), ' '), needle(random.Below(6), ' ');
    for (char& c : text) c = static_cast<char>('a' + random.Below(2));
    for (char& c : needle) c = static_cast<char>('a' + random.Below(2));
    const size_t from = random.Below(160);
    ASSERT_EQ(FindString(text, needle, from, GetParam()), text.find(needle, from))
        << text << " " << needle << " " << from;
  }
}

TEST_P(StringSearch, EveryPlaceAndNeedleSize) {
  for (size_t size = 1; size < 70; ++size) {
    const std::string needle = "<" + std::string(size - 1, '>');
    for (size_t at = 0; at < 100; ++at) {
      const std::string text = std::string(at, '>') + needle;
      ASSERT_EQ(FindString(text, needle, 0, GetParam()), at);
      ASSERT_EQ(FindString(text.substr(0, text.size() - 1), needle, 0, GetParam()),
                std::string::npos);
    }
  }
}

// Quadratic, this would be 10^11 comparisons.
TEST_P(StringSearch, LinearOnHostileInput) {
  const std::string text(1 << 20, 'a');
  const std::string needle = std::string(50000, 'a') + "b" + std::string(50000, 'a');
  EXPECT_EQ(FindString(text, needle, 0, GetParam()), std::string::npos);
}

TEST_P(StringSearch, CountsLineEnds) {
  Random random(33);
  EXPECT_EQ(CountLineEnds("", GetParam()), 0u);
  EXPECT_EQ(CountLineEnds(std::string(100003, '\n'), GetParam()), 100003u);
  for (int round = 0; round < 500; ++round) {
    std::string text(random.Below(500), ' ');
    for (char& c : text) c = static_cast<char>(random.Below(20));
    EXPECT_EQ(CountLineEnds(text, GetParam()),
              std::count(text.begin(), text.end(), '\n'));
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, StringSearch, testing::ValuesIn(SupportedCpuPaths()),
                         [](const auto& info) {
                           return std::string(CpuPathName(info.param));
                         });

}  // namespace
}  // namespace skep
