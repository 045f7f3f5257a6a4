#include <algorithm>
#include <thread>

#include "rpc/tcp_transport.h"
#include "tools/binary_digest.h"
#include "tools/commands/commands.h"
#include "tools/commands/executors_flag.h"
#include "tools/commands/job_command.h"
#include "tools/commands/master_flag.h"
#include "tools/exit_code.h"
#include "tools/local_fleet.h"
#include "tools/scratch.h"

namespace skep {
namespace {

// Each is a slot with its buffers.
constexpr int64_t kMaxWorkers = kMostThreads;

}  // namespace

int RunRun(const Args& args) {
  JobCommand command;
  LocalFleetOptions fleet_options;
  fleet_options.scratch = ScratchDirectory();
  int64_t workers = std::max(1u, std::thread::hardware_concurrency());
  const auto more_flags = [&](CommandLine& line) {
    line.Flag("workers", &workers, "Tasks at a time; by default as many as cores", "N",
              1);
    line.Flag("scratch", &fleet_options.scratch, "Where map output is kept", "DIR");
    AddExecutorFlag(line, &fleet_options.executors);
  };
  if (const auto code =
          ParseJobCommand("run", "Runs a job here, on a fleet inside this process.",
                          args, more_flags, &command)) {
    return *code;
  }
  if (workers > kMaxWorkers) {
    return ReportError(
        InvalidArgument("--workers ", workers, ": at most ", kMaxWorkers));
  }
  absl::StatusOr<std::string> digest = BinaryDigest();
  if (!digest.ok()) return ReportError(digest.status());
  fleet_options.workers = static_cast<int>(workers);
  fleet_options.binary_digest = *digest;
  command.session.binary_digest = *std::move(digest);
  command.session.tell_waiting = false;
  command.session.find_earlier = false;
  TcpTransport transport(std::clamp(static_cast<int>(workers / 4), 1, 4));
  const auto fleet = LocalFleet::Start(transport, fleet_options);
  if (!fleet.ok()) return ReportError(fleet.status());
  const std::unique_ptr<JobClient> jobs =
      MakeGrpcJobClient((*fleet)->master().ToString());
  return RunSession(*jobs, transport, FileSystem::Real(), command.request,
                    command.session);
}

}  // namespace skep
