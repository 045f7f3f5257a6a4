#include "storage/split_planner.h"

#include "gtest/gtest.h"

namespace skep {
namespace {

constexpr uint64_t kMiB = 1 << 20;
const RecordFormat kLines;

InputFile File(std::string name, uint64_t size,
               Compression compression = COMPRESSION_NONE) {
  InputFile file;
  file.set_name(std::move(name));
  file.set_size(size);
  file.set_compression(compression);
  return file;
}

RecordFormat Fixed(uint32_t size) {
  return {.kind = RecordFormat::Kind::kFixed, .record_size = size};
}

TEST(SplitPlanner, TilesEveryFile) {
  for (const uint64_t size : {1, 2, 9, 10, 11, 99, 100, 101, 12345}) {
    for (const uint64_t split_bytes : {1, 2, 7, 10, 100, 1'000'000}) {
      const auto splits = PlanSplits({File("a", size)}, kLines, split_bytes);
      ASSERT_TRUE(splits.ok());
      uint64_t offset = 0;
      for (const InputSplit& split : *splits) {
        EXPECT_EQ(split.offset(), offset);
        EXPECT_GT(split.length(), 0);
        EXPECT_LE(split.length(), split_bytes);
        EXPECT_LE(split.length(), splits->back().length() + 1) << "evenly";
        EXPECT_EQ(split.file().name(), "a");
        offset += split.length();
      }
      EXPECT_EQ(offset, size);
      EXPECT_EQ(splits->size(), (size + split_bytes - 1) / split_bytes);
    }
  }
}

TEST(SplitPlanner, FixedRecordsStayWhole) {
  const auto splits = PlanSplits({File("a", 8 * 1001)}, Fixed(8), 100);
  ASSERT_TRUE(splits.ok());
  uint64_t offset = 0;
  for (const InputSplit& split : *splits) {
    EXPECT_EQ(split.offset(), offset);
    EXPECT_EQ(split.length() % 8, 0);
    EXPECT_LE(split.length(), 100);
    offset += split.length();
  }
  EXPECT_EQ(offset, 8 * 1001);
  EXPECT_EQ(PlanSplits({File("a", 3000)}, Fixed(1000), 10)->size(), 3)
      << "a record larger than a split";
}

TEST(SplitPlanner, AFileThatEndsInsideARecordIsRefusedByName) {
  const absl::Status status =
      PlanSplits({File("good", 16), File("bad", 17)}, Fixed(8)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(status.ToString().find("bad"), std::string::npos) << status;
  EXPECT_NE(status.ToString().find("17"), std::string::npos) << status;
  EXPECT_TRUE(absl::IsInvalidArgument(PlanSplits({File("a", 16)}, Fixed(0)).status()));
}

TEST(SplitPlanner, CompressedFilesAreOneSplitAndEmptyOnesNone) {
  const auto splits = PlanSplits({File("a", 50, COMPRESSION_GZIP), File("b", 0),
                                  File("c", 51, COMPRESSION_ZSTD), File("d", 20)},
                                 Fixed(10), 10);
  ASSERT_TRUE(splits.ok());
  ASSERT_EQ(splits->size(), 4);
  EXPECT_EQ((*splits)[0].length(), 50);
  EXPECT_EQ((*splits)[1].file().name(), "c");
  EXPECT_EQ((*splits)[1].length(), 51);
  EXPECT_EQ((*splits)[3].offset(), 10);
  EXPECT_TRUE(PlanSplits({}, kLines)->empty());
}

TEST(SplitPlanner, EmptyFilesAreSplitsOfNoBytesIfAskedFor) {
  const auto splits = PlanSplits(
      {File("a", 0), File("b", 3), File("c", 0), File("d", 0)}, {.empty_files = 2});
  ASSERT_TRUE(splits.ok());
  ASSERT_EQ(splits->size(), 3);
  EXPECT_EQ((*splits)[0].file().name(), "a");
  EXPECT_EQ((*splits)[0].length(), 0);
  EXPECT_EQ((*splits)[1].length(), 3);
  EXPECT_EQ((*splits)[2].length(), 0);
}

TEST(SplitPlanner, DefaultDependsOnTheTotalOnly) {
  EXPECT_EQ(DefaultSplitBytes(0), kMiB);
  EXPECT_EQ(DefaultSplitBytes(64 * kMiB), kMiB);
  EXPECT_EQ(DefaultSplitBytes(640 * kMiB), 10 * kMiB);
  EXPECT_EQ(DefaultSplitBytes(1'000'000 * kMiB), 64 * kMiB);
  EXPECT_EQ(PlanSplits({File("a", 640 * kMiB)}, kLines)->size(), 64);
}

TEST(SplitPlanner, TheNumberOfSplitsIsBounded) {
  const uint64_t huge = 100'000'000 * kMiB;
  const auto splits = PlanSplits({File("a", huge), File("b", huge + 5)}, kLines);
  ASSERT_TRUE(splits.ok()) << splits.status();
  EXPECT_LE(splits->size(), kMaxSplits);
  const absl::Status status = PlanSplits({File("a", huge)}, kLines, 1).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  const std::vector<InputFile> many(kMaxSplits + 1, File("a", 1));
  EXPECT_TRUE(absl::IsInvalidArgument(PlanSplits(many, kLines).status()));
}

}  // namespace
}  // namespace skep
