// Where a server may listen before the channel has TLS.

#ifndef SKEP_TOOLS_LISTEN_POLICY_H_
#define SKEP_TOOLS_LISTEN_POLICY_H_

#include "absl/status/status.h"
#include "base/status.h"
#include "rpc/address.h"

namespace skep {

// FailedPrecondition unless the address is of this machine alone or the operator said
// --insecure by name.
inline absl::Status CheckListenAddress(const Address& address, bool insecure) {
  if (insecure || address.IsLoopback()) return absl::OkStatus();
  return FailedPrecondition(
      "will not listen on ", address,
      ": the channel has no TLS yet, and anybody who reaches that address could use "
      "this server. Listen on 127.0.0.1, or say --insecure if the network is trusted");
}

}  // namespace skep

#endif  // SKEP_TOOLS_LISTEN_POLICY_H_
