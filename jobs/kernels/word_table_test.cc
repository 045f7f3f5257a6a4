#include "jobs/kernels/word_table.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/tokenizer.h"
#include "jobs/kernels/top_k.h"

namespace skep {
namespace {

using Counts = std::map<std::string, uint64_t>;

Counts Contents(const WordTable& table) {
  Counts counts;
  table.ForEach([&](std::string_view key, uint64_t count) {
    EXPECT_TRUE(counts.emplace(key, count).second) << "twice: " << key;
  });
  EXPECT_EQ(counts.size(), table.size());
  return counts;
}

TEST(WordTable, Empty) {
  WordTable table;
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.Get(""), 0u);
  EXPECT_EQ(table.Get("a key that is not short"), 0u);
  EXPECT_EQ(Contents(table), Counts());
}

TEST(WordTable, KeysOfEverySize) {
  WordTable table;
  Counts expected;
  // Keys of one letter differ in size only; those with one other byte, in that byte.
  for (size_t size = 0; size <= 40; ++size) {
    for (size_t at = 0; at <= size; ++at) {
      std::string key(size, 'a');
      if (at < size) key[at] = 'b';
      table.Add(key, size + 1);
      table.Add(key, 1);
      expected[key] += size + 2;
      EXPECT_EQ(table.Get(key), expected[key]);
    }
  }
  EXPECT_EQ(Contents(table), expected);
}

TEST(WordTable, ZerosInKeysAreBytes) {
  WordTable table;
  Counts expected;
  for (size_t size = 0; size < 20; ++size) {
    table.Add(std::string(size, '\0'), size + 1);
    expected[std::string(size, '\0')] = size + 1;
  }
  EXPECT_EQ(Contents(table), expected);
}

TEST(WordTable, AZeroCountMakesAKeyKnown) {
  WordTable table;
  table.Add("x", 0);
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(Contents(table), (Counts{{"x", 0}}));
}

TEST(WordTable, HugeKeys) {
  WordTable table;
  std::string huge(3 << 20, 'h');
  for (int i = 0; i < 4; ++i) {
    huge.back() = static_cast<char>('0' + i);
    table.Add(huge, 1);
    table.Add(huge, 2);
    EXPECT_EQ(table.Get(huge), 3u);
  }
  EXPECT_EQ(table.size(), 4u);
  EXPECT_GE(table.memory_used(), size_t{12} << 20);
}

TEST(WordTable, RandomKeysAgainstAMap) {
  Random random(3);
  WordTable table(random());
  for (int filling = 0; filling < 3; ++filling) {
    Counts expected;
    for (int i = 0; i < 50000; ++i) {
      std::string key(random.Below(30), ' ');
      const uint64_t letters = 1 + random.Below(3);
      for (char& c : key) c = static_cast<char>('a' + random.Below(letters));
      const uint64_t n = random.Below(5);
      table.Add(key, n);
      expected[key] += n;
    }
    EXPECT_EQ(Contents(table), expected);
    table.Clear();
    EXPECT_EQ(table.size(), 0u);
    EXPECT_EQ(Contents(table), Counts());
  }
}

TEST(WordTable, ManyDistinctKeysAndMemory) {
  WordTable table;
  const size_t before = table.memory_used();
  for (int i = 0; i < 300000; ++i) table.Add(std::to_string(i), i);
  EXPECT_EQ(table.size(), 300000u);
  for (int i = 0; i < 300000; i += 997) EXPECT_EQ(table.Get(std::to_string(i)), i);
  EXPECT_GT(table.memory_used(), before);
  EXPECT_EQ(table.memory_used(), size_t{1 << 20} * 32);  // slots alone: all keys short
}

// An adversary who does not know the seed cannot make keys collide; and consecutive
// integers, the friendliest attack, must spread with any seed. Were they to share their
// slots, this would take minutes.
TEST(WordTable, RegularKeysSpread) {
  for (const uint64_t seed : {0ull, 1ull, ~0ull, 0x243f6a8885a308d3ull}) {
    WordTable table(seed);
    for (uint64_t i = 0; i < 200000; ++i) {
      const uint64_t words[2] = {i << 40, 0};
      table.Add({reinterpret_cast<const char*>(words), i % 2 == 0 ? 8u : 16u}, 1);
    }
    EXPECT_EQ(table.size(), 200000u);
  }
}

TEST(TopK, OrderAndTies) {
  TopK top(3);
  for (const char* key : {"d", "a", "c", "b"}) top.Add(key, 5);
  top.Add("z", 6);
  top.Add("y", 4);
  const std::vector<CountedKey> expected = {{"z", 6}, {"a", 5}, {"b", 5}};
  EXPECT_EQ(top.Take(), expected);
  EXPECT_TRUE(top.Take().empty());
}

TEST(TopK, FewerKeysThanAskedForAndNone) {
  TopK ten(10);
  ten.Add("only", 1);
  EXPECT_EQ(ten.Take(), (std::vector<CountedKey>{{"only", 1}}));
  TopK none(0);
  none.Add("x", 1);
  EXPECT_TRUE(none.Take().empty());
}

TEST(TopK, KeysAreComparedAsUnsignedBytes) {
  TopK top(2);
  top.Add("\xc3\xa4", 1);
  top.Add("z", 1);
  EXPECT_EQ(top.Take(), (std::vector<CountedKey>{{"z", 1}, {"\xc3\xa4", 1}}));
}

TEST(TopK, TopOfTheTopsOfParts) {
  Random random(8);
  std::vector<CountedKey> all;
  TopK whole(20), merged(20);
  for (int part = 0; part < 10; ++part) {
    TopK top(20);
    for (int i = 0; i < 200; ++i) {
      const std::string key = std::to_string(part * 200 + i);
      const uint64_t count = random.Below(30);
      all.push_back({key, count});
      whole.Add(key, count);
      top.Add(key, count);
    }
    for (const CountedKey& kept : top.Take()) merged.Add(kept.key, kept.count);
  }
  std::sort(all.begin(), all.end(), [](const CountedKey& a, const CountedKey& b) {
    return ComesBefore(a.count, a.key, b.count, b.key);
  });
  all.resize(20);
  EXPECT_EQ(whole.Take(), all);
  EXPECT_EQ(merged.Take(), all);
}

// The known answers for the King James Bible.
TEST(WordCount, KingJamesBible) {
  const char* folder = std::getenv("SKEP_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "SKEP_TEST_DATA is not set";
  std::ifstream file(std::string(folder) + "/kjv.txt", std::ios::binary);
  ASSERT_TRUE(file);
  std::stringstream contents;
  contents << file.rdbuf();
  std::string text = std::move(contents).str();
  for (const CpuPath path : SupportedCpuPaths()) {
    WordTable table(42);
    uint64_t words = 0;
    ForEachWord(
        text,
        [&](std::string_view word) {
          table.Add(word, 1);
          ++words;
        },
        path);
    EXPECT_EQ(words, 820736u);
    EXPECT_EQ(table.size(), 33388u);
    TopK top(3);
    table.ForEach([&](std::string_view key, uint64_t count) { top.Add(key, count); });
    EXPECT_EQ(top.Take(),
              (std::vector<CountedKey>{{"the", 62051}, {"and", 38572}, {"of", 34393}}));
  }
  FoldAsciiCase(text, text.data());
  WordTable folded;
  ForEachWord(text, [&](std::string_view word) { folded.Add(word, 1); });
  EXPECT_EQ(folded.size(), 32163u);
  EXPECT_EQ(folded.Get("the"), 63911u);
  EXPECT_EQ(folded.Get("for"), 8810u);
}

}  // namespace
}  // namespace skep
