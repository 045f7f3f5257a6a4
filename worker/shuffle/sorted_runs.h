// Writes the runs of several partitions, one after the other, into one file.

#ifndef SKEP_WORKER_SHUFFLE_SORTED_RUNS_H_
#define SKEP_WORKER_SHUFFLE_SORTED_RUNS_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobs/api/mapper.h"
#include "storage/file_system.h"
#include "storage/partition_index.h"
#include "storage/record_stream.h"
#include "storage/run_writer.h"

namespace skep {

// Not thread-safe.
class SortedRunsWriter {
 public:
  // Borrows `file`, which is empty; it is neither synced nor closed.
  SortedRunsWriter(WritableFile& file, uint32_t partitions)
      : file_(file), entries_(partitions) {}

  // Records come in ascending order of partition, key and value.
  absl::Status Add(uint32_t partition, std::string_view key, std::string_view value);

  // What was written, by partition.
  absl::StatusOr<std::vector<PartitionEntry>> Finish();

 private:
  absl::Status CloseRun();

  WritableFile& file_;
  std::vector<PartitionEntry> entries_;
  uint64_t offset_ = 0;
  uint32_t partition_ = 0;
  std::optional<RunWriter> run_;  // of partition_
};

// Adds all records of a sorted stream to one partition; with Combine::kSum one record a
// key, with the sum of its counts.
absl::Status AddAll(RecordStream& from, Combine combine, uint32_t partition,
                    SortedRunsWriter& to);

}  // namespace skep

#endif  // SKEP_WORKER_SHUFFLE_SORTED_RUNS_H_
