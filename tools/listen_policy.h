// Where a server may listen before the channel has TLS.

#ifndef SKEP_TOOLS_LISTEN_POLICY_H_
#define SKEP_TOOLS_LISTEN_POLICY_H_

#include "absl/status/status.h"
#include "base/status.h"
#include "rpc/address.h"

namespace skep {

// InvalidArgument unless the address is of this machine alone or the operator said
// --insecure by name.
inline absl::Status CheckListenAddress(const Address& address, bool insecure) {
  if (insecure || address.IsLoopback()) return absl::OkStatus();
  return InvalidArgument(
      "refused to listen on ", address,
      ": other machines could reach it, and nothing is encrypted or authenticated yet; "
      "listen on 127.0.0.1, or say --insecure if everyone on that network may connect");
}

}  // namespace skep

#endif  // SKEP_TOOLS_LISTEN_POLICY_H_
