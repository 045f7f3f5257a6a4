#include "worker/shuffle/combine_table.h"

#include <map>
#include <string>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

std::map<std::string, uint64_t> Contents(const CombineTable& table) {
  std::map<std::string, uint64_t> contents;
  table.ForEach([&](std::string_view key, uint64_t count) {
    EXPECT_TRUE(contents.emplace(key, count).second) << "twice: " << key;
  });
  return contents;
}

TEST(CombineTableTest, AddsUpByKey) {
  CombineTable table(1 << 20);
  EXPECT_TRUE(table.Add("bee", 1));
  EXPECT_TRUE(table.Add("", 5));
  EXPECT_TRUE(table.Add("bee", 2));
  EXPECT_TRUE(table.Add(std::string_view("a\0b", 3), 7));
  EXPECT_EQ(Contents(table), (std::map<std::string, uint64_t>{
                                 {"", 5}, {"bee", 3}, {std::string("a\0b", 3), 7}}));
  EXPECT_EQ(table.size(), 3);
}

TEST(CombineTableTest, AgreesWithAMapThroughGrowthAndDrains) {
  Random random(7);
  std::map<std::string, uint64_t> expected, sums;
  CombineTable table(400'000);  // holds a few thousand of the 20000 keys
  int drains = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string key = "key" + std::to_string(random.Below(20'000));
    const uint64_t count = random.Below(10);
    expected[key] += count;
    if (!table.Add(key, count)) {
      EXPECT_LE(table.memory(), 400'000);
      for (const auto& [k, n] : Contents(table)) sums[k] += n;
      table.Clear();
      EXPECT_EQ(table.size(), 0);
      ++drains;
      ASSERT_TRUE(table.Add(key, count));
    }
  }
  for (const auto& [k, n] : Contents(table)) sums[k] += n;
  EXPECT_EQ(sums, expected);
  EXPECT_GT(drains, 1);
}

TEST(CombineTableTest, AFullTableStillAddsToKeysItHas) {
  CombineTable table(1);
  ASSERT_TRUE(table.Add("first", 1));
  EXPECT_FALSE(table.Add("second", 1));
  EXPECT_TRUE(table.Add("first", 1));
  EXPECT_EQ(Contents(table), (std::map<std::string, uint64_t>{{"first", 2}}));
}

}  // namespace
}  // namespace skep
