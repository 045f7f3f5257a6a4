// Attempt ids as map keys and as words.

#ifndef SKEP_WORKER_ATTEMPT_H_
#define SKEP_WORKER_ATTEMPT_H_

#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "jobs/api/task.pb.h"

namespace skep {

// An AttemptId that can be compared. A value type.
struct AttemptRef {
  uint64_t job = 0;
  uint32_t stage = 0;
  int kind = 0;
  uint32_t task = 0;
  uint32_t attempt = 0;
  uint64_t epoch = 0;

  friend auto operator<=>(const AttemptRef&, const AttemptRef&) = default;
};
AttemptRef RefOf(const AttemptId& id);
// The map attempt that made an output of a job's stage.
AttemptId IdOf(uint64_t job, uint32_t stage, const MapOutput& output);

// "m-12 attempt 1" ("r-" reduce, "plan", "publish"): for messages and logs.
std::string AttemptName(const AttemptId& id);
// Where a worker keeps what a job leaves behind: SCRATCH/job-7.
std::string JobFolder(const std::string& scratch, uint64_t job);
// Data file and, with ".index" behind it, index of a map attempt's output:
// SCRATCH/job-7/s0-m-12.1.e3.shuffle.
std::string MapOutputPath(const std::string& scratch, const AttemptId& id);
// A folder for what an attempt needs while it runs: SCRATCH/job-7/s0-m-12.1.e3.tmp.
std::string AttemptScratch(const std::string& scratch, const AttemptId& id);

// An attempt's end as a status, and back.
absl::Status StatusOf(const TaskResult& result);
void SetStatus(const absl::Status& status, TaskResult* result);

}  // namespace skep

#endif  // SKEP_WORKER_ATTEMPT_H_
