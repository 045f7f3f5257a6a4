// The job's output directory, wherever it is: on this machine or at the submitter.
//
// An attempt writes _temporary/attempts/PART.ATTEMPT and asks the master. What it has
// committed stays there: the master's word makes it the task's, and publishing renames
// it to PART. Names are never shared, so an attempt that stood still after it was
// granted its commit, and was lost for that, leaves litter below _temporary, never
// output.

#ifndef SKEP_WORKER_OUTPUT_STORE_H_
#define SKEP_WORKER_OUTPUT_STORE_H_

#include <memory>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobs/api/task.pb.h"
#include "storage/file_system.h"

namespace skep {

class SubmitterFiles;

// Names are relative to the output directory. All calls block; a store belongs to one
// task. Errors name the path.
class OutputStore {
 public:
  virtual ~OutputStore() = default;

  // Creates or truncates, with parent directories.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> Create(
      const std::string& name) = 0;
  // Makes parent directories; Ok when `from` is gone and `to` is there.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // A file or directory; Ok if there is none.
  virtual absl::Status Remove(const std::string& name) = 0;
};

// A directory of this machine's file system (borrowed).
std::unique_ptr<OutputStore> DirectOutput(FileSystem& fs, std::string directory);

// The store of `job`: direct if the directory here carries the job's token, else
// through the submitter. NotFound, naming `host` and directory, when neither will do.
absl::StatusOr<std::unique_ptr<OutputStore>> OpenOutput(FileSystem& fs,
                                                        SubmitterFiles& submitter,
                                                        const JobContext& job,
                                                        const std::string& host,
                                                        std::stop_token stop);

// "part-00003".
std::string PartName(uint32_t task);
// "_temporary/attempts/part-00003.1.e1": where a part is until it is published.
std::string AttemptPartName(const OutputFile& part);
inline constexpr char kTemporaryFolder[] = "_temporary";
inline constexpr char kSuccessName[] = "_SUCCESS";

}  // namespace skep

#endif  // SKEP_WORKER_OUTPUT_STORE_H_
