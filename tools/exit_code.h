// What the skep command's exit codes mean; scripts rely on them.

#ifndef SKEP_TOOLS_EXIT_CODE_H_
#define SKEP_TOOLS_EXIT_CODE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"

namespace skep {

enum ExitCode : int {
  kOk = 0,
  kJobFailed = 1,    // the job failed, or the answer is no (grep: no line matches)
  kUsage = 2,        // the command line is wrong
  kUnavailable = 3,  // a server cannot be reached, or an address not listened on
  kCancelled = 4,    // cancelled, by Ctrl-C or `skep cancel`
  kFiles = 5,  // before or after a job: an input cannot be read, or an output written
};

inline constexpr char kExitCodePayload[] = "skep/exit-code";

// `status`, to end the command with `code` whatever its own code says: that a file
// which the command line names is damaged is kFiles. Ok stays Ok.
inline absl::Status EndsWith(ExitCode code, absl::Status status) {
  status.SetPayload(kExitCodePayload,
                    absl::Cord(std::string(1, static_cast<char>(code))));
  return status;
}

// What EndsWith said, if anything.
inline std::optional<ExitCode> SaidExitCode(const absl::Status& status) {
  const auto said = status.GetPayload(kExitCodePayload);
  if (!said.has_value() || said->empty()) return std::nullopt;
  return static_cast<ExitCode>((*said)[0]);
}

// The code for an error that ended a command before or beside its job.
inline ExitCode ExitCodeOf(const absl::Status& status) {
  if (const auto said = SaidExitCode(status)) return *said;
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
