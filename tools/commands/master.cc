#include <cstdio>
#include <thread>

#include "base/status.h"
#include "base/thread_pool.h"
#include "master/master_server.h"
#include "rpc/tls/authority.h"
#include "rpc/tls/join.h"
#include "storage/file_system.h"
#include "tools/client/session.h"
#include "tools/commands/commands.h"
#include "tools/commands/master_flag.h"
#include "tools/exit_code.h"
#include "tools/security.h"
#include "tools/signals.h"

namespace skep {
namespace {

constexpr absl::Duration kShutdownGrace = absl::Seconds(1);
constexpr uint16_t kJoinPort = 7701;
constexpr size_t kMostJoining = 100;  // requests that wait for a signature

// Null if nobody asked for it.
absl::StatusOr<std::unique_ptr<JoinServer>> ServeJoiners(TcpTransport& transport,
                                                         ThreadPool& pool,
                                                         const Security& security,
                                                         const std::string& join,
                                                         const std::string& folder) {
  if (join.empty() && folder.empty()) return nullptr;
  if (join.empty() || folder.empty() || security.live() == nullptr) {
    return InvalidArgument(
        "joining takes --join ADDR, --authority DIR and --tls DIR together");
  }
  SKEP_ASSIGN_OR_RETURN(const Address at, Address::Parse(join, kJoinPort));
  absl::StatusOr<Authority> authority = Authority::Open(folder);
  if (!authority.ok()) return EndsWith(kFiles, authority.status());
  auto listening = JoinServer::Listen(transport, at, *std::move(authority),
                                      security.live(), {.pool = &pool});
  if (!listening.ok()) return EndsWith(kUnavailable, listening.status());
  return listening;
}

}  // namespace

int RunMaster(const Args& args) {
  MasterServerOptions options;
  options.listen = DefaultMaster();
  SecurityFlags security_flags;
  std::string join;
  std::string authority;
  LogOptions log;
  log.level = "info";
  CommandLine line(
      "master",
      "Serves as a fleet's master until Ctrl-C: takes jobs, and gives their "
      "tasks to the workers that register.");
  AddAddressFlag(line, "listen", &options.listen,
                 "Where to listen; port 0 takes a free one, which is printed");
  AddSecurityFlags(line, &security_flags);
  line.Flag(
      "join", &join,
      "Where machines with a token may join the fleet (see skep cert): an address "
      "of its own, port 7701 unless it says another; needs --tls and --authority",
      "ADDR");
  line.Flag("authority", &authority, "The folder of the fleet's authority, for --join",
            "DIR");
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
  const absl::StatusOr<Security> security = Security::Load(security_flags);
  if (!security.ok()) return ReportError(security.status());
  if (const absl::Status allowed = security->MayListen(options.listen); !allowed.ok()) {
    return ReportError(allowed);
  }
  options.credentials = security->live();
  options.plaintext = security_flags.plaintext;
  if (!options.journal_directory.empty()) {
    const absl::Status made =
        FileSystem::Real().MakeDirectory(options.journal_directory);
    if (!made.ok()) return ReportError(EndsWith(kFiles, made));
  }
  StopSignal stop;
  TcpTransport transport(2);
  ThreadPool signing("skep-join", 1, kMostJoining);
  absl::StatusOr<std::unique_ptr<JoinServer>> joining =
      ServeJoiners(transport, signing, *security, join, authority);
  if (!joining.ok()) return ReportError(joining.status());
  absl::StatusOr<std::unique_ptr<MasterServer>> server =
      MasterServer::Start(transport, std::move(options));
  if (!server.ok()) {
    ReportError(server.status());
    // A journal that is damaged, or an address that cannot be had.
    return absl::IsDataLoss(server.status()) ? kFiles : kUnavailable;
  }
  std::printf("skep master: listening on %s\n",
              (*server)->address().ToString().c_str());
  if (*joining != nullptr) {
    std::printf("skep master: machines with a token join at %s\n",
                (*joining)->address().ToString().c_str());
  }
  std::fflush(stdout);
  stop.Wait();
  (*server)->Shutdown(kShutdownGrace);
  return kOk;
}

}  // namespace skep
