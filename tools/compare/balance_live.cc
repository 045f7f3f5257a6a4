#include "tools/compare/balance_live.h"

#include <sys/prctl.h>

#include <algorithm>
#include <latch>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/histogram.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/status.h"
#include "rpc/balance/balancer.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "rpc/tcp_transport.h"
#include "tools/compare/played_backend.h"

namespace skep {
namespace {

constexpr absl::Duration kReadyTimeout = absl::Seconds(10);

Address Loopback() { return Address::Tcp("127.0.0.1", 0); }

// What came of one policy's calls of one round.
struct Round {
  Histogram latency;  // of those that were answered
  uint64_t failed = 0;
};

// One policy's balancer, with its backends behind it and a client before it.
class Lane {
 public:
  static absl::StatusOr<std::unique_ptr<Lane>> Open(Transport& backends,
                                                    Transport& balancers,
                                                    Transport& clients,
                                                    PreciseTimer& timer,
                                                    const LiveBalanceOptions& options,
                                                    const ComparedPolicy& policy) {
    std::unique_ptr<Lane> lane(new Lane(backends, options));
    std::vector<Address> addresses;
    for (int i = 0; i < options.backends; ++i) {
      const bool special = i == 0;
      auto backend = std::make_shared<PlayedBackend>(
          PlayedBackend::Options{
              .workers = options.workers,
              .slowdown = special && options.mix == ServiceMix::kSlowBackend
                              ? kSlowBackendFactor
                              : 1,
              .fails = special && options.mix == ServiceMix::kFailingBackend,
              .freezes = special && options.mix == ServiceMix::kFrozenBackend},
          backends.executor(), timer);
      auto table = std::make_unique<ServiceTable>();
      table->Add(backend.get());
      SKEP_ASSIGN_OR_RETURN(auto server, Server::Listen(backends, Loopback(), *table));
      addresses.push_back(server->address());
      lane->backends_.push_back(std::move(backend));
      lane->tables_.push_back(std::move(table));
      lane->servers_.push_back(std::move(server));
    }
    BalancerOptions balancer;
    balancer.policy = policy.policy;
    balancer.mode = policy.late ? BindMode::kLate : BindMode::kEarly;
    balancer.window = options.workers;
    balancer.error_hold = options.error_hold * options.unit;
    // What is compared is the choice, not the leaving out of backends that fail.
    balancer.check_interval = absl::ZeroDuration();
    balancer.health.errors_in_a_row = 0;
    balancer.seed = options.seed;
    SKEP_ASSIGN_OR_RETURN(lane->balancer_,
                          Balancer::Listen(balancers, Loopback(), addresses, balancer));
    lane->channel_ = Connect(clients, lane->balancer_->address());
    return lane;
  }

  ~Lane() {
    // What is outstanding, after an error, completes with it.
    channel_->Close(absl::OkStatus());
    AwaitAll(kReadyTimeout);
    channel_.reset();
    balancer_.reset();
    std::latch stopped(1);
    executor_.Post([&] {
      for (const auto& backend : backends_) backend->Stop();
      stopped.count_down();
    });
    stopped.wait();
    for (const auto& server : servers_) server->Shutdown(absl::ZeroDuration());
  }

  absl::Status AwaitReady() {
    const absl::Time end = Clock::Real().Now() + kReadyTimeout;
    while (Clock::Real().Now() < end) {
      int up = 0;
      for (const auto& backend : balancer_->backends()) up += backend.connected;
      if (up == options_.backends && channel_->connected()) return absl::OkStatus();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return Unavailable("the backends were not connected within ",
                       absl::FormatDuration(kReadyTimeout));
  }

  void Send(absl::Time meant, absl::Duration takes, int round) {
    echo::EchoRequest request;
    request.set_payload(std::to_string(absl::ToInt64Nanoseconds(takes)));
    {
      MutexLock lock(mutex_);
      ++outstanding_;
    }
    Call<echo::EchoResponse>(
        *channel_, method_, request, {.timeout = options_.timeout * options_.unit},
        [this, meant, round](const auto& reply) { Ended(meant, round, reply.ok()); });
  }

  bool AwaitAll(absl::Duration timeout) {
    const absl::Time end = Clock::Real().Now() + timeout;
    MutexLock lock(mutex_);
    while (outstanding_ > 0) {
      const absl::Duration left = end - Clock::Real().Now();
      if (left <= absl::ZeroDuration()) return false;
      changed_.WaitFor(mutex_, left);
    }
    return true;
  }

  BalanceSamples Samples(int rounds) {
    BalanceSamples samples;
    const double unit = absl::ToDoubleNanoseconds(options_.unit);
    MutexLock lock(mutex_);
    for (int i = 1; i <= rounds; ++i) {  // the first filled the queues
      const Round& round = rounds_[i];
      const uint64_t answered = round.latency.count();
      const auto latency = [&](double nanoseconds) {
        return answered == 0 ? std::numeric_limits<double>::quiet_NaN()
                             : nanoseconds / unit;
      };
      samples.mean.push_back(latency(round.latency.mean()));
      samples.p50.push_back(latency(static_cast<double>(round.latency.Percentile(50))));
      samples.p99.push_back(latency(static_cast<double>(round.latency.Percentile(99))));
      samples.failed.push_back(answered + round.failed == 0
                                   ? 0
                                   : static_cast<double>(round.failed) /
                                         static_cast<double>(answered + round.failed));
    }
    return samples;
  }

 private:
  Lane(Transport& backends, const LiveBalanceOptions& options)
      : options_(options), executor_(backends.executor()) {
    MutexLock lock(mutex_);
    rounds_.resize(static_cast<size_t>(options.rounds) + 1);
  }

  void Ended(absl::Time meant, int round, bool answered) {
    const absl::Duration took = Clock::Real().Now() - meant;
    MutexLock lock(mutex_);
    if (answered) {
      rounds_[round].latency.Record(
          static_cast<uint64_t>(absl::ToInt64Nanoseconds(took)));
    } else {
      ++rounds_[round].failed;
    }
    if (--outstanding_ == 0) changed_.SignalAll();
  }

  const LiveBalanceOptions& options_;
  Executor& executor_;  // the backends'
  const google::protobuf::MethodDescriptor& method_ = Method<echo::EchoService>("Echo");
  std::vector<std::shared_ptr<PlayedBackend>> backends_;
  std::vector<std::unique_ptr<ServiceTable>> tables_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::unique_ptr<Balancer> balancer_;
  std::shared_ptr<Channel> channel_;

  Mutex mutex_;
  CondVar changed_;
  int64_t outstanding_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Round> rounds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<LiveBalanceResult> CompareLive(
    const LiveBalanceOptions& options, const std::vector<ComparedPolicy>& policies,
    const std::function<bool()>& stopped) {
  TcpTransport backends(1), balancers(1), clients(1);
  PreciseTimer timer;
  std::vector<std::unique_ptr<Lane>> lanes;
  for (const ComparedPolicy& policy : policies) {
    SKEP_ASSIGN_OR_RETURN(lanes.emplace_back(), Lane::Open(backends, balancers, clients,
                                                           timer, options, policy));
  }
  for (const auto& lane : lanes) SKEP_RETURN_IF_ERROR(lane->AwaitReady());

  prctl(PR_SET_TIMERSLACK, 1);
  Random random(options.seed);
  const ServiceTimes times(options.mix);
  const absl::Duration gap =
      options.unit / (options.load * times.Capacity(options.backends, options.workers));
  LiveBalanceResult result;
  Histogram late;
  const absl::Time begin = Clock::Real().Now();
  absl::Time meant = begin;
  int whole = 0;  // rounds
  while (true) {
    meant += gap * ServiceTimes::Exponential(random);
    const auto round = static_cast<int>((meant - begin) / options.round);
    whole = round - 1;
    if (round > options.rounds || stopped()) break;
    const absl::Duration takes = options.unit * times.Next(random);
    const absl::Duration left = meant - Clock::Real().Now();
    if (left > absl::ZeroDuration()) {
      std::this_thread::sleep_for(absl::ToChronoNanoseconds(left));
    }
    late.Record(static_cast<uint64_t>(
        std::max<int64_t>(0, absl::ToInt64Nanoseconds(Clock::Real().Now() - meant))));
    // Each is the first in turn.
    for (size_t i = 0; i < lanes.size(); ++i) {
      lanes[(i + result.calls) % lanes.size()]->Send(meant, takes, round);
    }
    ++result.calls;
  }
  for (const auto& lane : lanes) {
    if (!lane->AwaitAll(options.timeout * options.unit + kReadyTimeout)) {
      return Internal("calls did not end by their deadline");
    }
  }
  result.late_p99 = absl::Nanoseconds(late.Percentile(99));
  for (const auto& lane : lanes) {
    result.of.push_back(lane->Samples(std::clamp(whole, 0, options.rounds)));
  }
  return result;
}

}  // namespace skep
