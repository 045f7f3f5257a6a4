#include "worker/part_file.h"

#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "glog/logging.h"
#include "worker/attempt.h"
#include "worker/phase_clock.h"

namespace skep {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
// Longer than a master takes to restart and to hear from its workers again.
constexpr absl::Duration kCommitTimeout = absl::Seconds(90);

// Waits for the committer's word.
absl::StatusOr<bool> AskToCommit(Committer& committer, const AttemptId& id,
                                 std::stop_token stop) {
  struct Answer {
    Mutex mutex;
    CondVar wake;
    bool done ABSL_GUARDED_BY(mutex) = false;
    absl::StatusOr<bool> granted ABSL_GUARDED_BY(mutex) = false;
  };
  // Shared with the callback, which may come after this attempt was stopped.
  auto answer = std::make_shared<Answer>();
  committer.RequestCommit(id, [answer](absl::StatusOr<bool> granted) {
    MutexLock lock(answer->mutex);
    answer->done = true;
    answer->granted = std::move(granted);
    answer->wake.SignalAll();
  });
  std::stop_callback on_stop(stop, [answer] {
    MutexLock lock(answer->mutex);
    answer->wake.SignalAll();
  });
  const absl::Time give_up = absl::Now() + kCommitTimeout;
  MutexLock lock(answer->mutex);
  while (!answer->done) {
    if (stop.stop_requested()) return Cancelled(AttemptName(id), ": cancelled");
    const absl::Duration left = give_up - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return Unavailable(AttemptName(id), ": no answer from the master to a commit in ",
                         absl::FormatDuration(kCommitTimeout));
    }
    answer->wake.WaitFor(answer->mutex, left);
  }
  return answer->granted;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PartFile>> PartFile::Create(const TaskSpec& spec,
                                                           const TaskEnvironment& env,
                                                           std::stop_token stop,
                                                           PhaseClock& phases) {
  const InPhase write_phase(&phases, PHASE_WRITE);
  // make_unique cannot see the constructor.
  std::unique_ptr<PartFile> part(new PartFile(spec.id(), env.committer, stop, phases));
  SKEP_ASSIGN_OR_RETURN(part->store_, OpenOutput(env.local, env.submitter, spec.job(),
                                                 env.host, std::move(stop)));
  part->summary_.set_name(PartName(spec.id().task()));
  part->summary_.set_attempt(spec.id().attempt());
  part->summary_.set_epoch(spec.id().epoch());
  SKEP_ASSIGN_OR_RETURN(part->file_,
                        part->store_->Create(AttemptPartName(part->summary_)));
  return part;
}

PartFile::~PartFile() {
  if (committed_ || store_ == nullptr) return;
  file_.reset();
  // Best effort: publishing removes the folder anyway.
  const absl::Status removed = store_->Remove(AttemptPartName(summary_));
  if (!removed.ok()) VLOG(1) << "litter left: " << removed;
}

absl::Status PartFile::Write(std::string_view bytes) {
  buffer_.append(bytes);
  summary_.set_records(summary_.records() + 1);
  return buffer_.size() < kBufferBytes ? absl::OkStatus() : Flush();
}

absl::Status PartFile::Flush() {
  const InPhase write_phase(&phases_, PHASE_WRITE);
  digest_.Add(buffer_);
  summary_.set_bytes(summary_.bytes() + buffer_.size());
  SKEP_RETURN_IF_ERROR(file_->Append(buffer_));
  buffer_.clear();
  return absl::OkStatus();
}

absl::StatusOr<OutputFile> PartFile::Commit() {
  const InPhase commit_phase(&phases_, PHASE_COMMIT);
  SKEP_RETURN_IF_ERROR(Flush());
  SKEP_RETURN_IF_ERROR(file_->Close());
  summary_.set_digest(digest_.value());
  SKEP_ASSIGN_OR_RETURN(const bool granted, AskToCommit(committer_, id_, stop_));
  if (!granted) {
    return Aborted(AttemptName(id_), ": another attempt's output is the task's");
  }
  committed_ = true;
  return summary_;
}

}  // namespace skep
