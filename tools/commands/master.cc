#include <cstdio>
#include <thread>

#include "base/status.h"
#include "master/master_server.h"
#include "tools/client/session.h"
#include "tools/commands/commands.h"
#include "tools/commands/master_flag.h"
#include "tools/exit_code.h"
#include "tools/listen_policy.h"
#include "tools/signals.h"

namespace skep {
namespace {

constexpr absl::Duration kShutdownGrace = absl::Seconds(1);

}  // namespace

int RunMaster(const Args& args) {
  MasterServerOptions options;
  options.listen = DefaultMaster();
  LogOptions log;
  log.level = "info";
  CommandLine line(
      "master",
      "Serves as a fleet's master until Ctrl-C: takes jobs, and gives their "
      "tasks to the workers that register.");
  AddAddressFlag(line, "listen", &options.listen,
                 "Where to listen; port 0 takes a free one, which is printed");
  line.Flag("insecure", &options.insecure,
            "Allow --listen beyond loopback, without encryption");
  line.Flag("fleet", &options.master.fleet, "Take only workers of this fleet", "NAME");
  line.Flag("journal", &options.journal_directory,
            "Keep a journal here: a master that is started again with it goes on with "
            "the jobs it had, and repeats no finished work",
            "DIR");
  line.LogFlags(&log);
  line.Example("skep master --listen 127.0.0.1:7700");
  if (const auto code = line.Parse(args)) return *code;
  if (const absl::Status status = InitLogging("skep-master", log); !status.ok()) {
    return ReportError(status);
  }
  if (const absl::Status listen = CheckListenAddress(options.listen, options.insecure);
      !listen.ok()) {
    return ReportError(listen);
  }
  StopSignal stop;
  TcpTransport transport(2);
  absl::StatusOr<std::unique_ptr<MasterServer>> server =
      MasterServer::Start(transport, std::move(options));
  if (!server.ok()) {
    ReportError(server.status());
    return kUnavailable;
  }
  std::printf("skep master: listening on %s\n",
              (*server)->address().ToString().c_str());
  std::fflush(stdout);
  stop.Wait();
  (*server)->Shutdown(kShutdownGrace);
  return kOk;
}

}  // namespace skep
