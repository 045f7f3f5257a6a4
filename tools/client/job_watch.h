// Watches a job to its end: tells how it goes, and keeps what its tasks come to.

#ifndef SKEP_TOOLS_CLIENT_JOB_WATCH_H_
#define SKEP_TOOLS_CLIENT_JOB_WATCH_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "tools/client/checkpoint.h"
#include "tools/client/job_client.h"
#include "tools/client/outcomes.h"
#include "tools/client/progress.h"

namespace skep {

// Thread-safe.
class JobWatch {
 public:
  struct Options {
    bool quiet = false;         // tells nothing
    bool tell_waiting = false;  // at once what the job waits for
    // Whether the job's tasks are asked for (JobSpec.keep_outcomes).
    bool outcomes = false;
  };

  // Borrows everything; `job` and `checkpoint` may be null.
  JobWatch(JobClient& jobs, const Job* job, Checkpoint* checkpoint, Options options);

  // The job's final status; see JobClient::Watch.
  absl::StatusOr<JobStatus> UntilFinal(uint64_t id, const std::string& submission)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Fetches what tasks have come to since the last time. Called by UntilFinal at every
  // change; before a job is cancelled, by whoever does that. An error is the master's:
  // it does not say them all now.
  absl::Status Collect(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  // What is known of the answer; "" if nothing is.
  std::string Partial() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void OnChange(uint64_t id, const JobStatus& status) ABSL_LOCKS_EXCLUDED(mutex_);

  JobClient& jobs_;
  const Options options_;
  Progress progress_;
  Mutex mutex_;
  Checkpoint* const checkpoint_ ABSL_PT_GUARDED_BY(mutex_);
  Outcomes outcomes_ ABSL_GUARDED_BY(mutex_);
  uint64_t collected_ ABSL_GUARDED_BY(mutex_) = 0;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;  // the checkpoint could not be written
};

}  // namespace skep

#endif  // SKEP_TOOLS_CLIENT_JOB_WATCH_H_
