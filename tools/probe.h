// Whether a peer can be talked to, and why not: one connection, made to find out.

#ifndef SKEP_TOOLS_PROBE_H_
#define SKEP_TOOLS_PROBE_H_

#include <string_view>
#include <vector>

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

// Waits until one of `servers` takes a connection: a second at most, for those that
// were started on this machine a moment ago; not at all where one of them is elsewhere.
// Unavailable: nothing listens there; the message ends in "start it with `" and
// `start`. Ok: something does, or what is wrong is something else. Blocks likewise.
absl::Status AwaitListener(Transport& transport, const std::vector<Address>& servers,
                           std::string_view start);

}  // namespace skep

#endif  // SKEP_TOOLS_PROBE_H_
