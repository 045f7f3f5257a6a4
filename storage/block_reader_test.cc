#include "storage/block_reader.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/input_file.h"
#include "storage/memory_file_system.h"
#include "storage/split_planner.h"

namespace skep {
namespace {

const RecordFormat kLines;

RecordFormat Fixed(uint32_t size) {
  return {.kind = RecordFormat::Kind::kFixed, .record_size = size};
}

class BlockReaderTest : public testing::Test {
 protected:
  void Put(std::string_view bytes) {
    ASSERT_TRUE(WriteFileAtomically(fs_, "/f", bytes).ok());
    auto described = DescribeInputFile(fs_, "/f", "some-file");
    ASSERT_TRUE(described.ok());
    described_ = *described;
    file_ = *fs_.OpenToRead("/f");
  }

  InputSplit Split(uint64_t offset, uint64_t length) const {
    InputSplit split;
    *split.mutable_file() = described_;
    split.set_offset(offset);
    split.set_length(length);
    return split;
  }

  // The blocks of one split together, checking each.
  absl::StatusOr<std::string> Read(const InputSplit& split, const RecordFormat& format,
                                   const BlockReaderOptions& options) {
    BlockReader reader(*file_, split, format, options);
    std::string bytes;
    uint64_t first = 0;
    FileBlock block;
    while (true) {
      SKEP_ASSIGN_OR_RETURN(const bool more, reader.Next(&block));
      if (!more) break;
      EXPECT_FALSE(block.bytes.empty());
      if (bytes.empty()) first = block.file_offset;
      EXPECT_EQ(block.file_offset, first + bytes.size());
      bytes += block.bytes;
      if (format.kind == RecordFormat::Kind::kFixed) {
        EXPECT_EQ(block.bytes.size() % format.record_size, 0);
      } else {
        const bool at_end = block.file_offset + block.bytes.size() == text_size_;
        EXPECT_TRUE(block.bytes.ends_with('\n') || at_end);
      }
    }
    EXPECT_FALSE(reader.Next(&block).value()) << "the end stays the end";
    return bytes;
  }

  // Every line that begins in the range, by definition.
  static std::string LinesBeginningIn(std::string_view text, size_t begin, size_t end) {
    std::string lines;
    for (size_t at = 0; at < text.size();) {
      const size_t next = std::min(text.find('\n', at), text.size() - 1) + 1;
      if (at >= begin && at < end) lines += text.substr(at, next - at);
      at = next;
    }
    return lines;
  }

  void CheckEverySplitSize(std::string_view text, size_t block_bytes) {
    Put(text);
    text_size_ = text.size();
    for (uint64_t split_bytes = 1; split_bytes <= text.size() + 1; ++split_bytes) {
      const auto splits = PlanSplits({described_}, kLines, split_bytes);
      ASSERT_TRUE(splits.ok());
      std::string all;
      for (const InputSplit& split : *splits) {
        const auto bytes = Read(split, kLines, {.block_bytes = block_bytes});
        ASSERT_TRUE(bytes.ok()) << bytes.status();
        ASSERT_EQ(*bytes, LinesBeginningIn(text, split.offset(),
                                           split.offset() + split.length()));
        all += *bytes;
      }
      ASSERT_EQ(all, text);
    }
  }

  MemoryFileSystem fs_;
  InputFile described_;
  std::unique_ptr<ReadableFile> file_;
  size_t text_size_ = 0;
};

TEST_F(BlockReaderTest, EveryLineIsOfOneSplit) {
  for (const char* text : {"", "a", "\n", "\n\n", "a\n", "a\nb", "\na", "ab\n\ncd\n",
                           "a long line\nx\n\n\ny\nno final newline", "\n\n\n\n\n\n"}) {
    for (const size_t block_bytes : {1, 2, 3, 5, 100})
      CheckEverySplitSize(text, block_bytes);
  }
}

TEST_F(BlockReaderTest, EveryLineIsOfOneSplitOfRandomTexts) {
  Random random(1);
  for (int round = 0; round < 60; ++round) {
    std::string text;
    const uint64_t newline_one_in = 1 + random.Below(30);
    for (uint64_t i = random.Below(150); i > 0; --i) {
      text += random.Below(newline_one_in) == 0 ? '\n' : 'a' + random.Below(26);
    }
    CheckEverySplitSize(text, 1 + random.Below(40));
  }
}

TEST_F(BlockReaderTest, BlocksAreLarge) {
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text += "line\n";
  Put(text);
  for (const uint64_t offset : {0, 1'234'567}) {
    BlockReader reader(*file_, Split(offset, 3'000'000), kLines);
    FileBlock block;
    std::vector<size_t> sizes;
    while (reader.Next(&block).value()) sizes.push_back(block.bytes.size());
    EXPECT_LE(sizes.size(), 5);
    EXPECT_GE(sizes.front(), 256 << 10);
  }
}

TEST_F(BlockReaderTest, FixedRecords) {
  std::string bytes;
  for (int i = 0; i < 7 * 100; ++i) bytes += static_cast<char>(i);
  Put(bytes);
  for (uint64_t split_bytes = 1; split_bytes <= bytes.size() + 1; ++split_bytes) {
    for (const size_t block_bytes : {1, 7, 8, 50, 10'000}) {
      const auto splits = PlanSplits({described_}, Fixed(7), split_bytes);
      ASSERT_TRUE(splits.ok());
      std::string all;
      for (const InputSplit& split : *splits) {
        const auto part = Read(split, Fixed(7), {.block_bytes = block_bytes});
        ASSERT_TRUE(part.ok()) << part.status();
        EXPECT_EQ(part->size(), split.length());
        all += *part;
      }
      ASSERT_TRUE(all == bytes);
    }
  }
}

std::string Zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
}

TEST_F(BlockReaderTest, CompressedFilesAreRead) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += StrCat("line ", i * 7919 % 10007, "\n");
  text += "no final newline";
  Put(Zstd(text));
  text_size_ = text.size();
  EXPECT_EQ(described_.compression(), COMPRESSION_ZSTD);
  for (const size_t block_bytes : {10, 1000, 1 << 20}) {
    const auto read =
        Read(Split(0, described_.size()), kLines, {.block_bytes = block_bytes});
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(*read == text);
  }
  Put(Zstd(""));
  EXPECT_EQ(Read(Split(0, described_.size()), kLines, {}).value(), "");
}

TEST_F(BlockReaderTest, CompressedRecordsMustBeWhole) {
  Put(Zstd(std::string(800, 'x')));
  const InputSplit whole = Split(0, described_.size());
  EXPECT_EQ(Read(whole, Fixed(8), {.block_bytes = 64})->size(), 800);
  const absl::Status status = Read(whole, Fixed(9), {.block_bytes = 64}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_NE(status.ToString().find("some-file"), std::string::npos);
  EXPECT_NE(status.ToString().find("792"), std::string::npos) << status;
}

TEST_F(BlockReaderTest, ALineThatIsTooLongIsAnErrorInEverySplit) {
  const std::string text = "short\n" + std::string(10'000, 'x') + "\nshort\n";
  Put(text);
  const BlockReaderOptions options = {.block_bytes = 100, .max_line_bytes = 1000};
  for (const uint64_t offset : {0, 1000, 5000}) {
    const absl::Status status = Read(Split(offset, 4000), kLines, options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << offset << " " << status;
    EXPECT_NE(status.ToString().find("some-file"), std::string::npos);
  }
  const BlockReaderOptions larger = {.block_bytes = 100, .max_line_bytes = 10'001};
  text_size_ = text.size();
  EXPECT_TRUE(Read(Split(0, text.size()), kLines, larger).value() == text);
}

TEST_F(BlockReaderTest, AFileThatShrankIsAnError) {
  Put("one\ntwo\nthree\n");
  const InputSplit first = Split(0, 9), second = Split(9, 5);
  ASSERT_TRUE(WriteFileAtomically(fs_, "/f", "one\ntwo\nth").ok());
  file_ = *fs_.OpenToRead("/f");
  for (const InputSplit& split : {first, second}) {
    const absl::Status status = Read(split, kLines, {}).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  }
}

TEST_F(BlockReaderTest, BytesThatWereAppendedLaterAreNotRead) {
  Put("one\ntwo");
  text_size_ = 7;
  const InputSplit split = Split(0, 7);
  ASSERT_TRUE(WriteFileAtomically(fs_, "/f", "one\ntwothree\nfour\n").ok());
  file_ = *fs_.OpenToRead("/f");
  EXPECT_EQ(Read(split, kLines, {}).value(), "one\ntwo");
}

}  // namespace
}  // namespace skep
