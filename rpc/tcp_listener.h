// A listening socket on one loop, whose connections are handed to all loops in turn.

#ifndef SKEP_RPC_TCP_LISTENER_H_
#define SKEP_RPC_TCP_LISTENER_H_

#include <functional>
#include <memory>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/event_loop.h"
#include "rpc/socket.h"
#include "rpc/transport.h"

namespace skep {

// Called with each accepted socket on the loop that `next_loop` gave for it, on several
// loops at the same time; never again once the listener is destroyed. `first_bytes` is
// empty unless they were asked for.
using AcceptSocket =
    absl::AnyInvocable<void(EventLoop& loop, Fd socket, std::string_view first_bytes)>;

struct TcpListenOptions {
  // Over zero: `accept` is called only once the peer has sent something, with its first
  // bytes (at most kPeekBytes), which stay unread in the socket. A peer that sends
  // nothing for so long is dropped; what waits is bounded by the process's descriptors.
  absl::Duration first_bytes_timeout;
};
inline constexpr size_t kPeekBytes = 64;

// Listens at `at`; connections are accepted on `loop` and each handed to the loop that
// `next_loop` (called on `loop`) names.
absl::StatusOr<std::unique_ptr<Listener>> TcpListen(
    EventLoop& loop, std::function<EventLoop&()> next_loop, const Address& at,
    const TcpListenOptions& options, AcceptSocket accept);

}  // namespace skep

#endif  // SKEP_RPC_TCP_LISTENER_H_
