// What the skep command's exit codes mean; scripts rely on them.

#ifndef SKEP_TOOLS_EXIT_CODE_H_
#define SKEP_TOOLS_EXIT_CODE_H_

#include "absl/status/status.h"

namespace skep {

enum ExitCode : int {
  kOk = 0,
  kJobFailed = 1,    // the job failed, or the answer is no
  kUsage = 2,        // the command line is wrong
  kUnavailable = 3,  // a server cannot be reached, or an address not listened on
  kCancelled = 4,    // cancelled, by Ctrl-C or `skep cancel`
  kFiles = 5,  // before or after a job: an input cannot be read, or an output written
};

// The code for an error that ended a command before or beside its job.
inline ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return kUsage;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kUnavailable;
    case absl::StatusCode::kCancelled:
      return kCancelled;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kResourceExhausted:
      return kFiles;
    default:
      return kJobFailed;
  }
}

}  // namespace skep

#endif  // SKEP_TOOLS_EXIT_CODE_H_
