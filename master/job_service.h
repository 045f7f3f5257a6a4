// skep.JobService over gRPC, with health checking and reflection.
//
// It listens on nothing: whoever owns the port hands it connections that speak HTTP/2.
// gRPC's headers stay in job_service.cc.

#ifndef SKEP_MASTER_JOB_SERVICE_H_
#define SKEP_MASTER_JOB_SERVICE_H_

#include <memory>

#include "absl/time/time.h"
#include "master/master.h"

namespace skep {

class JobServer {
 public:
  // Largest message in and out: a job's splits, a job's answer.
  static constexpr int kMaxMessageBytes = 64 << 20;
  // Watch calls at a time; each keeps a thread.
  static constexpr int kMaxWatchers = 256;

  // Serves `master`, which is borrowed. Unavailable if gRPC does not start.
  static absl::StatusOr<std::unique_ptr<JobServer>> Start(Master& master);
  // Shuts down without grace.
  virtual ~JobServer() = default;

  // Takes a connected, nonblocking socket from which nothing has been read.
  // Thread-safe.
  virtual void Adopt(int fd) = 0;
  // Ends the calls in progress, after at most `grace`. Blocks.
  virtual void Shutdown(absl::Duration grace) = 0;
};

}  // namespace skep

#endif  // SKEP_MASTER_JOB_SERVICE_H_
