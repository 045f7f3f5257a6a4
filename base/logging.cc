#include "base/logging.h"

#include <errno.h>
#include <glog/logging.h>
#include <unistd.h>

#include "base/status.h"

namespace skep {

absl::Status InitLogging(const char* program, const LogOptions& options) {
  if (options.level == "info") {
    FLAGS_minloglevel = google::GLOG_INFO;
  } else if (options.level == "warning") {
    FLAGS_minloglevel = google::GLOG_WARNING;
  } else if (options.level == "error") {
    FLAGS_minloglevel = google::GLOG_ERROR;
  } else {
    return InvalidArgument("unknown log level '", options.level,
                           "': use info, warning or error");
  }
  if (!options.directory.empty() && access(options.directory.c_str(), W_OK) != 0) {
    // glog would say so with every line, and go on.
    return ErrnoToStatus(errno, StrCat("--log-dir ", options.directory));
  }
  FLAGS_v = options.verbosity;
  FLAGS_logtostderr = options.directory.empty();
  if (!options.directory.empty()) {
    FLAGS_log_dir = options.directory;
    FLAGS_stderrthreshold = google::GLOG_FATAL;
  }
  google::InitGoogleLogging(program);
  return absl::OkStatus();
}

}  // namespace skep
