#include "jobs/kernels/tokenizer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

using Words = std::vector<std::string>;

// The definition, byte by byte.
Words Expected(std::string_view text) {
  Words words;
  bool in_word = false;
  for (const char c : text) {
    const bool space =
        c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
    if (space) {
      in_word = false;
    } else {
      if (!in_word) words.emplace_back();
      words.back() += c;
      in_word = true;
    }
  }
  return words;
}

class Tokenizer : public testing::TestWithParam<CpuPath> {
 protected:
  Words Split(std::string_view text) {
    Words words;
    ForEachWord(
        text, [&](std::string_view word) { words.emplace_back(word); }, GetParam());
    return words;
  }
  std::string Fold(std::string_view text) {
    std::string out(text.size(), '?');
    FoldAsciiCase(text, out.data(), GetParam());
    return out;
  }
};

TEST_P(Tokenizer, SmallTexts) {
  EXPECT_EQ(Split(""), Words());
  EXPECT_EQ(Split(" "), Words());
  EXPECT_EQ(Split(" \t\r\n\v\f"), Words());
  EXPECT_EQ(Split("a"), Words({"a"}));
  EXPECT_EQ(Split("no final newline"), Words({"no", "final", "newline"}));
  EXPECT_EQ(Split("\r\none\r\n\r\ntwo\r\n"), Words({"one", "two"}));
  EXPECT_EQ(Split("a\tb\vc\fd e\nf\rg"), Words({"a", "b", "c", "d", "e", "f", "g"}));
  EXPECT_EQ(Split(std::string_view("a\0b \x08 \x0e \xff", 9)),
            Words({std::string("a\0b", 3), "\x08", "\x0e", "\xff"}));
  // A no-break space and an ideographic space are not white space here.
  EXPECT_EQ(Split("a\xc2\xa0m \xe3\x80\x80"), Words({"a\xc2\xa0m", "\xe3\x80\x80"}));
}

TEST_P(Tokenizer, EveryByteAlone) {
  for (int c = 0; c < 256; ++c) {
    const std::string text(1, static_cast<char>(c));
    EXPECT_EQ(Split(text), Expected(text)) << c;
    EXPECT_EQ(IsWordSpace(text[0]), Expected(text).empty()) << c;
  }
}

// One edge at every place around the 64-byte groups and the 4 KiB parts.
TEST_P(Tokenizer, EdgesAtEveryOffset) {
  for (const size_t size : {1, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, 8200}) {
    const size_t step = size > 200 ? 61 : 1;
    for (size_t at = 0; at < size; at += step) {
      std::string word(size, 'w');
      word[at] = ' ';
      ASSERT_EQ(Split(word), Expected(word)) << size << " " << at;
      std::string blank(size, '\n');
      blank[at] = 'w';
      ASSERT_EQ(Split(blank), Expected(blank)) << size << " " << at;
    }
  }
}

TEST_P(Tokenizer, HugeWord) {
  const std::string huge(1 << 20, 'x');
  EXPECT_EQ(Split(huge), Words({huge}));
  EXPECT_EQ(Split(" " + huge + "\n" + huge), Words({huge, huge}));
}

TEST_P(Tokenizer, RandomBytes) {
  Random random(5);
  for (int round = 0; round < 500; ++round) {
    std::string text(random.Below(1000), '\0');
    const bool dense = round % 2 == 0;
    for (char& c : text) {
      c = static_cast<char>(dense ? random.Below(40) : random.Below(256));
    }
    ASSERT_EQ(Split(text), Expected(text)) << round;
  }
}

// Reading past the end would be found by AddressSanitizer: the text fills its buffer.
TEST_P(Tokenizer, StaysInsideItsText) {
  for (size_t size = 0; size < 200; ++size) {
    const std::vector<char> text(size, 'a');
    EXPECT_EQ(Split({text.data(), text.size()}).size(), size > 0 ? 1u : 0u);
  }
}

TEST_P(Tokenizer, FoldsAsciiOnly) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  std::string expected = all;
  for (char c = 'A'; c <= 'Z'; ++c) expected[static_cast<uint8_t>(c)] = c - 'A' + 'a';
  EXPECT_EQ(Fold(all), expected);
  EXPECT_EQ(Fold(""), "");
  for (size_t size = 0; size < 200; ++size) {
    EXPECT_EQ(Fold(std::string(size, 'Q')), std::string(size, 'q'));
  }
  std::string in_place = "The QUICK fox \xc3\x84";
  FoldAsciiCase(in_place, in_place.data(), GetParam());
  EXPECT_EQ(in_place, "the quick fox \xc3\x84");
}

INSTANTIATE_TEST_SUITE_P(Paths, Tokenizer, testing::ValuesIn(SupportedCpuPaths()),
                         [](const auto& info) {
                           return std::string(CpuPathName(info.param));
                         });

TEST(CpuPath, SupportedPathsEndWithTheBest) {
  ASSERT_FALSE(SupportedCpuPaths().empty());
  EXPECT_EQ(SupportedCpuPaths().front(), CpuPath::kScalar);
  EXPECT_EQ(SupportedCpuPaths().back(), BestCpuPath());
}

}  // namespace
}  // namespace skep
