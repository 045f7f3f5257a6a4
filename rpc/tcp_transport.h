// Transport over sockets: TCP (IPv4, IPv6, host names), Unix sockets, socket pairs.

#ifndef SKEP_RPC_TCP_TRANSPORT_H_
#define SKEP_RPC_TCP_TRANSPORT_H_

#include <atomic>
#include <memory>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "rpc/event_loop.h"
#include "rpc/transport.h"

namespace skep {

struct TcpTransportOptions {
  // How long a loop looks for something to do before it blocks (event_loop.h): lower
  // latency between two cores, for CPU time. Stands down where the process has fewer
  // cores than the transport has loops. About 50 us is what a wake-up costs.
  absl::Duration spin = absl::ZeroDuration();
  // The same for a loop that has just answered dozens of calls of its one busy
  // connection, and so will soon hear of it again. It saves more CPU time than it
  // costs: else one side waits for the other every few microseconds.
  absl::Duration pipelined_spin = absl::Microseconds(30);
};

// Thread-safe. Streams are pinned to one of `loops` event loops: one made on a loop's
// thread to that loop, others in turn.
class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(int loops, TcpTransportOptions options = {});
  // Streams that are still open get OnClosed(Cancelled). Waits for the threads, and for
  // a name that is being resolved (seconds, if the name server does not answer). Never
  // called on one of its loops.
  ~TcpTransport() override;

  // The end of every loop, as in the destructor; nothing runs on them afterwards. For
  // who has put another transport over this one: that must not go while a loop is still
  // inside it. Called once more it does nothing.
  void Stop();

  void Connect(const Address& to, absl::Duration timeout, Connected done) override;
  // FailedPrecondition: the address is in use or not this machine's.
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& at,
                                                   Accept accept) override;
  Executor& executor() override { return *loops_.front(); }

  // A stream over a connected stream socket that exists already: one end of a socket
  // pair, an accepted connection. Takes the descriptor.
  std::unique_ptr<Stream> StreamOverFd(int fd);

  // For a port that several protocols share. Accepts connections, waits until the peer
  // has sent its first bytes, and hands over the descriptor (nonblocking, closed on
  // exec), which `accept` owns from then on, with those bytes, at most 64 of them and
  // possibly one alone: they are still to be read from the descriptor. `accept` runs on
  // the transport's loops, on several at the same time; from there StreamOverFd gives a
  // stream of the same loop. A peer that says nothing for `first_bytes_timeout` is
  // dropped.
  using AcceptRaw = absl::AnyInvocable<void(int fd, std::string_view first_bytes)>;
  absl::StatusOr<std::unique_ptr<Listener>> ListenRaw(
      const Address& at, AcceptRaw accept,
      absl::Duration first_bytes_timeout = absl::Seconds(10));

 private:
  EventLoop& NextLoop();
  // The caller's loop if it is on one, else the next.
  EventLoop& NearLoop();

  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::atomic<uint32_t> next_{0};
  // After loops_, so that it is gone before them.
  std::unique_ptr<ThreadPool> resolver_;
};

// Stops a transport when it goes. Declared after what decorates the transport and
// before what uses it, so that these go in the right order on every way out.
class StopAtExit {
 public:
  explicit StopAtExit(TcpTransport& transport) : transport_(transport) {}
  ~StopAtExit() { transport_.Stop(); }
  StopAtExit(const StopAtExit&) = delete;
  StopAtExit& operator=(const StopAtExit&) = delete;

 private:
  TcpTransport& transport_;
};

}  // namespace skep

#endif  // SKEP_RPC_TCP_TRANSPORT_H_
