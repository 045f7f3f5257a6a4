#include "rpc/tcp_connector.h"

#include <errno.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "rpc/socket.h"
#include "rpc/tcp_stream.h"

namespace skep {
namespace {

// Lives on its loop from Begin to Finish, which deletes it.
class Connector final : public Watcher {
 public:
  Connector(EventLoop& loop, const Address& to, absl::Duration timeout,
            Transport::Connected done)
      : loop_(loop),
        to_(to),
        timeout_(timeout),
        deadline_(loop.clock().Now() + timeout),
        done_(std::move(done)) {}

  void Begin(ThreadPool& resolver) {
    loop_.Attach(this);
    if (IsNumeric(to_)) {
      OnResolved(Resolve(to_));
      return;
    }
    step_timer_ =
        loop_.PostAfter(deadline_ - loop_.clock().Now(), [this] { OnTimeout(); });
    StartResolving(resolver);
  }

  void OnReady(Readiness) override {
    const int error = PendingError(socket_.get());
    if (error != 0) {
      FailAddress(ConnectionError(error, What()));
    } else {
      OnConnected();
    }
  }

  void OnLoopStopping() override {
    attached_ = false;
    Finish(Cancelled(What(), ": the transport is stopping"));
  }

 private:
  using Addresses = absl::StatusOr<std::vector<SocketAddress>>;

  void StartResolving(ThreadPool& resolver) {
    // Shared with the resolver's thread, which may answer when the connector is long
    // gone; touched on the loop only.
    waiting_ = std::make_shared<Connector*>(this);
    const bool queued = resolver.Schedule(
        [waiting = waiting_, to = to_, deadline = deadline_, &loop = loop_] {
          // Behind slow names, in vain by now.
          if (loop.clock().Now() >= deadline) return;
          loop.Post([waiting, addresses = Resolve(to)] {
            if (*waiting != nullptr) (*waiting)->OnResolved(addresses);
          });
        });
    if (!queued) Finish(Unavailable(What(), ": too many names are being resolved"));
  }

  void OnResolved(const Addresses& addresses) {
    StopWaiting();
    if (!addresses.ok()) {
      Finish(Annotate(addresses.status(), What()));
      return;
    }
    addresses_ = *addresses;
    error_ = Unavailable(What(), ": no address");
    TryNext();
  }

  void TryNext() {
    const absl::Duration left = deadline_ - loop_.clock().Now();
    if (next_ == addresses_.size()) {
      Finish(error_);
      return;
    }
    if (left <= absl::ZeroDuration()) {
      Finish(TimedOut());
      return;
    }
    const absl::Duration share = left / static_cast<int64_t>(addresses_.size() - next_);
    const SocketAddress& address = addresses_[next_++];
    absl::StatusOr<Fd> socket = NewSocket(address.family());
    if (!socket.ok()) {
      FailAddress(Annotate(socket.status(), What()));
      return;
    }
    socket_ = *std::move(socket);
    if (connect(socket_.get(), address.get(), address.length) == 0) {
      OnConnected();
      return;
    }
    if (errno != EINPROGRESS) {
      FailAddress(ConnectionError(errno, What()));
      return;
    }
    const absl::Status status = loop_.Watch(socket_.get(), kWritable, this);
    if (!status.ok()) {
      FailAddress(Annotate(status, What()));
      return;
    }
    watched_ = true;
    step_timer_ = loop_.PostAfter(share, [this] { OnTimeout(); });
  }

  void OnTimeout() {
    step_timer_ = TimerId();
    FailAddress(TimedOut());
  }

  void FailAddress(absl::Status error) {
    StopWaiting();
    socket_.Reset();
    error_ = std::move(error);
    TryNext();
  }

  void OnConnected() {
    if (IsConnectedToItself(socket_.get())) {
      FailAddress(Unavailable(What(), ": connected to itself, nobody listens there"));
      return;
    }
    StopWaiting();
    Finish(std::make_unique<TcpStream>(loop_, std::move(socket_)));
  }

  void StopWaiting() {
    if (waiting_ != nullptr) *std::exchange(waiting_, nullptr) = nullptr;
    loop_.Cancel(std::exchange(step_timer_, TimerId()));
    if (std::exchange(watched_, false)) loop_.Unwatch(socket_.get(), this);
  }

  void Finish(absl::StatusOr<std::unique_ptr<Stream>> result) {
    StopWaiting();
    if (attached_) loop_.Detach(this);
    Transport::Connected done = std::move(done_);
    delete this;
    done(std::move(result));
  }

  std::string What() const { return StrCat("connect to ", to_); }
  absl::Status TimedOut() const {
    return DeadlineExceeded(What(), ": no answer within ",
                            absl::FormatDuration(timeout_));
  }

  EventLoop& loop_;
  const Address to_;
  const absl::Duration timeout_;
  const absl::Time deadline_;
  Transport::Connected done_;

  std::shared_ptr<Connector*> waiting_;
  std::vector<SocketAddress> addresses_;
  size_t next_ = 0;
  Fd socket_;
  bool watched_ = false;
  bool attached_ = true;
  TimerId step_timer_;
  // Of the address tried last.
  absl::Status error_;
};

}  // namespace

void TcpConnect(EventLoop& loop, ThreadPool& resolver, const Address& to,
                absl::Duration timeout, Transport::Connected done) {
  auto connector = std::make_unique<Connector>(loop, to, timeout, std::move(done));
  loop.Post([connector = std::move(connector), &resolver]() mutable {
    connector.release()->Begin(resolver);
  });
}

}  // namespace skep
