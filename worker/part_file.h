// The part of the job's output that one attempt writes, and its commit.

#ifndef SKEP_WORKER_PART_FILE_H_
#define SKEP_WORKER_PART_FILE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/digest.h"
#include "jobs/api/task.pb.h"
#include "worker/task_environment.h"

namespace skep {

class PhaseClock;

// Belongs to one attempt. Dropped without Commit it leaves litter below _temporary, or
// none if it could remove it.
class PartFile {
 public:
  // Borrows all.
  static absl::StatusOr<std::unique_ptr<PartFile>> Create(const TaskSpec& spec,
                                                          const TaskEnvironment& env,
                                                          std::stop_token stop,
                                                          PhaseClock& phases);
  ~PartFile();

  // One record of output. Errors (a full disk, a submitter that is gone) are final and
  // name the file.
  absl::Status Write(std::string_view bytes);

  // Closes the file and asks the master to make it the task's. Aborted: another
  // attempt's output is; this one's is removed.
  absl::StatusOr<OutputFile> Commit();

 private:
  PartFile(const AttemptId& id, Committer& committer, std::stop_token stop,
           PhaseClock& phases)
      : id_(id), committer_(committer), stop_(std::move(stop)), phases_(phases) {}
  absl::Status Flush();

  const AttemptId id_;
  Committer& committer_;
  const std::stop_token stop_;
  PhaseClock& phases_;
  std::unique_ptr<OutputStore> store_;
  std::unique_ptr<WritableFile> file_;
  std::string buffer_;
  StreamingDigest64 digest_;
  OutputFile summary_;
  bool committed_ = false;
};

}  // namespace skep

#endif  // SKEP_WORKER_PART_FILE_H_
