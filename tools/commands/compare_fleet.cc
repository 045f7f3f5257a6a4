#include "tools/commands/compare_fleet.h"

#include <memory>
#include <utility>

#include "base/plural.h"
#include "base/status.h"
#include "base/strings.h"
#include "jobs/job_table.h"
#include "rpc/tcp_transport.h"
#include "tools/binary_digest.h"
#include "tools/client/session.h"
#include "tools/commands/master_flag.h"
#include "tools/compare/fleet_comparison.h"
#include "tools/scratch.h"
#include "tools/scratch_folder.h"
#include "tools/signals.h"

namespace skep {
namespace {

// "127.0.0.1:7700 (2 workers, 4 slots)". Unavailable: no worker can run our jobs.
absl::StatusOr<std::string> Described(const Address& master, JobClient& jobs,
                                      const std::string& digest) {
  SKEP_ASSIGN_OR_RETURN(const std::vector<WorkerStatus> workers, jobs.Workers());
  uint64_t count = 0;
  uint32_t slots = 0;
  for (const WorkerStatus& worker : workers) {
    if (!worker.connected() || worker.binary_digest() != digest) continue;
    ++count;
    slots += worker.slots();
  }
  if (count == 0) {
    return Unavailable("the master at ", master.ToString(),
                       " has no worker of this build of skep: start some with skep "
                       "worker --master ",
                       master.ToString());
  }
  return StrCat(master.ToString(), " (", Counted(count, "worker"), ", ",
                Counted(slots, "slot"), ")");
}

// The answer, and what is in its output.
std::string AnswerOf(const JobStatus& status) {
  std::string answer = status.answer().text();
  for (const OutputFile& part : status.output()) {
    StrAppend(&answer, " ", part.name(), " of ", part.bytes(), " bytes, digest ",
              absl::Hex(part.digest(), absl::kZeroPad16));
  }
  while (!answer.empty() && answer.back() == '\n') answer.pop_back();
  return answer;
}

}  // namespace

absl::StatusOr<Comparison> CompareOnFleetOf(const Address& master,
                                            const SecurityFlags& security_flags,
                                            const CompareFamily& family,
                                            const CompareOptions& options) {
  SKEP_ASSIGN_OR_RETURN(const Security security, Security::Load(security_flags));
  SKEP_ASSIGN_OR_RETURN(const std::string digest, BinaryDigest());
  TcpTransport sockets(1);
  const std::unique_ptr<Transport> transport = security.Over(sockets);
  const StopAtExit stop(sockets);
  SKEP_ASSIGN_OR_RETURN(const std::unique_ptr<JobClient> jobs,
                        ConnectTo(master, security));
  SKEP_ASSIGN_OR_RETURN(const std::string fleet, Described(master, *jobs, digest));
  SKEP_ASSIGN_OR_RETURN(const ScratchFolder scratch,
                        ScratchFolder::Make(ScratchDirectory()));
  // While a job runs, its own is asked: the job is cancelled.
  const StopSignal stop_between([&scratch] {
    FileSystem::Real().RemoveAll(scratch.path()).IgnoreError();
    EndBySignal();
  });

  const auto run = [&](const std::string& name,
                       const std::map<std::string, std::string>& flags,
                       const std::string& input) -> absl::StatusOr<FleetRun> {
    JobRequest request;
    request.job = BuiltInJobs().Find(name);
    if (request.job == nullptr) return Internal("there is no job ", name);
    request.options = Options(request.job->flags());
    for (const auto& [flag, value] : flags) {
      SKEP_RETURN_IF_ERROR(request.options.Set(flag, value));
    }
    if (!input.empty()) request.inputs = {input};
    SessionOptions session;
    session.binary_digest = digest;
    if (request.job->output(request.options) != OutputShape::kNone) {
      session.output = JoinPath(scratch.path(), "output");
    }
    const absl::Time start = absl::Now();
    SKEP_ASSIGN_OR_RETURN(
        const JobStatus status,
        RunSilently(*jobs, *transport, FileSystem::Real(), request, session));
    return FleetRun{.answer = AnswerOf(status),
                    .wall_seconds = absl::ToDoubleSeconds(absl::Now() - start),
                    .cpu_seconds = status.cpu_seconds(),
                    .rounds = static_cast<uint64_t>(status.stages_size()),
                    .bytes_moved = status.bytes_moved()};
  };
  return CompareOnFleet(family, options, fleet, scratch.path(), run);
}

}  // namespace skep
