// From a command line to a JobSpec: the job's flags, its inputs cut into splits.

#ifndef SKEP_TOOLS_CLIENT_JOB_REQUEST_H_
#define SKEP_TOOLS_CLIENT_JOB_REQUEST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/api/task.pb.h"
#include "storage/file_system.h"

namespace skep {

// What a user asked for, besides where the output goes.
struct JobRequest {
  const Job* job = nullptr;
  Options options;                  // the job's flags
  std::vector<std::string> inputs;  // as given; "-" is standard input
  int64_t partitions = 0;           // 0: chosen by the job
  int64_t max_attempts = 0;         // 0: the engine's default
  uint64_t task_memory_bytes = 0;   // 0: the engine's default
  uint64_t split_bytes = 0;         // 0: the job's, or the engine's
};

// A file of ours that goes when this does.
class TemporaryFile {
 public:
  TemporaryFile(FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  ~TemporaryFile() { fs_.RemoveAll(path_).IgnoreError(); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  FileSystem& fs_;
  const std::string path_;
};

struct PreparedJob {
  JobSpec spec;  // without output, submitter and binary
  // What came by standard input, for as long as the job runs.
  std::unique_ptr<TemporaryFile> standard_input;
  std::vector<std::string> warnings;  // inputs that were left out
};

// Lists the inputs and plans the splits. Standard input is read from `standard_input`,
// a file descriptor, to its end into a file in `scratch`. Errors are for the user:
// InvalidArgument (no inputs, inputs to a job that takes none, "-" twice), NotFound,
// ...
absl::StatusOr<PreparedJob> PrepareJob(FileSystem& fs, const JobRequest& request,
                                       const std::string& working_directory,
                                       const std::string& scratch, int standard_input);

}  // namespace skep

#endif  // SKEP_TOOLS_CLIENT_JOB_REQUEST_H_
