#include "tools/client/job_watch.h"

#include <unistd.h>

#include <cstdio>

#include "base/status.h"
#include "tools/standard_error.h"

namespace skep {
namespace {

Progress::Style StyleOf(const JobWatch::Options& options) {
  if (options.quiet) return Progress::Style::kNone;
  return isatty(STDERR_FILENO) ? Progress::Style::kTerminal : Progress::Style::kLines;
}

// Redraws a line of the terminal, which takes control characters.
void WriteProgress(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

JobWatch::JobWatch(JobClient& jobs, const Job* job, Checkpoint* checkpoint,
                   Options options)
    : jobs_(jobs),
      options_(options),
      progress_(StyleOf(options), absl::Now(), WriteProgress, options.tell_waiting),
      checkpoint_(checkpoint),
      outcomes_(job) {
  if (checkpoint == nullptr) return;
  for (const auto& [key, task] : checkpoint->finished()) outcomes_.AddEarlier(task);
}

absl::StatusOr<JobStatus> JobWatch::UntilFinal(uint64_t id,
                                               const std::string& submission) {
  auto status = jobs_.Watch(
      id, submission, [this, id](const JobStatus& now) { OnChange(id, now); },
      [](const std::string& trouble) { WriteError(StrCat("skep: ", trouble, "\n")); });
  progress_.End();
  return status;
}

void JobWatch::OnChange(uint64_t id, const JobStatus& status) {
  if (!IsFinal(status.state()) && options_.outcomes) Collect(id).IgnoreError();
  std::string remark;
  if (status.state() == JOB_RUNNING) {
    MutexLock lock(mutex_);
    remark = outcomes_.Remark(status, absl::Now());
  }
  progress_.Update(status, absl::Now(), remark);
}

// A master that does not answer is asked again at the next change: nothing is lost.
absl::Status JobWatch::Collect(uint64_t id) {
  MutexLock lock(mutex_);
  while (true) {
    const absl::StatusOr<std::vector<FinishedTask>> finished =
        jobs_.Outcomes(id, collected_);
    if (!finished.ok() || finished->empty()) {
      // Syncs what is due.
      if (checkpoint_ != nullptr && !broken_) checkpoint_->Add({}).IgnoreError();
      return finished.status();
    }
    collected_ += finished->size();
    outcomes_.Add(*finished, absl::Now());
    if (checkpoint_ == nullptr || broken_) continue;
    if (const absl::Status status = checkpoint_->Add(*finished); !status.ok()) {
      broken_ = true;
      WriteError(StrCat(
          "skep: warning: what is done is no longer kept: ", Message(status), "\n"));
    }
  }
}

std::string JobWatch::Partial() {
  MutexLock lock(mutex_);
  return outcomes_.Partial();
}

}  // namespace skep
