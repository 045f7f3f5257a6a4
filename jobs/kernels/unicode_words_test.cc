#include "jobs/kernels/unicode_words.h"

#include <unicode/brkiter.h>
#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/ascii_words.h"

namespace skep {
namespace {

using Words = std::vector<std::string>;

// What ICU says of the whole text, a word at a time.
Words WordsByIcu(std::string_view text, bool fold_case) {
  UErrorCode code = U_ZERO_ERROR;
  static icu::BreakIterator* const breaks =
      icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), code);
  const auto all = icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  breaks->setText(all);
  Words words;
  int32_t begin = breaks->first();
  for (int32_t end = breaks->next(); end != icu::BreakIterator::DONE;
       begin = end, end = breaks->next()) {
    if (breaks->getRuleStatus() < UBRK_WORD_NONE_LIMIT) continue;
    icu::UnicodeString word = all.tempSubStringBetween(begin, end);
    if (fold_case) {
      word = icu::Normalizer2::getNFDInstance(code)->normalize(word, code);
      word.foldCase();
    }
    icu::Normalizer2::getNFCInstance(code)
        ->normalize(word, code)
        .toUTF8String(words.emplace_back());
  }
  EXPECT_TRUE(U_SUCCESS(code)) << u_errorName(code);
  return words;
}

Words WordsOf(UnicodeWords* unicode, std::string_view text) {
  Words words;
  unicode->ForEach(text, [&](std::span<const std::string_view> batch) {
    words.insert(words.end(), batch.begin(), batch.end());
  });
  return words;
}

Words WordsOf(std::string_view text) {
  return WordsOf(UnicodeWords::Create(/*fold_case=*/true).value().get(), text);
}
Words CasedWordsOf(std::string_view text) {
  return WordsOf(UnicodeWords::Create(/*fold_case=*/false).value().get(), text);
}

// One for each rule of UAX #29, named by it.
TEST(UnicodeWords, FollowsTheRulesForWordBoundaries) {
  const struct {
    const char* rule;
    std::string_view text;
    Words words;
  } kCases[] = {
      {"WB3, 3a, 3b",
       "a\r\nb\rc\nd\u2028e\u0085f\u000bg",
       {"a", "b", "c", "d", "e", "f", "g"}},
      {"WB3c", "\U0001f468\u200d\U0001f469", {}},
      {"WB4", "a\u0301b\u00adc\u200dd", {"\u00e1b\u00adc\u200dd"}},
      {"WB4", "\u0301a", {"a"}},
      {"WB5", "abc \u03b1\u03b2\u03b3", {"abc", "\u03b1\u03b2\u03b3"}},
      {"WB6, 7",
       "can't can\u2019t a.b a..b a. .b",
       {"can't", "can\u2019t", "a.b", "a", "b", "a", "b"}},
      {"WB6, 7", "a\u00b7b a'", {"a\u00b7b", "a"}},
      {"WB7a", "\u05d0' a' ", {"\u05d0'", "a"}},
      {"WB7b, 7c", "\u05d0\"\u05d1 a\"b", {"\u05d0\"\u05d1", "a", "b"}},
      {"WB8", "007 \u0661\u0662", {"007", "\u0661\u0662"}},
      {"WB9", "A3", {"a3"}},
      {"WB10", "3a", {"3a"}},
      {"WB11, 12",
       "3.14 1,000 1;2 1.a 1,,2 1'2",
       {"3.14", "1,000", "1;2", "1", "a", "1", "2", "1'2"}},
      {"WB13", "\u30ab\u30bf \u30ab\u30fc", {"\u30ab\u30bf", "\u30ab\u30fc"}},
      {"WB13a, 13b", "a_b _1 __ _ \u30ab_\u30ab", {"a_b", "_1", "__", "\u30ab_\u30ab"}},
      {"WB15, 16", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7 a", {"a"}},
      {"WB999", "a\u65e5+b=c?", {"a", "\u65e5", "b", "c"}},
      // Of CLDR's root, which ICU follows.
      {"no ':'", "a:b 1:2", {"a", "b", "1", "2"}},
      {"'@' a letter", "me@example.org @", {"me@example.org", "@"}},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(WordsOf(c.text), c.words) << c.rule << ": " << c.text;
    EXPECT_EQ(WordsByIcu(c.text, true), c.words) << c.rule << ": " << c.text;
  }
}

TEST(UnicodeWords, WordsOfManyLanguages) {
  // Full folding: sharp s is ss, a final sigma a sigma, a ligature its letters.
  EXPECT_EQ(WordsOf("Stra\u00dfe STRASSE stra\u1e9ee"),
            (Words{"strasse", "strasse", "strasse"}));
  EXPECT_EQ(WordsOf("\u039f\u0394\u039f\u03a3 \u03bf\u03b4\u03bf\u03c2"),
            (Words{"\u03bf\u03b4\u03bf\u03c3", "\u03bf\u03b4\u03bf\u03c3"}));
  EXPECT_EQ(WordsOf("\ufb01n \u1fb3 \u1fbc \u0391\u0399"),
            (Words{"fin", "\u03b1\u03b9", "\u03b1\u03b9", "\u03b1\u03b9"}));
  // Canonically equal: composed, decomposed, the sign of Angstrom; marks in any order.
  EXPECT_EQ(WordsOf("\u00c5 A\u030a \u212b a\u030a"),
            (Words{"\u00e5", "\u00e5", "\u00e5", "\u00e5"}));
  EXPECT_EQ(WordsOf("e\u0323\u0302 e\u0302\u0323"), (Words{"\u1ec7", "\u1ec7"}));
  // No language's own rules: Turkish dotted capital I keeps its dot, dotless i is one.
  EXPECT_EQ(WordsOf("\u0130 I \u0131"), (Words{"i\u0307", "i", "\u0131"}));
  // By dictionary.
  EXPECT_EQ(WordsOf("\u65e5\u672c\u8a9e\u306e\u5358\u8a9e"),
            (Words{"\u65e5\u672c\u8a9e", "\u306e", "\u5358\u8a9e"}));
  EXPECT_EQ(WordsOf("\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002"),
            (Words{"\u4eca\u5929", "\u5929\u6c14", "\u5f88\u597d"}));
  EXPECT_EQ(
      WordsOf(
          "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01"),
      (Words{"\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u0e0a\u0e32\u0e27",
             "\u0e42\u0e25\u0e01"}));
  EXPECT_EQ(WordsOf("\uc548\ub155 \u1112\u1161\u11ab"),
            (Words{"\uc548\ub155", "\ud55c"}));
  EXPECT_EQ(WordsOf("ok \U0001f44d\U0001f3fd \u2764\ufe0f na\u00efve!"),
            (Words{"ok", "na\u00efve"}));
}

TEST(UnicodeWords, KeepsCaseWhenAsked) {
  EXPECT_EQ(CasedWordsOf("Stra\u00dfe A\u030aB STRASSE don't"),
            (Words{"Stra\u00dfe", "\u00c5B", "STRASSE", "don't"}));
}

TEST(UnicodeWords, WhatIsNoUtf8PartsWords) {
  EXPECT_EQ(WordsOf("a\xff"
                    "b \xc3 \xc3\xa9\xc3 x\xe2\x82y \xed\xa0\x80z \xf5w\xc0\xaf"),
            (Words{"a", "b", "\u00e9", "x", "y", "z", "w"}));
}

TEST(UnicodeWords, CountsCharacters) {
  EXPECT_EQ(CountCharacters(""), 0u);
  EXPECT_EQ(CountCharacters("ab\u00e9\u65e5\U0001f44d"), 5u);
}

std::string RandomText(Random* random, size_t pieces, bool ascii) {
  constexpr std::string_view kAscii[] = {
      "a",  "b",  "Z", "1",  "9", "_", ".",   "'",     ",",   ";",
      ":",  "@",  "-", "\"", " ", " ", "  ",  "\t",    "\n",  "\r",
      "\v", "\f", "/", "`",  "[", "{", "abc", "don't", "3.14"};
  constexpr std::string_view kOther[] = {
      "\u0301",       "\u0323",       "\u0345",
      "\u200d",       "\u200c",       "\u00ad",
      "\u2019",       "\u05d0",       "\u05f4",
      "\u05f3",       "\u30ab",       "\u30fc",
      "\u3099",       "\u304b",       "\u65e5",
      "\u672c\u8a9e", "\u0e2a\u0e27", "\u0e31\u0e2a\u0e14\u0e35",
      "\U0001f1e9",   "\U0001f44d",   "\U0001f3fd",
      "\u2139",       "\u00df",       "\u0130",
      "\u03a3",       "\u03c2",       "\ufb01",
      "\u212b",       "\u01c4",       "\u1fb3",
      "\u00a0",       "\u2003",       "\u2028",
      "\u0085",       "\uff11",       "\u0661",
      "\u200b",       "\ud55c",       "\u1112",
      "\u1161",       "\u11ab",       "\u00e9",
      "\u0436",       "\u203f",       "\xff",
      "\xc3",         "\xe2\x82",     "\xf0\x9f",
      "\xed\xa0\x80", "\u304c",       "\u30d0"};
  std::string text;
  for (size_t i = 0; i < pieces; ++i) {
    if (!ascii && random->Below(3) == 0) {
      text += kOther[random->Below(std::size(kOther))];
    } else if (random->Below(8) == 0) {
      text += static_cast<char>(random->Below(128));
    } else {
      text += kAscii[random->Below(std::size(kAscii))];
    }
  }
  return text;
}

class UnicodeWordsPath : public testing::TestWithParam<CpuPath> {};

TEST_P(UnicodeWordsPath, EqualIcusOfAnyAscii) {
  Random random(1);
  const auto unicode = UnicodeWords::Create(/*fold_case=*/true, GetParam()).value();
  for (int i = 0; i < 1000; ++i) {
    const std::string text =
        RandomText(&random, random.Below(i % 10 == 0 ? 5000 : 100), true);
    Words words;
    ForEachAsciiWord(
        text, [&](std::string_view word) { words.emplace_back(word); }, GetParam());
    ASSERT_EQ(words, WordsByIcu(text, false)) << testing::PrintToString(text);
    ASSERT_EQ(WordsOf(unicode.get(), text), WordsByIcu(text, true))
        << testing::PrintToString(text);
  }
}

TEST_P(UnicodeWordsPath, EqualIcusOfAnyText) {
  Random random(2);
  for (const bool fold_case : {false, true}) {
    const auto unicode = UnicodeWords::Create(fold_case, GetParam()).value();
    for (int i = 0; i < 1000; ++i) {
      const std::string text =
          RandomText(&random, random.Below(i % 10 == 0 ? 2000 : 30), false);
      ASSERT_EQ(WordsOf(unicode.get(), text), WordsByIcu(text, fold_case))
          << testing::PrintToString(text);
    }
  }
}

TEST_P(UnicodeWordsPath, CutAtAnyLineEnd) {
  Random random(3);
  // Longer than what is visited at a time, and with words of any length.
  std::string text = RandomText(&random, 100'000, false);
  text += std::string(1 << 20, 'W') + "\u00df\n" + std::string(300'000, 'w');
  for (int i = 0; i < 100'000; ++i) text += "\u00e4";
  text += "\nend";
  const Words whole = WordsByIcu(text, true);
  const auto unicode = UnicodeWords::Create(/*fold_case=*/true, GetParam()).value();
  EXPECT_TRUE(WordsOf(unicode.get(), text) == whole);
  Words pieces;
  for (size_t at = 0; at < text.size();) {
    const size_t end =
        std::min(text.find('\n', at + random.Below(3000)), text.size() - 1) + 1;
    const Words words =
        WordsOf(unicode.get(), std::string_view(text).substr(at, end - at));
    pieces.insert(pieces.end(), words.begin(), words.end());
    at = end;
  }
  EXPECT_TRUE(pieces == whole);
}

// More tokens than are remembered.
TEST_P(UnicodeWordsPath, ForgetsWhatIsTooMuch) {
  std::string text;
  Words expected;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 150'000; ++i) {
      expected.push_back("\u00e9" + std::to_string(i));
      text += "\u00c9" + std::to_string(i) + (i % 10 == 0 ? "\n" : " ");
    }
  }
  const auto unicode = UnicodeWords::Create(/*fold_case=*/true, GetParam()).value();
  EXPECT_TRUE(WordsOf(unicode.get(), text) == expected);
}

INSTANTIATE_TEST_SUITE_P(Paths, UnicodeWordsPath,
                         testing::ValuesIn(SupportedCpuPaths()), [](const auto& info) {
                           return std::string(CpuPathName(info.param));
                         });

}  // namespace
}  // namespace skep
