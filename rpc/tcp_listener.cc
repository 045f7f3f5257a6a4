#include "rpc/tcp_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <glog/logging.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"

namespace skep {
namespace {

// Connections accepted before the loop's other sockets have their turn.
constexpr int kAcceptsPerEvent = 64;
// How long nothing is accepted when there is not even a descriptor to refuse with.
constexpr absl::Duration kPause = absl::Milliseconds(100);

// The user's callback, and the promise that it does not run any more after Stop.
class Gate {
 public:
  explicit Gate(AcceptSocket accept) : accept_(std::move(accept)) {}

  // Several loops may be inside at once.
  void Enter(EventLoop& loop, Fd socket, std::string_view first_bytes) {
    {
      MutexLock lock(mutex_);
      if (stopped_) return;
      ++inside_;
    }
    const Gate* const outer = std::exchange(current_, this);
    accept_(loop, std::move(socket), first_bytes);
    current_ = outer;
    MutexLock lock(mutex_);
    --inside_;
    left_.SignalAll();
  }

  // Waits for callbacks that run elsewhere; they are short. The one that we may be
  // called from is not waited for.
  void Stop() {
    const int own = current_ == this ? 1 : 0;
    AcceptSocket dropped;
    MutexLock lock(mutex_);
    stopped_ = true;
    while (inside_ > own) {
      if (!left_.WaitFor(mutex_, absl::Seconds(10))) {
        LOG(WARNING) << "listener_stop_waits accepting=" << inside_;
      }
    }
    if (own == 0) dropped = std::move(accept_);
  }

 private:
  static thread_local const Gate* current_;

  AcceptSocket accept_;
  Mutex mutex_;
  CondVar left_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  int inside_ ABSL_GUARDED_BY(mutex_) = 0;
};

thread_local const Gate* Gate::current_ = nullptr;

// Waits for a socket's first bytes; deletes itself.
class Peeker final : public Watcher {
 public:
  using Then = absl::AnyInvocable<void(Fd socket, std::string_view first_bytes)>;

  Peeker(EventLoop& loop, Fd socket, Then then)
      : loop_(loop), socket_(std::move(socket)), then_(std::move(then)) {}

  void Begin(absl::Duration timeout) {
    loop_.Attach(this);
    const absl::Status status = loop_.Watch(socket_.get(), kReadable, this);
    if (!status.ok()) {
      LOG(ERROR) << "connection dropped: " << status;
      loop_.Detach(this);
      delete this;
      return;
    }
    timer_ = loop_.PostAfter(timeout, [this] {
      VLOG(1) << "connection dropped: nothing sent";
      Leave();
      delete this;
    });
  }

  void OnReady(Readiness) override {
    char bytes[kPeekBytes];
    const ssize_t count = recv(socket_.get(), bytes, sizeof bytes, MSG_PEEK);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    Leave();
    Then then = std::move(then_);
    Fd socket = std::move(socket_);
    delete this;
    if (count > 0) then(std::move(socket), std::string_view(bytes, count));
  }

  void OnLoopStopping() override { delete this; }

 private:
  void Leave() {
    loop_.Cancel(timer_);
    loop_.Unwatch(socket_.get(), this);
    loop_.Detach(this);
  }

  EventLoop& loop_;
  Fd socket_;
  Then then_;
  TimerId timer_;
};

// The listening socket, on its loop from Begin to Stop.
class Acceptor final : public Watcher {
 public:
  Acceptor(EventLoop& loop, std::function<EventLoop&()> next_loop, Fd socket,
           const TcpListenOptions& options, std::shared_ptr<Gate> gate,
           std::string name)
      : loop_(loop),
        next_loop_(std::move(next_loop)),
        socket_(std::move(socket)),
        options_(options),
        gate_(std::move(gate)),
        name_(std::move(name)) {
    OpenSpare();
  }

  int fd() const { return socket_.get(); }

  void Begin() {
    loop_.Attach(this);
    attached_ = true;
    Resume();
  }

  void Stop() {
    loop_.Cancel(pause_timer_);
    Pause();
    if (std::exchange(attached_, false)) loop_.Detach(this);
  }

  void OnReady(Readiness) override {
    for (int i = 0; i < kAcceptsPerEvent; ++i) {
      Fd accepted(
          accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!accepted.valid()) {
        OnError(errno);
        return;
      }
      EventLoop& to = next_loop_();
      to.Post([gate = gate_, timeout = options_.first_bytes_timeout, &to,
               accepted = std::move(accepted)]() mutable {
        Deliver(to, std::move(accepted), timeout, gate);
      });
    }
  }

  void OnLoopStopping() override {
    Pause();
    attached_ = false;
  }

 private:
  // On the loop `to`.
  static void Deliver(EventLoop& to, Fd socket, absl::Duration first_bytes_timeout,
                      const std::shared_ptr<Gate>& gate) {
    if (first_bytes_timeout <= absl::ZeroDuration()) {
      gate->Enter(to, std::move(socket), "");
      return;
    }
    auto* const peeker = new Peeker(
        to, std::move(socket), [gate, &to](Fd socket, std::string_view first_bytes) {
          gate->Enter(to, std::move(socket), first_bytes);
        });
    peeker->Begin(first_bytes_timeout);
  }

  void OnError(int error) {
    switch (error) {
      case EAGAIN:
      case EINTR:
      case ECONNABORTED:
        return;
      case EMFILE:
      case ENFILE:
        RefuseOne(error);
        return;
      case EINVAL:
        // Shut down by the handle, whose Stop is on its way.
        Pause();
        return;
      default:
        LOG_EVERY_N(WARNING, 100)
            << Message(ErrnoToStatus(error, "accept at " + name_));
        PauseFor(kPause);
    }
  }

  // Out of descriptors. A connection that waits to be accepted is reported for ever,
  // and its client waits for ever: give up the spare, accept, close.
  void RefuseOne(int error) {
    LOG_EVERY_N(ERROR, 100) << Message(ErrnoToStatus(error, "accept at " + name_))
                            << "; connections are closed as they arrive (ulimit -n)";
    spare_.Reset();
    Fd refused(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    refused.Reset();
    OpenSpare();
    // Another thread was quicker to take the descriptor.
    if (!spare_.valid()) PauseFor(kPause);
  }

  void OpenSpare() { spare_ = Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

  void PauseFor(absl::Duration pause) {
    Pause();
    pause_timer_ = loop_.PostAfter(pause, [this] {
      pause_timer_ = TimerId();
      if (!spare_.valid()) OpenSpare();
      Resume();
    });
  }

  void Pause() {
    if (std::exchange(watched_, false)) loop_.Unwatch(socket_.get(), this);
  }

  void Resume() {
    const absl::Status status = loop_.Watch(socket_.get(), kReadable, this);
    watched_ = status.ok();
    if (!watched_) {
      LOG(ERROR) << "listen at " << name_ << ": " << status;
      PauseFor(kPause);
    }
  }

  EventLoop& loop_;
  const std::function<EventLoop&()> next_loop_;
  Fd socket_;
  Fd spare_;
  const TcpListenOptions options_;
  const std::shared_ptr<Gate> gate_;  // Shared with what is posted to other loops.
  const std::string name_;
  bool attached_ = false;
  bool watched_ = false;
  TimerId pause_timer_;
};

// What the user holds.
class TcpListener final : public Listener {
 public:
  TcpListener(EventLoop& loop, std::unique_ptr<Acceptor> acceptor,
              std::shared_ptr<Gate> gate, Address address)
      : loop_(loop),
        acceptor_(std::move(acceptor)),
        gate_(std::move(gate)),
        address_(std::move(address)) {
    // If the loop has no more turns, neither has it the destructor's closure.
    loop_.Post([acceptor = acceptor_.get()] { acceptor->Begin(); });
  }

  ~TcpListener() override {
    // Before our socket refuses: from then on the file may be a successor's.
    if (address_.is_unix()) unlink(address_.unix_path().c_str());
    // Frees the port at once; the loop, where the descriptor is closed, may be busy.
    shutdown(acceptor_->fd(), SHUT_RDWR);
    gate_->Stop();
    loop_.Post([acceptor = std::move(acceptor_)] { acceptor->Stop(); });
  }

  const Address& address() const override { return address_; }

 private:
  EventLoop& loop_;
  std::unique_ptr<Acceptor> acceptor_;
  const std::shared_ptr<Gate> gate_;
  const Address address_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> TcpListen(
    EventLoop& loop, std::function<EventLoop&()> next_loop, const Address& at,
    const TcpListenOptions& options, AcceptSocket accept) {
  SKEP_ASSIGN_OR_RETURN(Fd socket, ListenSocket(at));
  // A name stays a name: a peer is told what was asked for, with the port.
  const Address real =
      at.is_unix()
          ? at
          : Address::Tcp(at.host(), LocalAddress(socket.get()).ToAddress().port());
  auto gate = std::make_shared<Gate>(std::move(accept));
  auto acceptor = std::make_unique<Acceptor>(
      loop, std::move(next_loop), std::move(socket), options, gate, real.ToString());
  return std::make_unique<TcpListener>(loop, std::move(acceptor), std::move(gate),
                                       real);
}

}  // namespace skep
