#include "worker/shuffle/sorted_runs.h"

#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "storage/merger.h"

namespace skep {

absl::Status SortedRunsWriter::Add(uint32_t partition, std::string_view key,
                                   std::string_view value) {
  if (run_ && partition != partition_) SKEP_RETURN_IF_ERROR(CloseRun());
  if (!run_) {
    partition_ = partition;
    run_.emplace(file_);
  }
  return run_->Add(key, value);
}

absl::Status SortedRunsWriter::CloseRun() {
  SKEP_RETURN_IF_ERROR(run_->Finish());
  const RunStats& stats = run_->stats();
  entries_[partition_] = {.offset = offset_,
                          .length = stats.stored_bytes,
                          .records = stats.records,
                          .bytes = stats.bytes,
                          .digest = stats.digest};
  offset_ += stats.stored_bytes;
  run_.reset();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PartitionEntry>> SortedRunsWriter::Finish() {
  if (run_) SKEP_RETURN_IF_ERROR(CloseRun());
  return std::move(entries_);
}

namespace {

absl::Status AddSums(RecordStream& from, uint32_t partition, SortedRunsWriter& to) {
  Groups groups(from);
  while (groups.NextGroup()) {
    uint64_t sum = 0;
    for (std::string_view value; groups.NextValue(&value);) {
      uint64_t n;
      // Spilled by us and checksummed, so this cannot be the disk's fault.
      if (!GetVarint(&value, &n)) return Internal("a spilled count is no varint");
      sum += n;
    }
    char value[kMaxVarint64Bytes];
    const size_t size = EncodeVarint(sum, value) - value;
    SKEP_RETURN_IF_ERROR(to.Add(partition, groups.key(), {value, size}));
  }
  return groups.status();
}

}  // namespace

absl::Status AddAll(RecordStream& from, Combine combine, uint32_t partition,
                    SortedRunsWriter& to) {
  if (combine == Combine::kSum) return AddSums(from, partition, to);
  Record record;
  while (from.Next(&record)) {
    SKEP_RETURN_IF_ERROR(to.Add(partition, record.key, record.value));
  }
  return from.status();
}

}  // namespace skep
