#include "worker/shuffle/record_buffer.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

using Triple = std::tuple<uint32_t, std::string, std::string>;

std::vector<Triple> Contents(RecordBuffer& buffer) {
  buffer.Sort();
  std::vector<Triple> contents;
  for (const RecordBuffer::Record& record : buffer.records()) {
    contents.emplace_back(record.partition, record.key(), record.value());
  }
  return contents;
}

TEST(RecordBufferTest, SortsByPartitionThenKeyThenValueAsBytes) {
  RecordBuffer buffer(1 << 20);
  const std::string high = "\xff", zero("\0", 1);
  ASSERT_TRUE(buffer.Add(1, "a", "2"));
  ASSERT_TRUE(buffer.Add(0, high, ""));
  ASSERT_TRUE(buffer.Add(0, "abcdefghi", "x"));
  ASSERT_TRUE(buffer.Add(0, "abcdefgh", "y"));
  ASSERT_TRUE(buffer.Add(0, "", "z"));
  ASSERT_TRUE(buffer.Add(0, zero, "z"));
  ASSERT_TRUE(buffer.Add(1, "a", "10"));
  EXPECT_EQ(Contents(buffer), (std::vector<Triple>{{0, "", "z"},
                                                   {0, zero, "z"},
                                                   {0, "abcdefgh", "y"},
                                                   {0, "abcdefghi", "x"},
                                                   {0, high, ""},
                                                   {1, "a", "10"},
                                                   {1, "a", "2"}}));
}

TEST(RecordBufferTest, RefusesAtItsBudgetAndLosesNothing) {
  Random random(3);
  std::vector<Triple> expected, got;
  RecordBuffer buffer(600'000);
  int drains = 0;
  for (int i = 0; i < 50'000; ++i) {
    const Triple record(random.Below(3),
                        std::string(random.Below(20), 'a' + random.Below(26)),
                        std::to_string(random.Below(100)));
    const auto& [partition, key, value] = record;
    expected.push_back(record);
    if (buffer.Add(partition, key, value)) continue;
    EXPECT_LE(buffer.memory(), 600'000);
    const std::vector<Triple> some = Contents(buffer);
    EXPECT_TRUE(std::is_sorted(some.begin(), some.end()));
    got.insert(got.end(), some.begin(), some.end());
    buffer.Clear();
    ++drains;
    ASSERT_TRUE(buffer.Add(partition, key, value));
  }
  const std::vector<Triple> rest = Contents(buffer);
  got.insert(got.end(), rest.begin(), rest.end());
  std::sort(got.begin(), got.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(got, expected);
  EXPECT_GT(drains, 2);
}

TEST(RecordBufferTest, TakesOneRecordOfAnySize) {
  RecordBuffer buffer(10);
  ASSERT_TRUE(buffer.Add(0, std::string(1'000'000, 'k'), "v"));
  EXPECT_FALSE(buffer.Add(0, "k", "v"));
  EXPECT_EQ(Contents(buffer).size(), 1);
}

int RecordsThatFit(RecordBuffer& buffer) {
  int records = 0;
  while (buffer.Add(0, "key", "value")) ++records;
  return records;
}

TEST(RecordBufferTest, TakesMoreThanOneRecordAtTheSmallestBudget) {
  RecordBuffer buffer(1);
  EXPECT_GE(RecordsThatFit(buffer), 200);
}

TEST(RecordBufferTest, ALargeRecordLeavesTheBudgetToThoseAfterIt) {
  RecordBuffer buffer(1 << 20);
  const int before = RecordsThatFit(buffer);
  buffer.Clear();
  ASSERT_TRUE(buffer.Add(0, "k", std::string(4 << 20, 'v')));
  buffer.Clear();
  EXPECT_EQ(RecordsThatFit(buffer), before);
  EXPECT_LE(buffer.memory(), 1 << 20);
}

}  // namespace
}  // namespace skep
