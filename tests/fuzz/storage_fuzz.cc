#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "glog/logging.h"
#include "storage/block_reader.h"
#include "storage/byte_source.h"
#include "storage/input_file.h"
#include "storage/log_record.h"
#include "storage/memory_file_system.h"
#include "storage/run_format.h"
#include "storage/run_reader.h"
#include "storage/run_writer.h"
#include "storage/split_planner.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/targets.h"
#include "tools/client/checkpoint.h"

namespace skep {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// What a run holds, or why it cannot be read.
absl::StatusOr<Pairs> ReadRun(std::string bytes, size_t max_read) {
  RunReader reader(std::make_unique<StringSource>(std::move(bytes), max_read), "run");
  Pairs pairs;
  Record record;
  while (reader.Next(&record)) pairs.emplace_back(record.key, record.value);
  if (!reader.status().ok()) return reader.status();
  return pairs;
}

std::string WriteRun(const Pairs& pairs) {
  MemoryFileSystem fs;
  auto file = fs.OpenToWrite("/run").value();
  RunWriter writer(*file);
  for (const auto& [key, value] : pairs) CHECK(writer.Add(key, value).ok());
  CHECK(writer.Finish().ok());
  CHECK(file->Close().ok());
  return ReadFile(fs, "/run").value();
}

// A block whose checksum is right and whose records are whatever was given.
std::string SealedBlock(FuzzInput& input, uint64_t number) {
  const std::string_view payload = input.Block();
  RunBlockHeader header;
  header.stored_size = static_cast<uint32_t>(payload.size());
  header.raw_size = header.stored_size + input.Byte() % 4;  // sometimes "compressed"
  header.records = input.Short();
  std::string block(kRunHeaderBytes, '\0');
  header.Encode(number, payload, block.data());
  return block + std::string(payload);
}

}  // namespace

void FuzzRuns(std::string_view bytes) {
  FuzzInput input(bytes);
  const uint8_t mode = input.Byte();
  const size_t max_read = 1 + input.Byte();
  if (mode % 4 == 0) {
    (void)ReadRun(std::string(input.Rest()), max_read);
    return;
  }
  if (mode % 4 == 1) {
    std::string run;
    for (uint64_t number = 0; !input.empty(); ++number) {
      run += SealedBlock(input, number);
    }
    (void)ReadRun(run, max_read);
    return;
  }
  Pairs pairs;
  for (int count = input.Byte() % 32; count > 0; --count) {
    const std::string_view key = input.Take(input.Byte());
    pairs.emplace_back(key, input.Take(input.Byte()));
  }
  std::sort(pairs.begin(), pairs.end());
  const std::string good = WriteRun(pairs);
  const auto read = ReadRun(good, max_read);
  CHECK(read.ok()) << read.status();
  CHECK(*read == pairs);
  // Damaged, it is refused.
  std::string bad = good;
  if (mode % 4 == 2) {
    const size_t at = input.Short() % bad.size();
    bad[at] = static_cast<char>(bad[at] ^ (1 + input.Byte() % 255));
  } else {
    bad.resize(input.Short() % bad.size());
  }
  CHECK_EQ(ReadRun(bad, max_read).status().code(), absl::StatusCode::kDataLoss);
}

// The splits of a file are the file, each line or record once.
void FuzzBlocks(std::string_view bytes) {
  FuzzInput input(bytes);
  RecordFormat format;
  const uint8_t kind = input.Byte();
  if (kind % 4 == 0) {
    format.kind = RecordFormat::Kind::kFixed;
    format.record_size = 1 + kind / 4;
  }
  const uint64_t split_bytes = 1 + input.Short();
  BlockReaderOptions options;
  options.block_bytes = 1 + input.Byte();
  options.max_line_bytes = 1 << 16;
  const std::string text(input.Rest());
  MemoryFileSystem fs;
  CHECK(WriteFileAtomically(fs, "/f", text).ok());
  const auto file = DescribeInputFile(fs, "/f", "f");
  CHECK(file.ok()) << file.status();
  const auto splits = PlanSplits({*file}, format, split_bytes);
  if (!splits.ok()) return;  // too many, or no whole number of records
  const auto opened = fs.OpenToRead("/f").value();
  std::string together;
  for (const InputSplit& split : *splits) {
    BlockReader reader(*opened, split, format, options);
    FileBlock block;
    while (true) {
      const absl::StatusOr<bool> more = reader.Next(&block);
      if (!more.ok()) return;  // a line too long, damaged compression, a torn record
      if (!*more) break;
      CHECK(!block.bytes.empty());
      CHECK_EQ(block.file_offset, together.size());
      together += block.bytes;
      if (together.size() > (64 << 20)) return;  // a bomb of zeros
    }
  }
  if (file->compression() == COMPRESSION_NONE) CHECK(together == text);
}

// A checkpoint is read as far as it is whole; what is read of it makes the same again.
void FuzzCheckpoint(std::string_view bytes) {
  constexpr std::string_view kMagic = "SKEPCKP1";
  FuzzInput input(bytes);
  std::string file;
  if (input.Byte() % 2 == 0) {
    file = input.Rest();
  } else {
    // Records with right checksums, and whatever in them.
    file = kMagic;
    while (!input.empty()) {
      const auto stamp = static_cast<int64_t>(input.Byte());
      file += EncodeLogRecord(stamp, input.Block());
    }
  }
  const absl::StatusOr<CheckpointContent> content = ParseCheckpoint(file);
  if (!content.ok()) return;
  CHECK_LE(content->good_bytes, file.size());
  const auto again =
      ParseCheckpoint(std::string_view(file).substr(0, content->good_bytes));
  CHECK(again.ok()) << again.status();
  CHECK_EQ(again->good_bytes, content->good_bytes);
  CHECK_EQ(again->finished.size(), content->finished.size());
}

}  // namespace skep
