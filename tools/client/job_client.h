// The master's job service as the client library sees it; the gRPC behind it stays in
// grpc_job_client.cc, whose headers are slow to compile. The fake is in the tests.

#ifndef SKEP_TOOLS_CLIENT_JOB_CLIENT_H_
#define SKEP_TOOLS_CLIENT_JOB_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "jobs/api/task.pb.h"
#include "master/job_status.pb.h"

namespace skep {

class LiveCredentials;

// Thread-safe. Every call but Watch ends within kCallTimeout; Unavailable says which
// master could not be reached and what to do.
class JobClient {
 public:
  static constexpr absl::Duration kCallTimeout = absl::Seconds(10);

  virtual ~JobClient() = default;

  // The new job's id.
  virtual absl::StatusOr<uint64_t> Submit(const JobSpec& spec) = 0;
  virtual absl::StatusOr<JobStatus> Status(uint64_t job) = 0;
  virtual absl::StatusOr<std::vector<JobStatus>> List() = 0;
  // What tasks have come to, from the `from`th on: some of them; none are left if none
  // are returned. See JobService.Outcomes.
  virtual absl::StatusOr<std::vector<FinishedTask>> Outcomes(uint64_t job,
                                                             uint64_t from) = 0;
  virtual absl::StatusOr<std::vector<WorkerStatus>> Workers() = 0;
  virtual absl::Status Cancel(uint64_t job, const std::string& reason) = 0;

  // Calls `on_change` with the job's status now and at every change until it is final,
  // and returns that one. A master that goes away is waited for: at most
  // kMasterPatience in a row, then Unavailable; the job itself may go on. `on_trouble`
  // hears of it when that begins. Aborted: a master was started anew and does not have
  // this submission.
  static constexpr absl::Duration kMasterPatience = absl::Seconds(30);
  virtual absl::StatusOr<JobStatus> Watch(
      uint64_t job, const std::string& submission,
      const std::function<void(const JobStatus&)>& on_change,
      const std::function<void(const std::string&)>& on_trouble) = 0;
};

// A client of the master at `address`. Connects at the first call. `credentials` are
// for TLS; null: plain text. Our own certificate and the authorities are those that
// hold now, the list of the revoked the one that holds at each connection. `explain`
// finds out in words why the master cannot be reached, which gRPC says in OpenSSL's;
// Ok: it does not know. `await` comes before the first call, and gives a master that
// was started a moment ago the time to begin; its error is the call's.
std::unique_ptr<JobClient> MakeGrpcJobClient(
    const std::string& address,
    std::shared_ptr<const LiveCredentials> credentials = nullptr,
    std::function<absl::Status()> explain = nullptr,
    std::function<absl::Status()> await = nullptr);

}  // namespace skep

#endif  // SKEP_TOOLS_CLIENT_JOB_CLIENT_H_
