#include "rpc/tcp_transport.h"

#include <glog/logging.h>
#include <sched.h>

#include <utility>

#include "base/status.h"
#include "rpc/epoll_poller.h"
#include "rpc/socket.h"
#include "rpc/tcp_connector.h"
#include "rpc/tcp_listener.h"
#include "rpc/tcp_stream.h"

namespace skep {
namespace {

// Two, so that one name that takes long does not keep the others waiting.
constexpr int kResolverThreads = 2;
constexpr size_t kMaxQueuedNames = 1024;

int UsableCores() {
  cpu_set_t cores;
  return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

}  // namespace

TcpTransport::TcpTransport(int loops, TcpTransportOptions options)
    : resolver_(
          std::make_unique<ThreadPool>("resolver", kResolverThreads, kMaxQueuedNames)) {
  CHECK_GT(loops, 0);
  if (loops > UsableCores()) options.spin = options.pipelined_spin = absl::Duration();
  for (int i = 0; i < loops; ++i) {
    loops_.push_back(std::make_unique<EventLoop>(StrCat("loop-", i), NewEpollPoller(),
                                                 options.spin, options.pipelined_spin));
  }
}

TcpTransport::~TcpTransport() {
  Stop();
  resolver_.reset();
}

void TcpTransport::Stop() {
  // All stop before any is gone: their last closures may post to one another.
  for (const auto& loop : loops_) loop->Stop();
}

EventLoop& TcpTransport::NextLoop() {
  return *loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()];
}

EventLoop& TcpTransport::NearLoop() {
  for (const auto& loop : loops_) {
    if (loop->IsCurrent()) return *loop;
  }
  return NextLoop();
}

void TcpTransport::Connect(const Address& to, absl::Duration timeout, Connected done) {
  TcpConnect(NearLoop(), *resolver_, to, timeout, std::move(done));
}

absl::StatusOr<std::unique_ptr<Listener>> TcpTransport::Listen(const Address& at,
                                                               Accept accept) {
  return TcpListen(
      NextLoop(), [this]() -> EventLoop& { return NextLoop(); }, at, {},
      [accept = std::move(accept)](EventLoop& loop, Fd socket,
                                   std::string_view) mutable {
        accept(std::make_unique<TcpStream>(loop, std::move(socket)));
      });
}

absl::StatusOr<std::unique_ptr<Listener>> TcpTransport::ListenRaw(
    const Address& at, AcceptRaw accept, absl::Duration first_bytes_timeout) {
  return TcpListen(
      NextLoop(), [this]() -> EventLoop& { return NextLoop(); }, at,
      {.first_bytes_timeout = first_bytes_timeout},
      [accept = std::move(accept)](EventLoop&, Fd socket,
                                   std::string_view first_bytes) mutable {
        accept(socket.Release(), first_bytes);
      });
}

std::unique_ptr<Stream> TcpTransport::StreamOverFd(int fd) {
  return std::make_unique<TcpStream>(NearLoop(), Fd(fd));
}

}  // namespace skep
