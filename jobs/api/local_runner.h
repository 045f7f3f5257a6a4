// Runs a job sequentially, in memory: the reference that the simulator and the tests
// compare the fleet with. Simple and obviously right comes before fast.

#ifndef SKEP_JOBS_API_LOCAL_RUNNER_H_
#define SKEP_JOBS_API_LOCAL_RUNNER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/api/task.pb.h"

namespace skep {

struct LocalFile {
  std::string name;   // as the user would write it; also its path
  std::string bytes;  // decompressed
};

struct LocalRun {
  // Flag -> value as text, as in JobSpec.options.
  std::map<std::string, std::string> options;
  std::vector<LocalFile> files;
  // Splits of `files` (by their file's path), as the fleet was given them. Empty: cut
  // here, every split_bytes.
  std::vector<InputSplit> splits;
  // 0: what the job asks for, or kDefaultSplitBytes.
  uint64_t split_bytes = 0;
  // Mappers are given blocks of about this many bytes. Small ones make tests strict.
  uint64_t block_bytes = 64 << 10;
  // What planners see as default_partitions.
  uint32_t partitions = 1;

  static constexpr uint64_t kDefaultSplitBytes = 16 << 20;
};

struct LocalResult {
  Answer answer;
  // The part files, in order; empty if no stage writes output.
  std::vector<std::string> parts;
  std::map<std::string, uint64_t> counters;  // summed over all stages
  std::vector<std::string> warnings;         // the first 20 of each task
  // The stages that ran, in order.
  std::vector<std::string> stages;

  // All parts in order.
  std::string output() const;
};

// The same answer, counters and part files as a fleet given the same splits and number
// of partitions. Errors are the job's own; Internal: the job breaks the rules of
// jobs/api.
absl::StatusOr<LocalResult> RunLocally(const Job& job, const LocalRun& run);

// The splits of `files`: for lines every split_bytes, for fixed records at the multiple
// of the record's size that follows. An empty file has one empty split.
// InvalidArgument: a file that is no whole number of records.
absl::StatusOr<std::vector<InputSplit>> CutLocalFiles(
    const std::vector<LocalFile>& files, const InputFormat& format,
    uint64_t split_bytes);

}  // namespace skep

#endif  // SKEP_JOBS_API_LOCAL_RUNNER_H_
