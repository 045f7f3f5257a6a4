// A file in which a submitter keeps what a job's tasks have come to, so that the same
// command, given again after a crash, does only what is left.
//
// The file begins with the bytes "SKEPCKP1"; then there are records
// (storage/log_record.h), a CheckpointRecord each: a header, finished tasks, and the
// answer in the end. It is only appended to. Records are with the operating system at
// once; they are synced to the disk every kSyncInterval at most, and when the
// checkpoint goes. A record that is cut short or damaged ends what is read: that and
// what follows is left out, and run again.
//
// Only of stages without reducers that write no output: there, a result is all.

#ifndef SKEP_TOOLS_CLIENT_CHECKPOINT_H_
#define SKEP_TOOLS_CLIENT_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "jobs/api/job.h"
#include "storage/file_lock.h"
#include "storage/file_system.h"
#include "tools/client/checkpoint.pb.h"

namespace skep {

// By stage and task.
using FinishedTasks = std::map<std::pair<uint32_t, uint32_t>, FinishedTask>;

struct CheckpointContent {
  CheckpointHeader header;
  FinishedTasks finished;
  std::string submission;  // the last; "": none
  std::optional<Answer> answer;
  size_t good_bytes = 0;  // how many of the file's make this; the others are damaged
};

// DataLoss: these bytes are no checkpoint.
absl::StatusOr<CheckpointContent> ParseCheckpoint(std::string_view bytes);

// Not thread-safe.
class Checkpoint {
 public:
  static constexpr absl::Duration kSyncInterval = absl::Seconds(1);

  // Makes the file, or goes on with it. `spec` is the job, complete but for its
  // submission. InvalidArgument: it is of another job or build, or no file; DataLoss:
  // it is no checkpoint, or its header is damaged; AlreadyExists: another process is
  // using it. All but the first end the command with kFiles.
  static absl::StatusOr<std::unique_ptr<Checkpoint>> Open(
      FileSystem& fs, std::string path, const JobSpec& spec,
      const Clock& clock = Clock::Real());
  ~Checkpoint();

  const std::string& path() const { return path_; }
  const FinishedTasks& finished() const { return content_.finished; }
  const std::string& submission() const { return content_.submission; }
  const std::optional<Answer>& answer() const { return content_.answer; }
  // Bytes at the file's end that were damaged, and left out, when it was opened.
  size_t dropped() const { return dropped_; }

  // Tasks that are known already are passed over.
  absl::Status Add(const std::vector<FinishedTask>& finished);
  absl::Status NoteSubmission(const std::string& submission);
  absl::Status NoteAnswer(const Answer& answer);
  // On the disk now.
  absl::Status Sync();

 private:
  Checkpoint(FileSystem& fs, const Clock& clock, std::string path,
             CheckpointContent content, FileLock lock)
      : fs_(fs),
        clock_(clock),
        path_(std::move(path)),
        content_(std::move(content)),
        lock_(std::move(lock)) {}
  absl::Status Append(std::string_view records, bool sync);

  FileSystem& fs_;
  const Clock& clock_;
  const std::string path_;
  CheckpointContent content_;
  const FileLock lock_;
  size_t dropped_ = 0;
  bool unsynced_ = false;
  absl::Time synced_ = clock_.Now();
};

}  // namespace skep

#endif  // SKEP_TOOLS_CLIENT_CHECKPOINT_H_
