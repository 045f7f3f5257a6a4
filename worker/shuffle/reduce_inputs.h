// The runs that a reducer has fetched: in memory as far as the budget goes, else in
// scratch files; at the end, one sorted stream.

#ifndef SKEP_WORKER_SHUFFLE_REDUCE_INPUTS_H_
#define SKEP_WORKER_SHUFFLE_REDUCE_INPUTS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/file_system.h"
#include "storage/record_stream.h"
#include "worker/shuffle/fetcher.h"

namespace skep {

struct ReduceInputsOptions {
  // Of fetched runs in memory, and of the buffers of a merge.
  uint64_t memory_bytes = 256 << 20;
  std::string directory;  // exists; for scratch files, removed with it
};

// Not thread-safe.
class ReduceInputs final : public FetchSink {
 public:
  // `fs` is borrowed.
  ReduceInputs(FileSystem& fs, ReduceInputsOptions options);
  ~ReduceInputs() override;

  absl::Status OnPiece(size_t index, uint64_t offset, uint64_t total,
                       std::string bytes) override;
  absl::Status OnComplete(size_t index) override;

  // All records, in order. Call once, when everything is complete; this object outlives
  // the stream.
  absl::StatusOr<std::unique_ptr<RecordStream>> Merge();

  // The fetched output in which damage was found, after a status DataLoss of this class
  // or of the merged stream; -1: none, the fault is elsewhere.
  int damaged() const { return damaged_; }
  // Files written.
  int spills() const { return files_made_; }

 private:
  // A run: bytes in memory, or a file.
  struct Run {
    int index = -1;  // of the output; -1: merged of several
    std::string bytes;
    std::string path;
    std::unique_ptr<WritableFile> writing;
    std::unique_ptr<ReadableFile> reading;
    uint64_t size = 0;
  };
  class Checked;

  absl::StatusOr<std::unique_ptr<RecordStream>> Open(Run& run);
  // Merges complete runs, beginning with those in memory, into one file.
  absl::Status MergeToFile(std::vector<Run> runs);
  absl::Status SpillMemory();
  std::string NextPath();

  FileSystem& fs_;
  const ReduceInputsOptions options_;
  const size_t max_fan_in_;
  uint64_t memory_used_ = 0;
  std::map<size_t, Run> arriving_;
  std::vector<Run> in_memory_;
  std::vector<Run> in_files_;
  int files_made_ = 0;
  int damaged_ = -1;
};

}  // namespace skep

#endif  // SKEP_WORKER_SHUFFLE_REDUCE_INPUTS_H_
