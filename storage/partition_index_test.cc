#include "storage/partition_index.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/faulty_file_system.h"
#include "storage/memory_file_system.h"

namespace skep {
namespace {

std::vector<PartitionEntry> SomeEntries() {
  return {{.offset = 0, .length = 100, .records = 5, .bytes = 70, .digest = {1, 2}},
          {.offset = 100},
          {.offset = 100, .length = ~uint64_t{0}, .digest = {~uint64_t{0}, 3}}};
}

TEST(PartitionIndex, RoundTrips) {
  MemoryFileSystem fs;
  for (const auto& entries : {SomeEntries(), {}}) {
    ASSERT_TRUE(WritePartitionIndex(fs, "/index", entries).ok());
    EXPECT_EQ(ReadPartitionIndex(fs, "/index").value(), entries);
  }
}

TEST(PartitionIndex, DamageOrACutAnywhereIsDataLoss) {
  const std::string bytes = EncodePartitionIndex(SomeEntries());
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[at] ^= 1 << bit;
      ASSERT_TRUE(absl::IsDataLoss(DecodePartitionIndex(damaged).status())) << at;
    }
    ASSERT_TRUE(absl::IsDataLoss(
        DecodePartitionIndex(std::string_view(bytes).substr(0, at)).status()));
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodePartitionIndex(bytes + "x").status()));
}

TEST(PartitionIndex, ErrorsNameTheFile) {
  MemoryFileSystem memory;
  FaultyFileSystem fs(memory);
  EXPECT_TRUE(absl::IsNotFound(ReadPartitionIndex(fs, "/index").status()));
  ASSERT_TRUE(WritePartitionIndex(fs, "/index", SomeEntries()).ok());
  fs.DamageByteAt("/index", 20);
  const absl::Status status = ReadPartitionIndex(fs, "/index").status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_NE(status.ToString().find("/index"), std::string::npos) << status;
}

}  // namespace
}  // namespace skep
