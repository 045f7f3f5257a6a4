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

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rpc/address.h"
#include "rpc/tls/credentials.h"
#include "rpc/transport.h"
#include "tools/command_line.h"

namespace skep {

struct SecurityFlags {
  std::string tls;  // a member's folder; empty: none
  bool plaintext = false;
};

void AddSecurityFlags(CommandLine& line, SecurityFlags* flags);

// How a command talks to others. A value.
class Security {
 public:
  // The errors of TlsCredentials::Load, which end a command with kFiles.
  static absl::StatusOr<Security> Load(const SecurityFlags& flags);

  // InvalidArgument, unless under TLS, in plain text by name, or on this machine.
  absl::Status MayListen(const Address& at) const;
  absl::Status MayConnect(const Address& to) const;
  // For what is in plain text in any case, as the statistics pages are.
  absl::Status MayListenPlainly(const Address& at) const;
  absl::Status MayConnectPlainly(const Address& to) const;

  // What carries channels: TLS over `sockets`, which is borrowed, or what may be had
  // without.
  std::unique_ptr<Transport> Over(Transport& sockets) const;

  // Null without TLS.
  const std::shared_ptr<const TlsCredentials>& credentials() const {
    return credentials_;
  }
  const SecurityFlags& flags() const { return flags_; }

 private:
  SecurityFlags flags_;
  std::shared_ptr<const TlsCredentials> credentials_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_SECURITY_H_
