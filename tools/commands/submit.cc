#include "rpc/tcp_transport.h"
#include "tools/binary_digest.h"
#include "tools/client/session.h"
#include "tools/commands/commands.h"
#include "tools/commands/job_command.h"
#include "tools/commands/master_flag.h"

namespace skep {

int RunSubmit(const Args& args) {
  JobCommand command;
  command.log.level = "error";  // What goes wrong is in the one error at the end.
  Address master = DefaultMaster();
  SecurityFlags security_flags;
  const auto more_flags = [&](CommandLine& line) {
    line.Heading("Fleet");
    AddMasterFlag(line, &master);
    line.Flag(
        "detach", &command.session.detach,
        "Only submit: print the job's id and end; inputs and output must be files "
        "that the workers can reach");
    AddAddressFlag(line, "listen", &command.session.listen,
                   "Where workers get the submitter's files");
    AddSecurityFlags(line, &security_flags);
    line.Example(
        "skep submit wordcount --master 127.0.0.1:7700 --output counts books/");
  };
  if (const auto code =
          ParseJobCommand("submit", "Runs a job on the fleet of a master.", args,
                          more_flags, &command)) {
    return *code;
  }
  const absl::StatusOr<Security> security = Security::Load(security_flags);
  if (!security.ok()) return ReportError(security.status());
  if (const absl::Status listen = security->MayListen(command.session.listen);
      !listen.ok()) {
    return ReportError(listen);
  }
  absl::StatusOr<std::string> digest = BinaryDigest();
  if (!digest.ok()) return ReportError(digest.status());
  command.session.binary_digest = *std::move(digest);
  TcpTransport sockets(1);
  const std::unique_ptr<Transport> transport = security->Over(sockets);
  const StopAtExit stop(sockets);
  const absl::StatusOr<std::unique_ptr<JobClient>> jobs = ConnectTo(master, *security);
  if (!jobs.ok()) return ReportError(jobs.status());
  return RunSession(**jobs, *transport, FileSystem::Real(), command.request,
                    command.session);
}

}  // namespace skep
