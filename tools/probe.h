// Whether a peer can be talked to, and why not: one connection, made to find out.

#ifndef SKEP_TOOLS_PROBE_H_
#define SKEP_TOOLS_PROBE_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "rpc/address.h"
#include "rpc/transport.h"

namespace skep {

// Connects to `to` over `transport`. In plain text that says little, so that a few
// bytes are sent to which a server under TLS answers with an alert; another server
// takes them for a gRPC client's, or closes. Ok: the peer is there and speaks as we do,
// or at least nothing speaks against it. Blocks; not on the transport's loops.
absl::Status ProbePeer(Transport& transport, const Address& to, bool plain_text,
                       absl::Duration timeout);

}  // namespace skep

#endif  // SKEP_TOOLS_PROBE_H_
