#include "rpc/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glog/logging.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/time/time.h"
#include "base/status.h"

namespace skep {
namespace {

// Connections that arrived and were not accepted yet; the kernel lowers it to its own
// limit (net.core.somaxconn, 4096 by default).
constexpr int kBacklog = 4096;

// A peer whose machine died is noticed after idle + count * interval = 60 s, by
// connections that say nothing; calls have their deadlines long before.
constexpr int kKeepaliveIdleSeconds = 30;
constexpr int kKeepaliveIntervalSeconds = 10;
constexpr int kKeepaliveProbes = 3;

void SetOption(int fd, int level, int option, int value) {
  // Not every option exists for every family; none is vital.
  if (setsockopt(fd, level, option, &value, sizeof value) != 0) {
    VLOG(1) << "setsockopt level=" << level << " option=" << option
            << " errno=" << errno;
  }
}

absl::StatusOr<SocketAddress> UnixSocketAddress(const std::string& path) {
  SocketAddress result;
  auto* un = reinterpret_cast<sockaddr_un*>(&result.storage);
  if (path.size() >= sizeof un->sun_path) {
    return InvalidArgument("unix:", path, ": the path has ", path.size(),
                           " bytes, the system allows ", sizeof un->sun_path - 1);
  }
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.c_str(), path.size() + 1);
  result.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return result;
}

absl::Status ResolveError(int code, int error_number, const Address& address) {
  const std::string what = StrCat("resolve ", address);
  if (code == EAI_SYSTEM) return ConnectionError(error_number, what);
  if (code == EAI_AGAIN || code == EAI_FAIL || code == EAI_MEMORY) {
    return Unavailable(what, ": ", gai_strerror(code));
  }
  return NotFound(what, ": ", gai_strerror(code));
}

// Whether somebody listens at the Unix socket; a dead one's file refuses.
bool SomebodyListens(const SocketAddress& at) {
  absl::StatusOr<Fd> probe = NewSocket(AF_UNIX);
  if (!probe.ok()) return true;
  return connect(probe->get(), at.get(), at.length) == 0 || errno != ECONNREFUSED;
}

absl::StatusOr<Fd> ListenAt(const SocketAddress& at, const Address& name) {
  SKEP_ASSIGN_OR_RETURN(Fd fd, NewSocket(at.family()));
  if (at.family() == AF_UNIX) {
    // Whatever else has that name refuses connections too, and is somebody's.
    struct stat found;
    if (lstat(name.unix_path().c_str(), &found) == 0 && S_ISSOCK(found.st_mode) &&
        !SomebodyListens(at)) {
      unlink(name.unix_path().c_str());
    }
  } else {
    // A restarted server gets its port back although old connections linger.
    SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  }
  if (at.family() == AF_INET6) SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (bind(fd.get(), at.get(), at.length) != 0 || listen(fd.get(), kBacklog) != 0) {
    return ErrnoToStatus(errno, StrCat("listen at ", name));
  }
  return fd;
}

}  // namespace

void Fd::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

Address SocketAddress::ToAddress() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
    return Address::Tcp(text, ntohs(in->sin_port));
  }
  if (family() == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
    return Address::Tcp(text, ntohs(in6->sin6_port));
  }
  const auto* un = reinterpret_cast<const sockaddr_un*>(&storage);
  const size_t start = offsetof(sockaddr_un, sun_path);
  if (length <= start) return Address();
  return Address::Unix(
      std::string(un->sun_path, strnlen(un->sun_path, length - start)));
}

bool IsNumeric(const Address& address) {
  if (address.is_unix()) return true;
  in6_addr ignored;
  return inet_pton(AF_INET, address.host().c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, address.host().c_str(), &ignored) == 1;
}

absl::StatusOr<std::vector<SocketAddress>> Resolve(const Address& address) {
  if (address.is_unix()) {
    SKEP_ASSIGN_OR_RETURN(SocketAddress unix_address,
                          UnixSocketAddress(address.unix_path()));
    return std::vector<SocketAddress>{unix_address};
  }
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (IsNumeric(address) ? AI_NUMERICHOST : 0);
  addrinfo* list = nullptr;
  const int code = getaddrinfo(address.host().c_str(), StrCat(address.port()).c_str(),
                               &hints, &list);
  if (code != 0) return ResolveError(code, errno, address);
  std::vector<SocketAddress> found;
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    SocketAddress& one = found.emplace_back();
    std::memcpy(&one.storage, info->ai_addr, info->ai_addrlen);
    one.length = info->ai_addrlen;
  }
  freeaddrinfo(list);
  // "localhost" must mean the same to who listens and who connects, and the numbers
  // that people write are IPv4.
  if (address.IsLoopback()) {
    std::stable_sort(found.begin(), found.end(),
                     [](const SocketAddress& a, const SocketAddress& b) {
                       return a.family() == AF_INET && b.family() != AF_INET;
                     });
  }
  return found;
}

absl::StatusOr<Fd> NewSocket(int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoToStatus(errno, "make a socket");
  return Fd(fd);
}

void PrepareStreamSocket(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  PCHECK(flags >= 0) << "descriptor " << fd;
  if ((flags & O_NONBLOCK) == 0) PCHECK(fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  const int family = LocalAddress(fd).family();
  if (family != AF_INET && family != AF_INET6) return;
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveIdleSeconds);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveIntervalSeconds);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
}

void PrepareForBulk(int fd) {
  const SocketAddress local = LocalAddress(fd);
  if (local.family() != AF_INET && local.family() != AF_INET6) return;
  if (!local.ToAddress().IsLoopback()) return;
  // In every kernel, and open to every user.
  constexpr std::string_view kPlain = "reno";
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kPlain.data(), kPlain.size());
}

absl::StatusOr<Fd> ListenSocket(const Address& at) {
  SKEP_ASSIGN_OR_RETURN(const std::vector<SocketAddress> addresses, Resolve(at));
  absl::StatusOr<Fd> result = Unavailable("listen at ", at, ": no address");
  for (const SocketAddress& address : addresses) {
    result = ListenAt(address, at);
    if (result.ok()) break;
  }
  return result;
}

SocketAddress LocalAddress(int fd) {
  SocketAddress result;
  result.length = sizeof result.storage;
  if (getsockname(fd, result.get(), &result.length) != 0) result.length = 0;
  return result;
}

SocketAddress PeerAddress(int fd) {
  SocketAddress result;
  result.length = sizeof result.storage;
  if (getpeername(fd, result.get(), &result.length) != 0) result.length = 0;
  return result;
}

bool IsConnectedToItself(int fd) {
  const SocketAddress local = LocalAddress(fd);
  if (local.family() != AF_INET && local.family() != AF_INET6) return false;
  return local.ToAddress() == PeerAddress(fd).ToAddress();
}

int PendingError(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

absl::Status ConnectionError(int error_number, std::string_view what) {
  return absl::Status(absl::StatusCode::kUnavailable,
                      ToAbsl(Message(ErrnoToStatus(error_number, what))));
}

}  // namespace skep
