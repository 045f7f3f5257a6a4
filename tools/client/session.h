// One job from submission to result: what `skep run` and `skep submit` do.

#ifndef SKEP_TOOLS_CLIENT_SESSION_H_
#define SKEP_TOOLS_CLIENT_SESSION_H_

#include <cstdint>
#include <string>

#include "rpc/address.h"
#include "rpc/transport.h"
#include "storage/file_system.h"
#include "tools/client/job_client.h"
#include "tools/client/job_request.h"

namespace skep {

struct SessionOptions {
  std::string output;  // --output; empty: the terminal
  bool force = false;  // replace an output file that is there
  bool json = false;
  bool quiet = false;   // no progress and no summary
  bool detach = false;  // only submit; prints the job's id
  // --checkpoint; empty: none. See checkpoint.h.
  std::string checkpoint;
  // Whether a job that an earlier session submitted may still be there: not where the
  // fleet is inside this process.
  bool find_earlier = true;
  // Whether to say at once that no worker is there: a fleet inside this process
  // registers in a moment.
  bool tell_waiting = true;
  // Where workers reach the submitter's files.
  Address listen = Address::Tcp("127.0.0.1", 0);
  std::string binary_digest;
};

// Submits the job, waits, prints its result on stdout and everything else on stderr;
// Ctrl-C cancels it. Returns the exit code. Borrows everything.
int RunSession(JobClient& jobs, Transport& transport, FileSystem& fs,
               const JobRequest& request, const SessionOptions& options);

// Runs the job and says nothing: its final status, or why there is none. Its output is
// thrown away.
absl::StatusOr<JobStatus> RunSilently(JobClient& jobs, Transport& transport,
                                      FileSystem& fs, const JobRequest& request,
                                      SessionOptions options);

// Waits for a job that was submitted elsewhere or earlier, and prints its answer
// likewise; Ctrl-C ends the waiting, not the job. Its output is where its submitter
// said.
int RunWaiting(JobClient& jobs, const JobTable& table, uint64_t id, bool json,
               bool quiet);

// "skep: what (how to mend it)" on stderr; returns the exit code.
int ReportError(const absl::Status& status);

}  // namespace skep

#endif  // SKEP_TOOLS_CLIENT_SESSION_H_
