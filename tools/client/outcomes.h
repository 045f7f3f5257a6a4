// What is known of a running job's answer, and how long it will take: from what its
// tasks have come to so far. Pure; the caller has the clock.

#ifndef SKEP_TOOLS_CLIENT_OUTCOMES_H_
#define SKEP_TOOLS_CLIENT_OUTCOMES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "jobs/api/job.h"
#include "master/job_status.pb.h"

namespace skep {

class Outcomes {
 public:
  // `job` is borrowed, and may be null: then nothing is known of answers.
  explicit Outcomes(const Job* job) : job_(job) {}

  // Tasks that an earlier submission came to: they tell what tasks cost, not how fast
  // this one goes.
  void AddEarlier(const FinishedTask& finished) { Add(finished, false); }
  // Tasks that ended at about `now`.
  void Add(const std::vector<FinishedTask>& finished, absl::Time now);

  // The job's words for it ("12 solutions so far"), of the last stage that it has some
  // for; "": none.
  std::string Partial() const;
  // Of the stage that runs: the CPU time of the tasks that are left, by the mean of
  // those that are done, over the CPU time that the fleet gave a second since the first
  // Add. Nothing before kLeastTasks have ended here.
  static constexpr uint64_t kLeastTasks = 3;
  std::optional<absl::Duration> TimeLeft(const JobStatus& status, absl::Time now) const;
  // Both, for a progress line: "12 solutions so far, 34 s left".
  std::string Remark(const JobStatus& status, absl::Time now) const;

 private:
  struct StageOutcomes {
    std::string name;
    std::map<uint32_t, std::string> results;  // by task
    double cpu_seconds = 0;                   // of all that are done
    uint64_t tasks_here = 0;                  // that ended since `since`
    double cpu_seconds_here = 0;
    absl::Time since = absl::InfiniteFuture();
  };
  void Add(const FinishedTask& finished, bool here);
  const StageOutcomes* Running(const JobStatus& status) const;

  const Job* job_;
  std::map<uint32_t, StageOutcomes> stages_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_CLIENT_OUTCOMES_H_
