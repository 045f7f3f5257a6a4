#include "worker/shuffle/map_output.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "base/key_prefix.h"
#include "base/status.h"
#include "storage/byte_source.h"
#include "storage/merger.h"
#include "storage/run_format.h"
#include "storage/run_reader.h"
#include "storage/run_writer.h"
#include "worker/phase_clock.h"
#include "worker/shuffle/sorted_runs.h"

namespace skep {
namespace {

// A run reader holds two blocks, some 300 KiB: 64 of them are the 20 MiB of the header.
constexpr size_t kMaxSpills = 64;

// The table's share: sorting its entries takes about as much again.
uint64_t TableBytes(const MapOutputOptions& options) {
  return options.memory_bytes / 2;
}

absl::Status TooLarge(std::string_view key, std::string_view value) {
  return InvalidArgument("a record of ", key.size() + value.size(),
                         " bytes was emitted, key \"", key.substr(0, 40),
                         "\"...; at most ", kMaxRecordBytes, " are possible");
}

}  // namespace

MapOutputWriter::MapOutputWriter(FileSystem& fs, const StageSpec& stage,
                                 MapOutputOptions options)
    : fs_(fs),
      partitions_(stage.partitions()),
      partitioner_(stage),
      options_(std::move(options)),
      table_({.memory_bytes = TableBytes(options_)}),
      records_(options_.memory_bytes) {}

MapOutputWriter::~MapOutputWriter() { RemoveSpills(); }

absl::Status MapOutputWriter::Emit(std::string_view key, std::string_view value) {
  if (options_.combine == Combine::kSum) {
    uint64_t n;
    std::string_view rest = value;
    if (!GetVarint(&rest, &n) || !rest.empty()) {
      return InvalidArgument("key \"", key.substr(0, 40),
                             "\" was emitted with a value of ", value.size(),
                             " bytes that is no varint; a stage that ",
                             "combines by sum emits counts: use EmitCount");
    }
    return EmitCount(key, n);
  }
  if (key.size() + value.size() > kMaxRecordBytes) return TooLarge(key, value);
  const uint32_t partition = partitioner_.PartitionOf(key);
  if (records_.Add(partition, key, value)) return absl::OkStatus();
  SKEP_RETURN_IF_ERROR(SpillBuffer());
  return records_.Add(partition, key, value)
             ? absl::OkStatus()
             : Internal("an empty record buffer refused a record");
}

absl::Status MapOutputWriter::EmitCount(std::string_view key, uint64_t n) {
  if (options_.combine != Combine::kSum) {
    char value[kMaxVarint64Bytes];
    return Emit(key, {value, static_cast<size_t>(EncodeVarint(n, value) - value)});
  }
  if (key.size() + kMaxVarint64Bytes > kMaxRecordBytes) return TooLarge(key, "");
  if (table_.Add(key, n)) return absl::OkStatus();
  SKEP_RETURN_IF_ERROR(SpillBuffer());
  return table_.Add(key, n) ? absl::OkStatus()
                            : Internal("an empty combine table refused a key");
}

absl::Status MapOutputWriter::EmitEach(std::span<const std::string_view> keys) {
  const bool fast = options_.combine == Combine::kSum &&
                    std::all_of(keys.begin(), keys.end(), [](std::string_view key) {
                      return key.size() + kMaxVarint64Bytes <= kMaxRecordBytes;
                    });
  while (!keys.empty()) {
    if (fast) keys = keys.subspan(table_.AddEach(keys));
    if (keys.empty()) break;
    // The table is full: this one spills it.
    SKEP_RETURN_IF_ERROR(EmitCount(keys[0], 1));
    keys = keys.subspan(1);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PartitionEntry>> MapOutputWriter::Finish() {
  const InPhase spill_phase(options_.phases, PHASE_SPILL);
  SKEP_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                        fs_.OpenToWrite(options_.data_path));
  std::vector<PartitionEntry> entries;
  if (spills_.empty()) {
    SKEP_ASSIGN_OR_RETURN(entries, WriteBuffer(*file));
  } else {
    if (!BufferEmpty()) SKEP_RETURN_IF_ERROR(SpillBuffer());
    SKEP_ASSIGN_OR_RETURN(entries, MergeSpills(*file));
    RemoveSpills();
  }
  SKEP_RETURN_IF_ERROR(file->Close());
  SKEP_RETURN_IF_ERROR(
      WritePartitionIndex(fs_, options_.data_path + kIndexSuffix, entries));
  return entries;
}

absl::StatusOr<std::vector<PartitionEntry>> MapOutputWriter::WriteBuffer(
    WritableFile& file) {
  auto entries =
      options_.combine == Combine::kSum ? WriteTable(file) : WriteRecords(file);
  table_.Clear();
  records_.Clear();
  return entries;
}

absl::StatusOr<std::vector<PartitionEntry>> MapOutputWriter::WriteTable(
    WritableFile& file) {
  struct Entry {
    uint64_t prefix;
    std::string_view key;
    uint64_t count;
    uint32_t partition;
  };
  std::vector<Entry> entries;
  entries.reserve(table_.size());
  table_.ForEach([&](std::string_view key, uint64_t count) {
    entries.push_back({KeyPrefix(key), key, count, partitioner_.PartitionOf(key)});
  });
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    if (a.partition != b.partition) return a.partition < b.partition;
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return a.key < b.key;
  });
  SortedRunsWriter runs(file, partitions_);
  for (const Entry& entry : entries) {
    char value[kMaxVarint64Bytes];
    const size_t size = EncodeVarint(entry.count, value) - value;
    SKEP_RETURN_IF_ERROR(runs.Add(entry.partition, entry.key, {value, size}));
  }
  return runs.Finish();
}

absl::StatusOr<std::vector<PartitionEntry>> MapOutputWriter::WriteRecords(
    WritableFile& file) {
  records_.Sort();
  SortedRunsWriter runs(file, partitions_);
  for (const RecordBuffer::Record& record : records_.records()) {
    SKEP_RETURN_IF_ERROR(runs.Add(record.partition, record.key(), record.value()));
  }
  return runs.Finish();
}

absl::StatusOr<std::vector<PartitionEntry>> MapOutputWriter::MergeSpills(
    WritableFile& file) {
  std::vector<std::unique_ptr<ReadableFile>> files;
  for (const Spill& spill : spills_) {
    SKEP_ASSIGN_OR_RETURN(files.emplace_back(), fs_.OpenToRead(spill.path));
  }
  SortedRunsWriter runs(file, partitions_);
  for (uint32_t partition = 0; partition < partitions_; ++partition) {
    std::vector<std::unique_ptr<RecordStream>> inputs;
    for (size_t i = 0; i < spills_.size(); ++i) {
      const PartitionEntry& entry = spills_[i].entries[partition];
      if (entry.length == 0) continue;
      inputs.push_back(std::make_unique<RunReader>(
          std::make_unique<FileRangeSource>(*files[i], entry.offset, entry.length),
          spills_[i].path));
    }
    if (inputs.empty()) continue;
    Merger merger(std::move(inputs));
    SKEP_RETURN_IF_ERROR(AddAll(merger, options_.combine, partition, runs));
  }
  return runs.Finish();
}

template <typename Write>
absl::StatusOr<MapOutputWriter::Spill> MapOutputWriter::MakeSpill(Write write) {
  Spill spill;
  spill.path = StrCat(options_.spill_prefix, files_made_++);
  SKEP_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                        fs_.OpenToWrite(spill.path));
  SKEP_ASSIGN_OR_RETURN(spill.entries, write(*file));
  SKEP_RETURN_IF_ERROR(file->Close());
  return spill;
}

absl::Status MapOutputWriter::SpillBuffer() {
  const InPhase spill_phase(options_.phases, PHASE_SPILL);
  SKEP_ASSIGN_OR_RETURN(
      Spill spill, MakeSpill([this](WritableFile& file) { return WriteBuffer(file); }));
  spills_.push_back(std::move(spill));
  ++spills_made_;
  return spills_.size() < kMaxSpills ? absl::OkStatus() : CompactSpills();
}

absl::Status MapOutputWriter::CompactSpills() {
  SKEP_ASSIGN_OR_RETURN(Spill merged, MakeSpill([this](WritableFile& file) {
                          return MergeSpills(file);
                        }));
  RemoveSpills();
  spills_.push_back(std::move(merged));
  return absl::OkStatus();
}

void MapOutputWriter::RemoveSpills() {
  // What cannot be removed goes with the attempt's scratch folder.
  for (const Spill& spill : spills_) fs_.RemoveFile(spill.path).IgnoreError();
  spills_.clear();
}

bool MapOutputWriter::BufferEmpty() const {
  return table_.size() == 0 && records_.records().empty();
}

}  // namespace skep
