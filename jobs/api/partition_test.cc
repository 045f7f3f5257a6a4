#include "jobs/api/partition.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(HashPartition, NeverChanges) {
  std::vector<uint32_t> partitions;
  for (const char* key : {"", "a", "the", "skep", "hive"}) {
    partitions.push_back(HashPartition(key, 1000));
  }
  EXPECT_EQ(partitions, (std::vector<uint32_t>{912, 178, 566, 872, 579}));
}

TEST(HashPartition, SpreadsKeysEvenly) {
  constexpr int kKeys = 70'000, kPartitions = 7;
  std::vector<int> counts(kPartitions);
  for (int i = 0; i < kKeys; ++i)
    ++counts[HashPartition(std::to_string(i), kPartitions)];
  // The standard deviation of a count is 93.
  for (const int count : counts) EXPECT_NEAR(count, kKeys / kPartitions, 500);
  EXPECT_EQ(HashPartition("anything", 1), 0);
}

TEST(Partitioner, ByRangeABoundBelongsToTheRangeAboveIt) {
  StageSpec stage;
  stage.set_partitions(3);
  stage.add_range_bounds("g");
  stage.add_range_bounds("p\xff");
  const Partitioner partitioner(stage);
  EXPECT_EQ(partitioner.PartitionOf(""), 0);
  EXPECT_EQ(partitioner.PartitionOf("fzz"), 0);
  EXPECT_EQ(partitioner.PartitionOf("g"), 1);
  EXPECT_EQ(partitioner.PartitionOf("p\xfe"), 1);  // bytes are unsigned
  EXPECT_EQ(partitioner.PartitionOf("p\xff"), 2);
  EXPECT_EQ(partitioner.PartitionOf("\xff\xff"), 2);
}

TEST(Partitioner, WithoutBoundsByHash) {
  StageSpec stage;
  stage.set_partitions(5);
  EXPECT_EQ(Partitioner(stage).PartitionOf("skep"), HashPartition("skep", 5));
}

}  // namespace
}  // namespace skep
