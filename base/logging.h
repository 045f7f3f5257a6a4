// Log set-up for programs. Libraries log with glog's LOG and VLOG, one line an event:
//   LOG(WARNING) << "task_lost job=7 task=m-12 attempt=2 worker=w3 reason=disconnect";

#ifndef SKEP_BASE_LOGGING_H_
#define SKEP_BASE_LOGGING_H_

#include <string>

#include "absl/status/status.h"

namespace skep {

struct LogOptions {
  // Least severity that is logged: "info", "warning" or "error".
  std::string level = "warning";
  // VLOG verbosity; 0 is none.
  int verbosity = 0;
  // A directory for log files; empty: stderr.
  std::string directory;
};

// Call once, at the start of main. InvalidArgument names an unknown level.
absl::Status InitLogging(const char* program, const LogOptions& options);

}  // namespace skep

#endif  // SKEP_BASE_LOGGING_H_
