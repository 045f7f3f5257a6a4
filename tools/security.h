// --tls and --plaintext, of every command that listens or connects.
//
//   SecurityFlags flags;
//   AddSecurityFlags(line, &flags);
//   ...
//   SKEP_ASSIGN_OR_RETURN(const Security security, Security::Load(flags));
//   SKEP_RETURN_IF_ERROR(security.MayListen(at));
//   TcpTransport sockets(1);
//   const std::unique_ptr<Transport> transport = security.Over(sockets);
//   const StopAtExit stop(sockets);

#ifndef SKEP_TOOLS_SECURITY_H_
#define SKEP_TOOLS_SECURITY_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rpc/address.h"
#include "rpc/tls/credential_watcher.h"
#include "rpc/transport.h"
#include "tools/command_line.h"

namespace skep {

struct StatsReport;

struct SecurityFlags {
  std::string tls;  // a member's folder; empty: none
  bool plaintext = false;
  // What errors call it.
  const char* flag = "--tls";
};

void AddSecurityFlags(CommandLine& line, SecurityFlags* flags);

// How a command talks to others. A value; its copies share what is read.
class Security {
 public:
  // The errors of TlsCredentials::Load, which end a command with kFiles. From now on,
  // and as long as a copy lives, the folder is read again when its files change.
  static absl::StatusOr<Security> Load(const SecurityFlags& flags);

  // InvalidArgument, unless under TLS, in plain text by name, or on this machine.
  absl::Status MayListen(const Address& at) const;
  absl::Status MayConnect(const Address& to) const;
  // For the statistics pages, which are HTTP in plain text in any case, and meant for
  // this machine.
  absl::Status MayShowStatistics(const Address& at) const;
  absl::Status MayConnectPlainly(const Address& to) const;

  // What carries channels: TLS over `sockets`, which is borrowed, or what may be had
  // without.
  std::unique_ptr<Transport> Over(Transport& sockets) const;

  // Why a peer at `to` cannot be talked to as we do, found out by trying it once: it is
  // not there, it wants TLS, it does not speak TLS, it is not of our fleet, it does not
  // take us. Ok: it can. Blocks for at most `timeout`. `sockets` runs meanwhile.
  absl::Status Explain(Transport& sockets, const Address& to,
                       absl::Duration timeout) const;

  // Gives servers that were started a moment ago the time to begin: see
  // tools/probe.h. Unavailable says that nothing listens, and to `start` it.
  absl::Status AwaitListener(Transport& sockets, const std::vector<Address>& servers,
                             std::string_view start) const;

  // A figure or two about our certificate, on the statistics page. Nothing without TLS.
  void Report(StatsReport* report) const;

  // Null without TLS. The ones that hold now, and those that hold at any time.
  std::shared_ptr<const TlsCredentials> credentials() const {
    return watcher_ == nullptr ? nullptr : watcher_->credentials()->Get();
  }
  std::shared_ptr<const LiveCredentials> live() const {
    return watcher_ == nullptr ? nullptr : watcher_->credentials();
  }
  const SecurityFlags& flags() const { return flags_; }

 private:
  SecurityFlags flags_;
  std::shared_ptr<CredentialWatcher> watcher_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_SECURITY_H_
