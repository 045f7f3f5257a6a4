#include "base/word_table.h"

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu_path.h"
#include "base/random.h"
#include "gtest/gtest.h"

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
  WordTable table({.seed = random()});
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

// Of keys in the order of their slots, how many stand right behind the one that was
// added before them. Keys that share their slots stand in the order of their additions.
size_t Followers(const WordTable& table) {
  size_t followers = 0;
  uint64_t before = 0;
  table.ForEach([&](std::string_view, uint64_t number) {
    followers += number == before + 1 ? 1 : 0;
    before = number;
  });
  return followers;
}

// Consecutive integers, in any place of a key, spread with any seed; so do keys with
// every end that would make a factor of a hash zero whose constants are open.
TEST(WordTable, RegularKeysSpread) {
  constexpr uint64_t kKeys = 20'000;
  constexpr uint64_t kPhi = 0x9e3779b97f4a7c15, kPi = 0x13198a2e03707345;
  for (const uint64_t seed : {0ull, 1ull, ~0ull, 0x243f6a8885a308d3ull}) {
    for (const uint64_t other : {uint64_t{0}, kPi, kPi ^ 16 * kPhi}) {
      for (const int shift : {0, 20, 40}) {
        for (const size_t place : {0, 1}) {
          WordTable table({.seed = seed});
          for (uint64_t i = 1; i <= kKeys; ++i) {
            uint64_t words[2] = {other, other};
            words[place] = i << shift;
            table.Add({reinterpret_cast<const char*>(words), 16}, i);
          }
          EXPECT_EQ(table.size(), kKeys);
          EXPECT_LT(Followers(table), kKeys / 100);
        }
      }
    }
  }
}

// Tables of other seeds, or in other processes, hold the same keys in other orders.
TEST(WordTable, TheSeedMakesTheOrder) {
  const auto order = [](uint64_t seed) {
    WordTable table({.seed = seed});
    for (int i = 0; i < 100; ++i) {
      table.Add(std::to_string(i), 1);
      table.Add("a key that is not short " + std::to_string(i), 1);
    }
    std::string keys;
    table.ForEach([&keys](std::string_view key, uint64_t) { keys.append(key); });
    return keys;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
}

class AddEach : public testing::TestWithParam<CpuPath> {};

TEST_P(AddEach, CountsAsAddDoes) {
  Random random(5);
  for (const size_t letters : {1, 2, 26}) {
    // Exactly as long as the keys: a load beyond the end of one is seen by the
    // sanitizer.
    std::vector<std::unique_ptr<char[]>> bytes;
    std::vector<std::string_view> keys;
    Counts expected;
    for (int i = 0; i < 20'000; ++i) {
      const size_t size = random.Below(24);
      bytes.push_back(std::make_unique<char[]>(size));
      for (size_t j = 0; j < size; ++j) {
        bytes.back()[j] = static_cast<char>('a' + random.Below(letters));
      }
      keys.emplace_back(bytes.back().get(), size);
      ++expected[std::string(keys.back())];
    }
    WordTable table({.seed = random(), .path = GetParam()});
    for (size_t first = 0; first < keys.size();) {
      const size_t size = std::min<size_t>(random.Below(100), keys.size() - first);
      EXPECT_EQ(table.AddEach(std::span(keys).subspan(first, size)), size);
      first += size;
    }
    EXPECT_EQ(Contents(table), expected);
    for (const auto& [key, count] : expected) ASSERT_EQ(table.Get(key), count);
  }
}

TEST_P(AddEach, StopsWhereTheMemoryEnds) {
  WordTable table({.memory_bytes = 100'000, .path = GetParam()});
  std::vector<std::string> names;
  for (int i = 0; i < 5000; ++i) names.push_back("key" + std::to_string(i));
  const std::vector<std::string_view> keys(names.begin(), names.end());
  const size_t added = table.AddEach(keys);
  EXPECT_GT(added, 100u);
  EXPECT_LT(added, 5000u);
  EXPECT_EQ(table.size(), added);
  EXPECT_FALSE(table.Add(keys[added], 1));
  EXPECT_TRUE(table.Add(keys[added - 1], 1));
  table.Clear();
  EXPECT_EQ(table.AddEach(std::span(keys).subspan(added, 50)), 50u);
}

INSTANTIATE_TEST_SUITE_P(All, AddEach, testing::ValuesIn(SupportedCpuPaths()),
                         [](const auto& info) {
                           return std::string(CpuPathName(info.param));
                         });

// As a combiner uses it: filled, read, cleared, again and again.
TEST(WordTable, AgreesWithAMapThroughGrowthAndDrains) {
  Random random(7);
  Counts expected, sums;
  WordTable table({.memory_bytes = 400'000});  // a few thousand of the 20000 keys
  int drains = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string key = "key" + std::to_string(random.Below(20'000));
    if (random.Below(2) == 1) key += " that is not short";
    const uint64_t count = random.Below(10);
    expected[key] += count;
    if (!table.Add(key, count)) {
      EXPECT_LE(table.memory_used(), 400'000u);
      for (const auto& [k, n] : Contents(table)) sums[k] += n;
      table.Clear();
      ++drains;
      ASSERT_TRUE(table.Add(key, count));
    }
  }
  for (const auto& [k, n] : Contents(table)) sums[k] += n;
  EXPECT_EQ(sums, expected);
  EXPECT_GT(drains, 1);
}

TEST(WordTable, AFullTableStillAddsToKeysItHas) {
  WordTable table({.memory_bytes = 1});
  ASSERT_TRUE(table.Add("first", 1));
  EXPECT_FALSE(table.Add("a key that is not short", 1));
  EXPECT_TRUE(table.Add("first", 1));
  EXPECT_EQ(Contents(table), (Counts{{"first", 2}}));
}

TEST(WordTable, TakesWhatCostsNothingAtTheSmallestLimit) {
  WordTable table({.memory_bytes = 1});
  int keys = 0;
  while (table.Add(std::to_string(keys), 1)) ++keys;
  EXPECT_GE(keys, 500);
}

// What kernels are told to take is what they take, or the next best.
TEST(CpuPathTest, TakenPathsAreOfTheMachine) {
  for (const CpuPath path : SupportedCpuPaths()) {
    EXPECT_EQ(TakenCpuPath(path, CpuExtra::kNone), path);
    const bool best = path == CpuPath::kAvx512;
    EXPECT_EQ(TakenCpuPath(path, CpuExtra::kBitCounts),
              best && !__builtin_cpu_supports("avx512bitalg") ? CpuPath::kAvx2 : path);
    EXPECT_EQ(TakenCpuPath(path, CpuExtra::kByteShuffles),
              best && (!__builtin_cpu_supports("avx512vbmi") ||
                       !__builtin_cpu_supports("avx512vpopcntdq"))
                  ? CpuPath::kAvx2
                  : path);
  }
}

}  // namespace
}  // namespace skep
