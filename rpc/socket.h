// The few socket calls that the TCP transport is made of, with errors in words.

#ifndef SKEP_RPC_SOCKET_H_
#define SKEP_RPC_SOCKET_H_

#include <sys/socket.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "rpc/address.h"

namespace skep {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { Reset(); }

  bool valid() const { return fd_ >= 0; }
  int get() const { return fd_; }
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  void Reset();

 private:
  int fd_ = -1;
};

// A sockaddr of any family.
struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  // As Address::ToString; a Unix socket without a name is "unix:".
  Address ToAddress() const;
};

// Whether Resolve of this address will not ask a name server.
bool IsNumeric(const Address& address);

// Every socket address that `address` stands for, those to try first in front. Blocks
// for host names. InvalidArgument (a Unix path that is too long), NotFound (no such
// host) or Unavailable (name service).
absl::StatusOr<std::vector<SocketAddress>> Resolve(const Address& address);

// A nonblocking stream socket that is closed on exec.
absl::StatusOr<Fd> NewSocket(int family);

// Makes a socket what our streams need: nonblocking, closed on exec, TCP without
// Nagle's delay and with keepalive.
void PrepareStreamSocket(int fd);
// For a connection that carries bulk: within this machine there is no network to be
// careful with, and what some algorithms of congestion control do (BBR paces) halves its
// throughput. Small messages are better off with them: they keep the queues short.
void PrepareForBulk(int fd);

// A socket listening at the first of the addresses that can be bound. A Unix socket's
// file that nobody listens at any more is replaced.
absl::StatusOr<Fd> ListenSocket(const Address& at);

// The ends of a connected or listening socket.
SocketAddress LocalAddress(int fd);
SocketAddress PeerAddress(int fd);
// A TCP socket that was connected, by chance, to its own port.
bool IsConnectedToItself(int fd);

// The error that waits at the socket, as errno; 0 if none. Clears it.
int PendingError(int fd);

// What broke a connection; always Unavailable, for it may work again later.
absl::Status ConnectionError(int error_number, std::string_view what);

}  // namespace skep

#endif  // SKEP_RPC_SOCKET_H_
