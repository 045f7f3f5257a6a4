// One attempt to connect over TCP or a Unix socket.

#ifndef SKEP_RPC_TCP_CONNECTOR_H_
#define SKEP_RPC_TCP_CONNECTOR_H_

#include "absl/time/time.h"
#include "base/thread_pool.h"
#include "rpc/address.h"
#include "rpc/event_loop.h"
#include "rpc/transport.h"

namespace skep {

// As Transport::Connect, with the stream on `loop`. Host names are resolved on
// `resolver`, since getaddrinfo blocks; each address that a name has gets an equal part
// of the time that is left. Thread-safe.
void TcpConnect(EventLoop& loop, ThreadPool& resolver, const Address& to,
                absl::Duration timeout, Transport::Connected done);

}  // namespace skep

#endif  // SKEP_RPC_TCP_CONNECTOR_H_
