#include "jobs/kernels/line_matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/class_search.h"
#include "jobs/kernels/line_automaton.h"
#include "jobs/kernels/line_expression.h"
#include "jobs/kernels/required_literal.h"
#include "jobs/kernels/string_search.h"

namespace skep {
namespace {

// "number:offset:text" for each line selected.
using Lines = std::vector<std::string>;

Lines Select(const LineMatcher& matcher, std::string_view text,
             uint64_t* lines = nullptr) {
  Lines selected;
  const uint64_t count = matcher.ForEachLine(text, [&](const LineMatcher::Line& line) {
    selected.push_back(std::to_string(line.number) + ":" + std::to_string(line.offset) +
                       ":" + std::string(line.text));
    return true;
  });
  if (lines != nullptr) *lines = count;
  return selected;
}

Lines Select(std::string_view pattern, std::string_view text,
             LineMatcherOptions options = {}, uint64_t* lines = nullptr) {
  options.number_lines = true;
  return Select(*LineMatcher::Create(pattern, options).value(), text, lines);
}

const LineMatcherOptions kFixed{.fixed = true};
const LineMatcherOptions kInvert{.invert = true};

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
  EXPECT_EQ(Select("(?-m:^b)", "a\nb\n"), (Lines{"1:2:b"}));
  EXPECT_EQ(Select("a\\Cb",
                   "a\nb\na\xff"
                   "b\n"),
            (Lines{"2:4:a\xff"
                   "b"}));
  EXPECT_EQ(Select("\\Qa.b", "a.b\naxb\n"), (Lines{"0:0:a.b"}));
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
  for (int round = 0; round < 400; ++round) {
    std::string text(random.Below(200), ' ');
    for (char& c : text) c = "ab\nB \r"[random.Below(6)];
    for (const char* pattern :
         {"a", "ab", "^a", "b$", "^$", "a b", "^(ab|b)+$", "", "\\bab\\b", "a.*b",
          "[^a]", "ab|b b", "(bb|aB)", "a+b?", "x*ab", "(a|b)ab", "a[ab]b "}) {
      for (int flags = 0; flags < 8; ++flags) {
        const std::vector<CpuPath> paths = SupportedCpuPaths();
        const LineMatcherOptions options{.fixed = (flags & 1) != 0,
                                         .ignore_case = (flags & 2) != 0,
                                         .invert = (flags & 4) != 0,
                                         .path = paths[round / 8 % paths.size()]};
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

// Mostly of what LineAutomaton takes, and a little that it leaves to RE2.
std::string RandomExpression(Random* random, int depth) {
  constexpr std::string_view kAtoms[] = {
      "a",           "b",      "B",        " ",   "\\-",     "[ab]",  "[b-d]",
      "^",           "$",      "\xc3\xa9", "()",  "[^a]",    "\\r",   "ab",
      "[a\\]-]",     ".",      "[]k]",     "k",   "S",       "\\b",   "\\B",
      "\\w",         "\\s",    "\\d",      "\\W", "[^\\sB]", "[k-s]", "[^ks]",
      "[[:upper:]]", "[\\w-]", "}",        "\\D", "[^\\n]",  "\\n",   "[^-b\\W]",
      "[\\n\\ta]",   "\\pL",   "(?i:ab)"};
  constexpr std::string_view kTimes[] = {"*",   "+",    "?",     "+?",    "{2}",
                                         "{0}", "{1,}", "{0,2}", "{2,3}?"};
  std::string expression;
  for (uint64_t parts = random->Below(5); parts > 0; --parts) {
    if (depth > 0 && random->Below(4) == 0) {
      expression += random->Below(2) == 0 ? "(" : "(?:";
      expression += RandomExpression(random, depth - 1) + ")";
    } else {
      expression += kAtoms[random->Below(std::size(kAtoms))];
    }
    if (random->Below(3) == 0) expression += kTimes[random->Below(std::size(kTimes))];
  }
  if (depth > 0 && random->Below(4) == 0) {
    expression += "|" + RandomExpression(random, depth - 1);
  }
  return expression;
}

// Short lines, or some long ones among thousands of bytes: what is looked at together
// begins and ends anywhere.
std::string RandomText(Random* random) {
  constexpr std::string_view kPieces[] = {"a",
                                          "b",
                                          "B",
                                          "c",
                                          " ",
                                          "-",
                                          "]",
                                          "k",
                                          "s",
                                          "K",
                                          "S",
                                          "7",
                                          "_",
                                          "{",
                                          "}",
                                          "\t",
                                          "\n",
                                          "\n",
                                          "\xc3\xa9",
                                          "\xff",
                                          "\r\n",
                                          "\xe2\x84\xaa",
                                          "\xc5\xbf",
                                          "\xf0\x9f\x98\x80",
                                          "\xe0\x80",
                                          "\xc3",
                                          std::string_view("\0", 1)};
  constexpr std::string_view kPlain[] = {"a", "b", "c", " ", "\n"};
  std::string text;
  const bool plain = random->Below(2) == 0, large = random->Below(4) == 0;
  const uint64_t size = large ? 2500 + random->Below(3000) : random->Below(60);
  while (text.size() < size) {
    text += plain ? kPlain[random->Below(std::size(kPlain))]
                  : kPieces[random->Below(std::size(kPieces))];
    if (large && random->Below(20) == 0) text.append(random->Below(90), 'c');
  }
  return text;
}

TEST(LineExpression, RandomOnesAgainstLineByLine) {
  // A hundred times as many: SKEP_LONG_TESTS=1.
  const int rounds = getenv("SKEP_LONG_TESTS") != nullptr ? 15000 : 150;
  Random random(35);
  const std::vector<CpuPath> paths = SupportedCpuPaths();
  int valid = 0, known = 0, by_classes = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string expression = RandomExpression(&random, 2);
    if (!RE2(expression, RE2::Quiet).ok()) continue;
    ++valid;
    known += LineAutomaton::Create(expression).has_value();
    by_classes += !RequiredClasses(expression, false).empty();
    for (const bool ignore_case : {false, true}) {
      LineMatcherOptions options{.ignore_case = ignore_case,
                                 .invert = random.Below(4) == 0,
                                 .whole_lines = random.Below(4) == 0,
                                 .number_lines = true,
                                 .path = paths[random.Below(paths.size())]};
      const auto matcher = LineMatcher::Create(expression, options).value();
      const std::string whole =
          options.whole_lines ? "^(?:" + expression + ")$" : expression;
      for (int i = 0; i < 4; ++i) {
        const std::string text = RandomText(&random);
        uint64_t lines, expected_lines;
        ASSERT_EQ(Select(*matcher, text, &lines),
                  Expected(whole, text, options, &expected_lines))
            << whole << " in " << testing::PrintToString(text)
            << (ignore_case ? " in any case" : "");
        ASSERT_EQ(lines, expected_lines);
      }
    }
  }
  EXPECT_GT(known, valid * 2 / 3);
  EXPECT_GT(by_classes, valid / 5);
}

TEST(LineAutomaton, TakesWhatIsKnownAndSmall) {
  for (const char* known :
       {"", "a|b", "[0-9]+:[0-9]+", "^(a|bc)*$", "x\\.y", "a.b", "[]a]", "[^a]", "\\bx",
        "a{2}", "$^", "\\d", "^.{80}$", "\\w+ing\\b", "[[:alpha:]_]{3,}", "x}"}) {
    EXPECT_TRUE(LineAutomaton::Create(known).has_value()) << known;
  }
  for (const char* other :
       {"(?i)a", "\\pL", "[\xc3\xa9]", "\\Aa", "\\Qa\\E", "(?P<n>a)", "x{",
        "(a|b)*a(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)c"}) {
    EXPECT_FALSE(LineAutomaton::Create(other).has_value()) << other;
  }
  // RE2 folds these in ways of its own.
  EXPECT_FALSE(LineAutomaton::Create("[^k]", true).has_value());
  EXPECT_FALSE(LineAutomaton::Create("\xc3\xa9", true).has_value());
}

// Sequences as texts: each class in brackets, those of one byte without.
std::vector<std::string> ClassesOf(std::string_view expression) {
  std::vector<std::string> all;
  for (const ClassSequence& sequence : RequiredClasses(expression, false)) {
    std::string& text = all.emplace_back(sequence.exact ? "" : "~");
    for (const ByteSet& bytes : sequence.classes) {
      std::string members;
      for (size_t c = 0; c < 256; ++c) {
        if (bytes[c]) members += static_cast<char>(c);
      }
      text += bytes.count() == 1 ? members : "[" + members + "]";
    }
  }
  return all;
}

TEST(LineExpression, RequiredClassesAreInEveryMatch) {
  using Strings = std::vector<std::string>;
  EXPECT_EQ(ClassesOf("[ab][ab]"), Strings{"[ab][ab]"});
  EXPECT_EQ(ClassesOf("[ab]{2}x"), Strings{"[ab][ab]x"});
  EXPECT_EQ(ClassesOf("[ab]+x[cd]{2,9}y*"), Strings{"[ab]x[cd][cd]"});  // as seldom
  EXPECT_EQ(ClassesOf("^[ab]x"), Strings{"~[ab]x"});
  EXPECT_EQ(ClassesOf("[ab] +x"), Strings{"~ x"});
  EXPECT_EQ(ClassesOf("e.[ab]q(z|y)*"), Strings{"~[ab]q"});
  EXPECT_EQ(ClassesOf("[ab]c|[de]f+"), (Strings{"[ab]c", "[de]f"}));
  EXPECT_EQ(ClassesOf("a{20}"), Strings{"~aaaaaaaaaaaaaaaa"});
  EXPECT_EQ(ClassesOf("(q?)*[xy]"), Strings{"[xy]"});
  for (const char* none :
       {"", "a*", "[ab]?", "a|", "a|b*", ".", "(ab)", "\\pL", "^$"}) {
    EXPECT_EQ(ClassesOf(none), Strings()) << none;
  }
}

Lines MatchesIn(std::string_view pattern, std::string_view line,
                const LineMatcherOptions& options = {}) {
  Lines matches;
  LineMatcher::Create(pattern, options)
      .value()
      ->ForEachMatch(line, [&](size_t offset, std::string_view match) {
        matches.push_back(std::to_string(offset) + ":" + std::string(match));
      });
  return matches;
}

TEST(LineMatcher, MatchesWithinALine) {
  EXPECT_EQ(MatchesIn("a", "banana"), (Lines{"1:a", "3:a", "5:a"}));
  EXPECT_EQ(MatchesIn("a|ab", "abab"), (Lines{"0:ab", "2:ab"}));  // the longest
  EXPECT_EQ(MatchesIn("x*", "axxa"), (Lines{"1:xx"}));            // none empty
  EXPECT_EQ(MatchesIn("^a", "aaa"), (Lines{"0:a"}));
  EXPECT_EQ(MatchesIn("", "aaa"), Lines());
  EXPECT_EQ(MatchesIn("an", "an ban an", {.whole_words = true}),
            (Lines{"0:an", "7:an"}));
}

// The leftmost and there the longest, by RE2 itself.
TEST(LineMatcher, MatchesAreThoseOfTheExpression) {
  const char* const patterns[] = {
      "a",           "ab",       "aa",          "[ab]a",     "a.",      "[a-b]{2}",
      "[^a]b",       "a|ba",     "a+b",         "a*",        "(ab)+",   "\\bab?",
      "b$",          "^a.b",     "b\\b",        "a(b|ab)*",  "[0-9]+",  "a{1,2}",
      "a*b",         "a+b*",     "a+b+",        "[ab]+b",    "[ab]+k?", "ab{2,}",
      "k+[ab]{2}b+", "a+[bk]?",  "A?b",         "(?i)a+",    "aa+",     "a+a",
      "\\w+",        "[^\\w]+a", "a{2,}b{1,3}", "b*a+",      "b?a+",    "a+b{0}k+",
      "\\s?k+",      "[ab]+\\B", ".a|b.",       "k",         "ks",      "a\xc3\xa9",
      "\xc3\xa9|ab", "\\W+",     "\\w+a",       "(a|b){2,3}"};
  constexpr std::string_view kBytes = "aaabbAk \xc3\xa9s";
  Random random(9);
  for (const char* const pattern : patterns) {
    for (int round = 0; round < 60; ++round) {
      std::string line(random.Below(40), ' ');
      for (char& c : line) c = kBytes[random.Below(kBytes.size())];
      const bool fold = round % 3 == 0;
      RE2::Options options;
      options.set_case_sensitive(!fold);
      options.set_longest_match(true);
      const RE2 regex(pattern, options);
      Lines expected;
      re2::StringPiece match;
      for (size_t from = 0;
           from < line.size() &&
           regex.Match(line, from, line.size(), RE2::UNANCHORED, &match, 1);) {
        const auto at = static_cast<size_t>(match.data() - line.data());
        if (!match.empty()) {
          expected.push_back(std::to_string(at) + ":" + match.as_string());
        }
        from = at + std::max<size_t>(match.size(), 1);
      }
      for (const CpuPath path : SupportedCpuPaths()) {
        ASSERT_EQ(MatchesIn(pattern, line, {.ignore_case = fold, .path = path}),
                  expected)
            << pattern << " in " << testing::PrintToString(line);
      }
    }
  }
}

// Each would take hours by trying places one by one.
TEST(LineMatcher, WholeWordsOfALongLineTakeLinearTime) {
  const LineMatcherOptions kWords{.whole_words = true};
  constexpr size_t kSize = 1 << 20;
  const std::string run(kSize, 'a');
  EXPECT_EQ(Select("a+", "x" + run, kWords), Lines());
  EXPECT_EQ(Select("a+", run + "_", kWords), Lines());
  EXPECT_EQ(Select("a+", "\xff" + run + "_", kWords), Lines());
  EXPECT_EQ(Select("a+", "x" + run + " a", kWords).size(), 1);
  EXPECT_EQ(MatchesIn("a+", "x" + run + " a", kWords),
            (Lines{std::to_string(kSize + 2) + ":a"}));
}

TEST(LineMatcher, WholeWordsAndLines) {
  const LineMatcherOptions kWords{.whole_words = true};
  const LineMatcherOptions kLines{.whole_lines = true};
  EXPECT_EQ(Select("an", "banana\nan\nx an,\nan_\nan9 -an-", kWords),
            (Lines{"1:7:an", "2:10:x an,", "4:20:an9 -an-"}));
  // A shorter match may be one where the longest is none; so may one further on.
  EXPECT_EQ(Select("a+|a+ b", "aa bb\n", kWords), (Lines{"0:0:aa bb"}));
  EXPECT_EQ(Select("@an", "x@an\n @an\n", kWords), (Lines{"1:5: @an"}));
  EXPECT_EQ(Select("an",
                   "an\xc3\xa9 \xc3\xa9"
                   "an\nan\xe2\x80\x9d\nan\xff",
                   kWords),
            (Lines{"1:10:an\xe2\x80\x9d", "2:16:an\xff"}));
  EXPECT_EQ(Select("a*", "b\n\xff\xff\nb \nb\xff-\n\n", kWords),
            (Lines{"1:2:\xff\xff", "2:5:b ", "3:8:b\xff-", "4:12:"}));
  EXPECT_EQ(Select("^a|b$", "xa\na\n-b\nb-\n", kWords), (Lines{"1:3:a", "2:5:-b"}));
  EXPECT_EQ(Select("a|ab", "ab\nabc\na\n", kLines), (Lines{"0:0:ab", "2:7:a"}));
  EXPECT_EQ(Select("a.c", "a.c\na.cc\n", {.fixed = true, .whole_lines = true}),
            (Lines{"0:0:a.c"}));
  EXPECT_EQ(Select("", "a\n\nb\n", kLines), (Lines{"1:2:"}));
  // No string that would be needed.
  EXPECT_EQ(Select("[0-9]{2}", "123\n12\nx12 34\n1 2", kWords),
            (Lines{"1:4:12", "2:7:x12 34"}));
}

TEST(LineMatcher, SeveralPatterns) {
  EXPECT_EQ(Select("b\nd.", "a\nb\nde\n"), (Lines{"1:2:b", "2:4:de"}));
  EXPECT_EQ(Select("b\nd.", "a\nb\nde\nd.\n", kFixed), (Lines{"1:2:b", "3:7:d."}));
  EXPECT_EQ(Select("b\n", "a\n", kFixed), (Lines{"0:0:a"}));  // one is empty
  std::string many;
  for (char c = 'a'; c <= 'z'; ++c) many += std::string(2, c) + "\n";
  many += "zzz";
  EXPECT_EQ(Select(many, "abc\nabb\nxyz\nqq\n", kFixed), (Lines{"1:4:abb", "3:12:qq"}));
}

TEST(LineMatcher, StopsWhenToldTo) {
  const auto matcher = LineMatcher::Create("a", {}).value();
  int seen = 0;
  matcher->ForEachLine("a\na\na\n", [&](const auto&) { return ++seen < 2; });
  EXPECT_EQ(seen, 2);
}

TEST(LineMatcher, LettersWithThreeForms) {
  const LineMatcherOptions kFold{.fixed = true, .ignore_case = true};
  EXPECT_EQ(Select("sky", "\xc5\xbf\xe2\x84\xaaY\nskx\n", kFold).size(), 1u);
  EXPECT_EQ(Select("k", "\xe2\x84\xaa\n", {.ignore_case = true}).size(), 1u);
}

TEST(RequiredLiterals, AreInEveryMatch) {
  using Strings = std::vector<std::string>;
  EXPECT_EQ(RequiredLiterals("abc", false), Strings{"abc"});
  EXPECT_EQ(RequiredLiterals("a[bc]def*g+h", false), Strings{"de"});
  EXPECT_EQ(RequiredLiterals("^x\\.y$", false), Strings{"x.y"});
  EXPECT_EQ(RequiredLiterals("(foo|bar) and", false), Strings{" and"});
  EXPECT_EQ(RequiredLiterals("((foo|bar))", false), (Strings{"foo", "bar"}));
  EXPECT_EQ(RequiredLiterals("(a)|(b)", false), Strings());
  EXPECT_EQ(RequiredLiterals("caf\xc3\xa9?s", false), Strings{"caf"});
  EXPECT_EQ(RequiredLiterals("Skip THIS", true), Strings{"ip thi"});
  for (const char* none : {"", "a|", "a*", "(?i)abc", "a{0}", "\\pL", "\\Qa\\E", "[a]",
                           ".", "\\d", "x?", "a|b*", "(a(?i)b)"}) {
    EXPECT_EQ(RequiredLiterals(none, false), Strings()) << none;
  }
}

TEST(ClassFinder, AgreesWithEachPlace) {
  Random random(36);
  const std::vector<CpuPath> paths = SupportedCpuPaths();
  for (int round = 0; round < 400; ++round) {
    std::vector<ByteSet> classes(1 + random.Below(ClassFinder::kMaxSize));
    // Of some bytes, of a range, of any bytes at all: more kinds of halves than bits.
    const uint64_t kind = random.Below(3);
    const uint64_t first = random.Below(200), width = random.Below(56);
    for (ByteSet& bytes : classes) {
      for (size_t c = 0; c < 256; ++c) {
        bytes[c] = kind == 0   ? random.Below(8) > 0 && c % 3 != 0
                   : kind == 1 ? c >= first && c <= first + width
                               : random.Below(16) > 0;
      }
    }
    std::string text(random.Below(400), ' ');
    for (char& c : text) {
      c = static_cast<char>(kind == 1 ? first + random.Below(width + 2) : random());
    }
    const size_t from = random.Below(20);
    size_t expected = from;
    const auto stands = [&](size_t at) {
      for (size_t i = 0; i < classes.size(); ++i) {
        if (!classes[i][static_cast<uint8_t>(text[at + i])]) return false;
      }
      return true;
    };
    while (expected + classes.size() <= text.size() && !stands(expected)) ++expected;
    if (expected + classes.size() > text.size()) expected = std::string::npos;
    for (const CpuPath path : paths) {
      ASSERT_EQ(ClassFinder(classes, path).Find(text, from), expected)
          << CpuPathName(path) << " " << testing::PrintToString(text);
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

TEST_P(StringSearch, FoldsLettersOnly) {
  Random random(34);
  const auto fold = [](std::string s) {
    for (char& c : s) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return s;
  };
  for (int round = 0; round < 20000; ++round) {
    std::string text(random.Below(9000) >> random.Below(10), ' ');
    std::string needle(random.Below(5), ' ');
    // Bytes that differ in the bit of the case without being letters, too.
    for (char& c : text) c = "aAbB@`[{\xc3\xe3"[random.Below(10)];
    for (char& c : needle) c = "aAbB@`[{\xc3\xe3"[random.Below(10)];
    const StringFinder finder(needle, true, GetParam());
    const size_t from = random.Below(100);
    ASSERT_EQ(finder.Find(text, from), fold(text).find(fold(needle), from))
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
