// The hidden command that a worker starts, at the other end of a socket pair.

#include <fcntl.h>
#include <signal.h>

#include "base/logging.h"
#include "base/status.h"
#include "jobs/job_table.h"
#include "rpc/tcp_transport.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/security.h"
#include "worker/executor_main.h"

namespace skep {

int RunExecutor(const Args& args) {
  int64_t fd = -1;
  SecurityFlags security_flags;
  LogOptions log;
  CommandLine line("executor", "Runs attempts for the worker that started it.");
  line.Flag("fd", &fd, "The socket to the worker", "FD");
  AddSecurityFlags(line, &security_flags);
  line.LogFlags(&log);
  if (const auto code = line.Parse(args)) return *code;
  if (fcntl(static_cast<int>(fd), F_GETFD) < 0) {
    return ReportError(InvalidArgument("--fd ", fd, " is no open descriptor"));
  }
  if (const absl::Status status = InitLogging("skep-executor", log); !status.ok()) {
    return ReportError(status);
  }
  const absl::StatusOr<Security> security = Security::Load(security_flags);
  if (!security.ok()) return ReportError(security.status());
  // Ctrl-C on a terminal is for the worker, which then tells us.
  signal(SIGINT, SIG_IGN);
  TcpTransport sockets(1);
  const std::unique_ptr<Transport> peers = security->Over(sockets);
  const StopAtExit stop(sockets);
  ExecutorMain(static_cast<int>(fd), sockets, *peers, BuiltInJobs());
}

}  // namespace skep
