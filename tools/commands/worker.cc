#include "worker/worker.h"

#include <unistd.h>

#include <cstdio>
#include <thread>
#include <utility>

#include "base/status.h"
#include "jobs/job_table.h"
#include "rpc/tcp_transport.h"
#include "tools/binary_digest.h"
#include "tools/client/session.h"
#include "tools/commands/commands.h"
#include "tools/commands/executors_flag.h"
#include "tools/commands/master_flag.h"
#include "tools/exit_code.h"
#include "tools/scratch.h"
#include "tools/scratch_folder.h"
#include "tools/security.h"
#include "tools/signals.h"
#include "tools/standard_error.h"

namespace skep {
namespace {

// What runs is given this long to end when the worker is told to stop.
constexpr absl::Duration kShutdownGrace = absl::Seconds(2);
constexpr absl::Duration kReportInterval = absl::Milliseconds(50);

// How often it is looked for why it has not registered.
constexpr absl::Duration kExplainInterval = absl::Seconds(10);
constexpr absl::Duration kExplainTimeout = absl::Seconds(3);

// Says when it has registered, and why it has not where that takes long: once, and
// again when the reason becomes another.
void ReportState(const Worker& worker, const Address& master, const Security& security,
                 Transport& sockets, std::stop_token stop) {
  absl::Time look = absl::Now() + absl::Seconds(2);
  std::string said;
  while (!stop.stop_requested()) {
    const absl::Status state = worker.state();
    if (state.ok()) {
      std::printf("skep worker: registered with %s\n", master.ToString().c_str());
      std::fflush(stdout);
      return;
    }
    if (absl::Now() > look) {
      // What is wrong with the connection comes first.
      absl::Status why = security.Explain(sockets, master, kExplainTimeout);
      if (why.ok()) why = state;
      look = absl::Now() + kExplainInterval;
      if (std::exchange(said, std::string(Message(why))) != said) {
        WriteError(StrCat("skep worker: still trying to register with ",
                          master.ToString(), ": ", said, "\n"));
      }
    }
    absl::SleepFor(kReportInterval);
  }
}

}  // namespace

int RunWorker(const Args& args) {
  WorkerOptions options;
  options.master = DefaultMaster();
  options.name = StrCat(HostName(), ":", getpid());
  options.scratch = ScratchDirectory();
  options.executors = WorkerOptions::Executors::kProcesses;
  int64_t slots = static_cast<int64_t>(std::thread::hardware_concurrency());
  SecurityFlags security_flags;
  LogOptions log;
  CommandLine line("worker", "Serves a master as a worker until Ctrl-C.");
  AddMasterFlag(line, &options.master);
  line.Flag("slots", &slots, "Attempts at a time; by default as many as cores", "N", 1,
            kMostThreads);
  AddAddressFlag(line, "listen", &options.shuffle_listen,
                 "Where other workers fetch map output; port 0 takes a free one");
  line.Flag("scratch", &options.scratch, "Where map output is kept", "DIR");
  line.Flag("name", &options.name, "What people call this worker", "NAME");
  line.Flag("fleet", &options.fleet, "The master's fleet, if it has a name", "NAME");
  AddSecurityFlags(line, &security_flags);
  AddExecutorFlag(line, &options.executors);
  line.LogFlags(&log);
  line.Example("skep worker --master 127.0.0.1:7700 --slots 4");
  if (const auto code = line.Parse(args)) return *code;
  if (const absl::Status status = InitLogging("skep-worker", log); !status.ok()) {
    return ReportError(status);
  }
  const absl::StatusOr<Security> security = Security::Load(security_flags);
  if (!security.ok()) return ReportError(security.status());
  absl::Status allowed = security->MayListen(options.shuffle_listen);
  if (allowed.ok()) allowed = security->MayConnect(options.master);
  if (!allowed.ok()) return ReportError(allowed);
  // Its executors talk to other workers as it does.
  if (!security_flags.tls.empty()) {
    options.process.args.push_back("--tls=" + security_flags.tls);
  }
  if (security_flags.plaintext) options.process.args.push_back("--plaintext");
  absl::StatusOr<std::string> digest = BinaryDigest();
  if (!digest.ok()) return ReportError(digest.status());
  options.binary_digest = *std::move(digest);
  options.slots = static_cast<int>(slots);

  const absl::StatusOr<ScratchFolder> scratch = ScratchFolder::Make(options.scratch);
  if (!scratch.ok()) return ReportError(scratch.status());
  options.scratch = scratch->path();

  StopSignal stop;
  TcpTransport sockets(2);
  const std::unique_ptr<Transport> transport = security->Over(sockets);
  const StopAtExit stop_sockets(sockets);
  options.process_transport = &sockets;
  const Address master = options.master;
  absl::StatusOr<std::unique_ptr<Worker>> worker =
      Worker::Start(std::move(options), *transport, FileSystem::Real(), BuiltInJobs());
  if (!worker.ok()) {
    ReportError(worker.status());
    return kUnavailable;
  }
  std::jthread reporter([&](std::stop_token ended) {
    ReportState(**worker, master, *security, sockets, ended);
  });
  stop.Wait();
  reporter.request_stop();
  (*worker)->Shutdown(kShutdownGrace);
  return kOk;
}

}  // namespace skep
