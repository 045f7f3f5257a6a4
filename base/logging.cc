#include "base/logging.h"

#include <glog/logging.h>

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
  FLAGS_v = options.verbosity;
  if (options.directory.empty()) {
    FLAGS_logtostderr = true;
  } else {
    FLAGS_log_dir = options.directory;
    FLAGS_stderrthreshold = google::GLOG_FATAL;
  }
  google::InitGoogleLogging(program);
  return absl::OkStatus();
}

}  // namespace skep
