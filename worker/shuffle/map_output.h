// Collects what a map task emits into its output: one sorted run a partition, in one
// data file, with an index beside it (storage/partition_index.h).
//
// Memory is a budget: when the buffer is full it is sorted and spilled, and Finish
// merges the spills. The result depends only on the records, not on the budget.

#ifndef SKEP_WORKER_SHUFFLE_MAP_OUTPUT_H_
#define SKEP_WORKER_SHUFFLE_MAP_OUTPUT_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/word_table.h"
#include "jobs/api/mapper.h"
#include "jobs/api/partition.h"
#include "jobs/api/task.pb.h"
#include "storage/file_system.h"
#include "storage/partition_index.h"
#include "worker/shuffle/record_buffer.h"

namespace skep {

class PhaseClock;

struct MapOutputOptions {
  // Of the buffer and of what sorting it takes. Merging spills takes up to 20 MiB
  // beside it.
  uint64_t memory_bytes = 256 << 20;
  Combine combine = Combine::kNone;
  std::string data_path;         // the index is data_path + kIndexSuffix
  std::string spill_prefix;      // names of spill files begin with it; they are removed
  PhaseClock* phases = nullptr;  // told of spilling; may be null
};
inline constexpr char kIndexSuffix[] = ".index";

// Not thread-safe. Errors of the file system name the file; after one only destruction
// is allowed.
class MapOutputWriter {
 public:
  // `fs` is borrowed. The directories exist.
  MapOutputWriter(FileSystem& fs, const StageSpec& stage, MapOutputOptions options);
  ~MapOutputWriter();

  // InvalidArgument: a record over 64 MiB; a value that is no varint, with
  // Combine::kSum.
  absl::Status Emit(std::string_view key, std::string_view value);
  absl::Status EmitCount(std::string_view key, uint64_t n);
  // EmitCount(key, 1) for each.
  absl::Status EmitEach(std::span<const std::string_view> keys);

  // Writes data, then index, each whole. What is in each partition.
  absl::StatusOr<std::vector<PartitionEntry>> Finish();

  // How often the buffer was full.
  int spills() const { return spills_made_; }

 private:
  struct Spill {
    std::string path;
    std::vector<PartitionEntry> entries;
  };

  // The buffer's records, sorted, to one file.
  absl::StatusOr<std::vector<PartitionEntry>> WriteBuffer(WritableFile& file);
  absl::StatusOr<std::vector<PartitionEntry>> WriteTable(WritableFile& file);
  absl::StatusOr<std::vector<PartitionEntry>> WriteRecords(WritableFile& file);
  // All spills' records to one file.
  absl::StatusOr<std::vector<PartitionEntry>> MergeSpills(WritableFile& file);
  absl::Status SpillBuffer();
  // Makes one of all spills, so that a merge never has too many inputs.
  absl::Status CompactSpills();
  // Runs `write` on a new spill file.
  template <typename Write>
  absl::StatusOr<Spill> MakeSpill(Write write);
  void RemoveSpills();
  bool BufferEmpty() const;

  FileSystem& fs_;
  const uint32_t partitions_;
  const Partitioner partitioner_;
  const MapOutputOptions options_;
  // One of the two is used, by options_.combine.
  WordTable table_;
  RecordBuffer records_;
  std::vector<Spill> spills_;
  int spills_made_ = 0;
  int files_made_ = 0;
};

}  // namespace skep

#endif  // SKEP_WORKER_SHUFFLE_MAP_OUTPUT_H_
