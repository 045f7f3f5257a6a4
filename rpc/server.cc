#include "rpc/server.h"

#include <map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "glog/logging.h"
#include "rpc/channel_core.h"

namespace skep {
namespace {

// After its grace a connection is aborted, and gone as soon as its loop gets to it.
constexpr absl::Duration kAbortTimeout = absl::Seconds(10);
// Handlers whose caller has gone see their stop token; they are waited for this long.
constexpr absl::Duration kHandlerTimeout = absl::Seconds(60);

// Whether nobody but the caller runs the executor, and the caller is not in one of its
// closures: then nothing would run what is posted, and nothing is in our way.
bool IsIdleManual(const Executor& executor) {
  return !executor.RunsByItself() && !executor.IsCurrent();
}

// What a user holds: letting go of it closes the channel.
std::shared_ptr<Channel> HandleOf(std::shared_ptr<ChannelCore> core) {
  Channel* const channel = core.get();
  return std::shared_ptr<Channel>(channel, [core = std::move(core)](Channel*) {
    absl::Status reason = Cancelled("the channel to ", core->peer(), " was closed");
    if (IsIdleManual(core->executor())) {
      core->DropNow(std::move(reason));
    } else {
      core->Close(std::move(reason));
    }
  });
}

// The server's connections. Shared, because connections outlive the server on their way
// to their end.
class Connections : public std::enable_shared_from_this<Connections> {
 public:
  Connections(const ServiceTable& services, ServerOptions options)
      : services_(services), options_(std::move(options)) {}

  void Accept(std::unique_ptr<Stream> stream) {
    std::shared_ptr<ChannelCore> core;
    {
      MutexLock lock(mutex_);
      if (stopped_ || static_cast<int>(cores_.size()) >= options_.max_connections) {
        if (!stopped_) {
          LOG(WARNING) << "connection_refused peer=" << stream->peer()
                       << " open=" << cores_.size();
        }
        return;
      }
      const uint64_t id = ++last_id_;
      core = std::make_shared<ChannelCore>(stream->executor(), stream->peer(),
                                           CoreOptions(id));
      cores_.emplace(id, core);
    }
    core->Adopt(std::move(stream));
  }

  void Stop() {
    MutexLock lock(mutex_);
    stopped_ = true;
  }

  // Runs `what` for every connection, on its executor.
  void ForEach(void (*what)(ChannelCore&)) {
    for (const std::shared_ptr<ChannelCore>& core : All()) {
      core->executor().Post([core, what] { what(*core); });
    }
  }

  std::vector<std::shared_ptr<ChannelCore>> All() const {
    MutexLock lock(mutex_);
    std::vector<std::shared_ptr<ChannelCore>> all;
    for (const auto& [id, core] : cores_) all.push_back(core);
    return all;
  }

  bool AwaitEmpty(absl::Duration timeout) {
    const Clock& clock = Clock::Real();
    const absl::Time end = clock.Now() + timeout;
    MutexLock lock(mutex_);
    while (!cores_.empty()) {
      const absl::Duration left = end - clock.Now();
      if (left <= absl::ZeroDuration()) return false;
      changed_.WaitFor(mutex_, left);
    }
    return true;
  }

  int size() const {
    MutexLock lock(mutex_);
    return static_cast<int>(cores_.size());
  }
  ServerLoad& load() { return *load_; }

 private:
  ChannelCoreOptions CoreOptions(uint64_t id) {
    ChannelCoreOptions core;
    core.connect.services = &services_;
    core.connect.pool = options_.pool;
    core.connect.reconnect = false;
    core.connect.wait_for_ready = false;
    core.connect.fleet = options_.fleet;
    core.connect.job_table_digest = options_.job_table_digest;
    core.accepted = true;
    core.high_water_bytes = options_.high_water_bytes;
    core.max_calls = options_.max_calls_per_connection;
    core.max_request_bytes = options_.max_request_bytes_per_connection;
    core.idle_timeout = options_.idle_timeout;
    core.frame_timeout = options_.frame_timeout;
    core.stall_timeout = options_.stall_timeout;
    core.legacy_failure = options_.legacy_failure;
    core.other_protocol = options_.other_protocol;
    core.load = load_;
    core.on_ended = [weak = weak_from_this(), id] {
      if (const std::shared_ptr<Connections> self = weak.lock()) self->Remove(id);
    };
    return core;
  }

  void Remove(uint64_t id) {
    std::shared_ptr<ChannelCore> gone;  // destroyed outside the lock
    MutexLock lock(mutex_);
    const auto it = cores_.find(id);
    if (it == cores_.end()) return;
    gone = std::move(it->second);
    cores_.erase(it);
    if (cores_.empty()) changed_.SignalAll();
  }

  const ServiceTable& services_;
  const ServerOptions options_;
  const std::shared_ptr<ServerLoad> load_ =
      std::make_shared<ServerLoad>(options_.max_memory_bytes);
  mutable Mutex mutex_;
  CondVar changed_;
  std::map<uint64_t, std::shared_ptr<ChannelCore>> cores_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

class ServerImpl final : public Server {
 public:
  ServerImpl(Transport& transport, std::shared_ptr<Connections> connections,
             std::unique_ptr<Listener> listener)
      : transport_(transport),
        connections_(std::move(connections)),
        listener_(std::move(listener)),
        address_(listener_->address()) {}

  ~ServerImpl() override {
    if (!IsIdleManual(transport_.executor())) {
      Shutdown(absl::ZeroDuration());
      return;
    }
    connections_->Stop();
    listener_ = nullptr;
    for (const std::shared_ptr<ChannelCore>& core : connections_->All()) {
      core->DropNow(Unavailable("the server has shut down"));
    }
  }

  const Address& address() const override { return address_; }
  int connections() const override { return connections_->size(); }
  size_t memory_bytes() const override { return connections_->load().held(); }

  void Shutdown(absl::Duration grace) override {
    connections_->Stop();
    listener_ = nullptr;
    if (grace > absl::ZeroDuration()) {
      connections_->ForEach([](ChannelCore& core) { core.BeginShutdown(); });
    }
    if (!MayBlock()) {
      transport_.executor().PostAfter(
          grace, [connections = connections_] { AbortAll(*connections); });
      return;
    }
    if (grace > absl::ZeroDuration() && connections_->AwaitEmpty(grace)) {
      return AwaitHandlers();
    }
    AbortAll(*connections_);
    if (!connections_->AwaitEmpty(kAbortTimeout)) {
      LOG(ERROR) << "server_shutdown address=" << address_.ToString()
                 << " connections_left=" << connections_->size();
    }
    AwaitHandlers();
  }

 private:
  static void AbortAll(Connections& connections) {
    connections.ForEach([](ChannelCore& core) {
      core.AbortNow(Unavailable("the server has shut down"));
    });
  }

  bool MayBlock() const {
    Executor& own = transport_.executor();
    if (!own.RunsByItself() || own.IsCurrent()) return false;
    for (const std::shared_ptr<ChannelCore>& core : connections_->All()) {
      if (core->executor().IsCurrent()) return false;
    }
    return true;
  }

  void AwaitHandlers() {
    if (connections_->load().AwaitHandlers(kHandlerTimeout)) return;
    LOG(ERROR) << "server_shutdown address=" << address_.ToString()
               << " reason=handlers still run after " << kHandlerTimeout;
  }

  Transport& transport_;
  const std::shared_ptr<Connections> connections_;
  std::unique_ptr<Listener> listener_;
  const Address address_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(Transport& transport,
                                                       const Address& at,
                                                       const ServiceTable& services,
                                                       ServerOptions options) {
  auto connections = std::make_shared<Connections>(services, std::move(options));
  SKEP_ASSIGN_OR_RETURN(
      std::unique_ptr<Listener> listener,
      transport.Listen(at, [connections](std::unique_ptr<Stream> stream) {
        connections->Accept(std::move(stream));
      }));
  return std::make_unique<ServerImpl>(transport, std::move(connections),
                                      std::move(listener));
}

std::shared_ptr<Channel> Connect(Transport& transport, const Address& to,
                                 ConnectOptions options) {
  ChannelCoreOptions core_options;
  core_options.connect = std::move(options);
  auto core = std::make_shared<ChannelCore>(transport.executor(), to.ToString(),
                                            std::move(core_options));
  core->ConnectTo(&transport, to);
  return HandleOf(std::move(core));
}

std::shared_ptr<Channel> ChannelOver(std::unique_ptr<Stream> stream,
                                     ConnectOptions options) {
  ChannelCoreOptions core_options;
  core_options.connect = std::move(options);
  auto core = std::make_shared<ChannelCore>(stream->executor(), stream->peer(),
                                            std::move(core_options));
  core->Adopt(std::move(stream));
  return HandleOf(std::move(core));
}

}  // namespace skep
