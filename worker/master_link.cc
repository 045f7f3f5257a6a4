#include "worker/master_link.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "base/log_filter.h"
#include "base/status.h"
#include "glog/logging.h"
#include "worker/attempt.h"
#include "worker/retry.h"

namespace skep {
namespace {

constexpr absl::Duration kRegisterTimeout = absl::Seconds(10);
// After a refusal: the operator may have to act, so there is no hurry.
constexpr absl::Duration kRegisterAgainAfter = absl::Seconds(2);
// If the master does not say.
constexpr absl::Duration kDefaultLease = absl::Seconds(3);
// As long as an attempt waits (part_file.cc).
constexpr absl::Duration kCommitPatience = absl::Seconds(90);
constexpr absl::Duration kCommitBackoff = absl::Milliseconds(200);
// Heartbeats without an answer, each for a lease's time, after which the connection is
// taken for dead although nobody closed it (a cable pulled, a machine suspended).
constexpr int kMaxSilentHeartbeats = 2;

}  // namespace

struct MasterLink::Core : std::enable_shared_from_this<MasterLink::Core> {
  Core(Transport& transport, const Address& master, std::string fleet,
       const ServiceTable& services, MasterLinkHooks hooks)
      : transport(transport),
        master(master),
        fleet(std::move(fleet)),
        services(services),
        hooks(std::move(hooks)) {}

  // Runs `hook` unless stopped, and makes Stop wait for it.
  template <typename Hook>
  void Guarded(Hook hook) {
    {
      MutexLock lock(mutex);
      if (stopped) return;
      ++in_hooks;
    }
    hook();
    MutexLock lock(mutex);
    if (--in_hooks == 0) idle.SignalAll();
  }

  std::shared_ptr<Channel> channel() {
    MutexLock lock(mutex);
    return the_channel;
  }

  // Replaces the connection. Closing the old one fails what is outstanding on it.
  void Connect() {
    std::shared_ptr<Channel> old;
    {
      // Held while connecting, so that on_state finds the channel.
      MutexLock lock(mutex);
      if (stopped) return;
      silent_heartbeats = 0;
      ConnectOptions options;
      options.services = &services;
      options.fleet = fleet;
      options.max_backoff = absl::Seconds(1);
      options.on_state = [weak = weak_from_this(),
                          number = ++connection](bool connected) {
        if (const auto core = weak.lock()) core->OnState(number, connected);
      };
      old = std::exchange(the_channel,
                          skep::Connect(transport, master, std::move(options)));
    }
    if (old != nullptr)
      old->Close(Unavailable("the master did not answer; connecting again"));
  }

  void OnState(uint64_t of_connection, bool connected) {
    uint64_t now = 0;
    {
      MutexLock lock(mutex);
      if (of_connection != connection) return;
      now = ++generation;
      registered = connected ? Unavailable("registering with the master at ", master)
                             : Unavailable("the connection to the master at ", master,
                                           " was lost; connecting again");
    }
    if (connected) Register(now);
  }

  // `of`: the generation, which changes with every connection and registration; what
  // belongs to an older one stops by itself.
  bool Current(uint64_t of) {
    MutexLock lock(mutex);
    return !stopped && generation == of;
  }

  void Register(uint64_t of) {
    Guarded([this, of] {
      const std::shared_ptr<Channel> to = channel();
      if (to == nullptr || !Current(of)) return;
      CallOptions options;
      options.timeout = kRegisterTimeout;
      Call<RegisterReply>(
          *to, Method<MasterService>("Register"), hooks.make_register(),
          std::move(options),
          [weak = weak_from_this(), of](absl::StatusOr<Reply<RegisterReply>> reply) {
            if (const auto core = weak.lock()) core->OnRegistered(of, std::move(reply));
          });
    });
  }

  void OnRegistered(uint64_t of, absl::StatusOr<Reply<RegisterReply>> reply) {
    if (!Current(of)) return;
    if (!reply.ok()) {
      // It tries again for as long as it lives.
      LOG_IF(ERROR, failures.Passes(reply.status().ToString(), absl::Now()))
          << "register_failed master=" << master.ToString() << " reason=\""
          << reply.status() << "\"";
      {
        MutexLock lock(mutex);
        registered = reply.status();
      }
      After(kRegisterAgainAfter, [of](Core& core) { core.Register(of); });
      return;
    }
    const RegisterReply& message = reply->message;
    {
      MutexLock lock(mutex);
      registered = absl::OkStatus();
      worker = message.worker();
      epoch = std::max(epoch, message.epoch());
      lease = message.lease_ms() > 0 ? absl::Milliseconds(message.lease_ms())
                                     : kDefaultLease;
    }
    VLOG(1) << "registered worker=" << message.worker() << " epoch=" << message.epoch();
    Guarded([&] { hooks.registered(message); });
    ScheduleHeartbeat(of);
  }

  void ScheduleHeartbeat(uint64_t of) {
    absl::Duration interval;
    {
      MutexLock lock(mutex);
      interval = lease / 3;
    }
    After(interval, [of](Core& core) { core.Heartbeat(of); });
  }

  void Heartbeat(uint64_t of) {
    if (!Current(of)) return;
    Guarded([this, of] {
      HeartbeatRequest request = hooks.make_heartbeat();
      CallOptions options;
      {
        MutexLock lock(mutex);
        request.set_worker(worker);
        options.timeout = lease;
      }
      const std::shared_ptr<Channel> to = channel();
      if (to == nullptr) return;
      Call<HeartbeatReply>(
          *to, Method<MasterService>("Heartbeat"), request, std::move(options),
          [weak = weak_from_this(), of](absl::StatusOr<Reply<HeartbeatReply>> reply) {
            const auto core = weak.lock();
            if (core != nullptr && core->Current(of)) core->OnHeartbeat(of, reply);
          });
    });
    ScheduleHeartbeat(of);
  }

  void OnHeartbeat(uint64_t of, const absl::StatusOr<Reply<HeartbeatReply>>& reply) {
    bool dead = false;
    {
      MutexLock lock(mutex);
      silent_heartbeats =
          absl::IsDeadlineExceeded(reply.status()) ? silent_heartbeats + 1 : 0;
      dead = silent_heartbeats >= kMaxSilentHeartbeats;
    }
    if (dead) {
      LOG(WARNING) << "master_silent master=" << master.ToString();
      Connect();
    } else if (reply.ok() && !reply->message.known()) {
      RegisterAnew(of);
    }
  }

  // What belongs to registration `of` stops; a new one begins.
  void RegisterAnew(uint64_t of) {
    {
      MutexLock lock(mutex);
      if (generation != of) return;
      of = ++generation;
      registered = Unavailable("registering with the master at ", master, " again");
    }
    Register(of);
  }

  void RequestCommit(const AttemptId& id, absl::Time give_up, Done done) {
    const std::shared_ptr<Channel> to = channel();
    if (to == nullptr) {
      done(Unavailable("the worker is shutting down"));
      return;
    }
    CommitRequest request;
    *request.mutable_id() = id;
    Call<CommitReply>(*to, Method<MasterService>("RequestCommit"), request, {},
                      [weak = weak_from_this(), id, give_up, done = std::move(done)](
                          absl::StatusOr<Reply<CommitReply>> reply) mutable {
                        const auto core = weak.lock();
                        if (reply.ok()) {
                          done(reply->message.granted());
                        } else if (core == nullptr || !IsTransient(reply.status()) ||
                                   absl::Now() + kCommitBackoff > give_up) {
                          done(reply.status());
                        } else {
                          core->CommitLater(id, give_up, std::move(done));
                        }
                      });
  }

  void CommitLater(const AttemptId& id, absl::Time give_up, Done done) {
    transport.executor().PostAfter(
        kCommitBackoff,
        [weak = weak_from_this(), id, give_up, done = std::move(done)]() mutable {
          if (const auto core = weak.lock()) {
            core->RequestCommit(id, give_up, std::move(done));
          } else {
            done(Unavailable("the worker is shutting down"));
          }
        });
  }

  template <typename Fn>
  void After(absl::Duration delay, Fn fn) {
    transport.executor().PostAfter(delay, [weak = weak_from_this(), fn] {
      if (const auto core = weak.lock()) fn(*core);
    });
  }

  Transport& transport;
  const Address master;
  const std::string fleet;
  const ServiceTable& services;
  const MasterLinkHooks hooks;
  LogFilter failures;

  mutable Mutex mutex;
  CondVar idle;
  bool stopped ABSL_GUARDED_BY(mutex) = false;
  int in_hooks ABSL_GUARDED_BY(mutex) = 0;
  uint64_t connection ABSL_GUARDED_BY(mutex) = 0;
  uint64_t generation ABSL_GUARDED_BY(mutex) = 0;
  int silent_heartbeats ABSL_GUARDED_BY(mutex) = 0;
  uint64_t worker ABSL_GUARDED_BY(mutex) = 0;
  uint64_t epoch ABSL_GUARDED_BY(mutex) = 0;
  absl::Duration lease ABSL_GUARDED_BY(mutex) = kDefaultLease;
  absl::Status registered ABSL_GUARDED_BY(mutex) = Unavailable("not connected yet");
  std::shared_ptr<Channel> the_channel ABSL_GUARDED_BY(mutex);
};

MasterLink::MasterLink(Transport& transport, const Address& master, std::string fleet,
                       const ServiceTable& services, MasterLinkHooks hooks)
    : core_(std::make_shared<Core>(transport, master, std::move(fleet), services,
                                   std::move(hooks))) {}

MasterLink::~MasterLink() { Stop(); }

void MasterLink::Start() { core_->Connect(); }

void MasterLink::Stop() {
  std::shared_ptr<Channel> channel;
  {
    MutexLock lock(core_->mutex);
    core_->stopped = true;
    channel = std::move(core_->the_channel);
    core_->registered = Unavailable("the worker is shutting down");
    while (core_->in_hooks > 0) core_->idle.Wait(core_->mutex);
  }
  if (channel != nullptr) channel->Close(Unavailable("the worker is shutting down"));
}

void MasterLink::RequestCommit(const AttemptId& id, Done done) {
  core_->RequestCommit(id, absl::Now() + kCommitPatience, std::move(done));
}

absl::Status MasterLink::state() const {
  MutexLock lock(core_->mutex);
  return core_->registered;
}

uint64_t MasterLink::epoch() const {
  MutexLock lock(core_->mutex);
  return core_->epoch;
}

}  // namespace skep
