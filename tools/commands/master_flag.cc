#include "tools/commands/master_flag.h"

#include "base/status.h"
#include "base/strings.h"
#include "rpc/tcp_transport.h"

namespace skep {
namespace {

constexpr absl::Duration kExplainTimeout = absl::Seconds(3);

}  // namespace

void AddAddressFlag(CommandLine& line, const std::string& name, Address* address,
                    const std::string& help) {
  line.ParsedFlag(name, help, "ADDR", address->ToString(),
                  [address](const std::string& text) -> absl::Status {
                    SKEP_ASSIGN_OR_RETURN(*address, Address::Parse(text, kMasterPort));
                    return absl::OkStatus();
                  });
}

void AddMasterFlag(CommandLine& line, Address* master) {
  AddAddressFlag(line, "master", master, "Where the master listens");
}

absl::StatusOr<std::unique_ptr<JobClient>> ConnectTo(const Address& master,
                                                     const Security& security) {
  SKEP_RETURN_IF_ERROR(security.MayConnect(master));
  const auto explain = [master, security] {
    TcpTransport sockets(1);
    const StopAtExit stop(sockets);
    return security.Explain(sockets, master, kExplainTimeout);
  };
  const auto await = [master, security] {
    TcpTransport sockets(1);
    const StopAtExit stop(sockets);
    const std::string listen =
        master == DefaultMaster() ? "" : StrCat(" --listen ", master);
    return security.AwaitListener(sockets, {master}, StrCat("skep master", listen));
  };
  return MakeGrpcJobClient(master.ToString(), security.live(), explain, await);
}

absl::StatusOr<std::unique_ptr<JobClient>> ConnectTo(const Address& master,
                                                     const SecurityFlags& flags) {
  SKEP_ASSIGN_OR_RETURN(const Security security, Security::Load(flags));
  return ConnectTo(master, security);
}

}  // namespace skep
