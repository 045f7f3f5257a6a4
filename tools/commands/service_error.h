// How the commands about services end: no files are involved, so what is "not found" is
// a service or a backend, and an address that cannot be had is a server that cannot be.

#ifndef SKEP_TOOLS_COMMANDS_SERVICE_ERROR_H_
#define SKEP_TOOLS_COMMANDS_SERVICE_ERROR_H_

#include "absl/status/status.h"
#include "tools/client/session.h"
#include "tools/exit_code.h"

namespace skep {

// Prints the error and returns the exit code.
inline int ReportServiceError(const absl::Status& status) {
  const int code = ReportError(status);
  if (SaidExitCode(status).has_value()) return code;
  if (absl::IsNotFound(status)) return kJobFailed;
  if (absl::IsFailedPrecondition(status)) return kUnavailable;
  return code;
}

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_SERVICE_ERROR_H_
