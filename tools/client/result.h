// A job's outcome, for a person and for a program.

#ifndef SKEP_TOOLS_CLIENT_RESULT_H_
#define SKEP_TOOLS_CLIENT_RESULT_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "master/job_status.pb.h"

namespace skep {

// One JSON object, without a line end:
//   {"job":"wordcount","id":7,"state":"succeeded","answer":...,"counters":{...},
//    "output":"/home/me/out","seconds":1.24,"error":null,
//    "ran_again":{"failed":0,"lost":0,"map_outputs":0},"warnings":[...],
//    "submitted_ms":...,"finished_ms":...,"cpu_seconds":2.1,
//    "phases":{"read":{"cpu_seconds":0.2,"wall_seconds":0.3},...}}
// `answer` is the job's own JSON, or its text, or null; `output` is null for an empty
// path. To who has only asked the master (no path), what it did not say is left out:
// `output`, which the submitter knows, and in a list the answers. Times are since the
// epoch, by the master's clock; CPU seconds and phases are those of the attempts that
// counted (TaskPhase of task.proto).
std::string JobJson(const JobStatus& status,
                    std::optional<std::string_view> output_path, absl::Duration took);

// Where a job that has succeeded has put its output, for a person: "/home/me/out, 3
// files of 120 bytes"; "" if it has none.
std::string OutputText(const JobStatus& status);

// As `skep status` prints it: lines of "name: value".
std::string JobText(const JobStatus& status);

// As `skep jobs` prints it: a heading and one line a job.
std::string JobTableText(const std::vector<JobStatus>& jobs);

// From when it was submitted until it ended, or until now.
absl::Duration TimeTaken(const JobStatus& status, absl::Time now);

// What went wrong, of a job that failed or was cancelled.
absl::Status JobError(const JobStatus& status);

// Standard output, unbuffered. When its reader has gone away (`skep run ... | head`),
// bytes are dropped and that is no error.
class StandardOutput {
 public:
  absl::Status Write(std::string_view bytes);
  // Whether the reader has gone away.
  bool closed() const { return closed_; }

 private:
  bool closed_ = false;
};

}  // namespace skep

#endif  // SKEP_TOOLS_CLIENT_RESULT_H_
