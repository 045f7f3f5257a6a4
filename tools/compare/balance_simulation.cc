#include "tools/compare/balance_simulation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <utility>

#include "base/histogram.h"
#include "base/random.h"
#include "base/status.h"
#include "rpc/balance/late_window.h"
#include "rpc/balance/phantom_pending.h"

namespace skep {
namespace {

constexpr std::array<std::pair<std::string_view, ServiceMix>, 6> kMixes = {{
    {"fixed", ServiceMix::kFixed},
    {"exponential", ServiceMix::kExponential},
    {"one-percent-slow", ServiceMix::kOnePercentSlow},
    {"slow-backend", ServiceMix::kSlowBackend},
    {"failing-backend", ServiceMix::kFailingBackend},
    {"frozen-backend", ServiceMix::kFrozenBackend},
}};

// A unit of simulated time, for PhantomPending and the histogram.
constexpr absl::Duration kUnit = absl::Milliseconds(1);

struct SimulatedCall {
  double arrived = 0;
  int balancer = 0;
  int backend = 0;
};

// A call that ends at `at`.
struct Ending {
  double at = 0;
  uint64_t order = 0;  // of equal times: first come, first served
  SimulatedCall call;
  bool operator>(const Ending& other) const {
    return std::pair(at, order) > std::pair(other.at, other.order);
  }
};

class Simulation {
 public:
  explicit Simulation(const BalanceSimulationOptions& options)
      : options_(options),
        times_(options.mix),
        random_(options.seed),
        backends_(options.backends) {
    for (int i = 0; i < options.balancers; ++i) {
      balancers_.push_back(std::make_unique<BalancerSide>(options, random_()));
    }
  }

  BalanceSimulationResult Run() {
    const double rate =
        options_.load * times_.Capacity(options_.backends, options_.workers);
    double now = 0;
    for (uint64_t i = 0; i < options_.calls; ++i) {
      now += ServiceTimes::Exponential(random_) / rate;
      RunUntil(now);
      Arrive(now, static_cast<int>(i % balancers_.size()));
    }
    RunUntil(std::numeric_limits<double>::infinity());
    BalanceSimulationResult result;
    result.mean_latency = latency_.mean() / kScale;
    result.p50_latency = static_cast<double>(latency_.Percentile(50)) / kScale;
    result.p99_latency = static_cast<double>(latency_.Percentile(99)) / kScale;
    result.failed =
        1 - static_cast<double>(latency_.count()) / static_cast<double>(options_.calls);
    return result;
  }

 private:
  static constexpr double kScale = 1e6;  // the histogram's integers in a unit

  struct Backend {
    int busy = 0;
    std::deque<SimulatedCall> waiting;
  };
  struct BalancerSide {
    BalancerSide(const BalanceSimulationOptions& options, uint64_t seed)
        : pick(seed),
          candidates(options.backends),
          phantoms(options.backends, PhantomPending(options.error_hold * kUnit)),
          pending(options.backends) {}
    PickState pick;
    std::vector<Candidate> candidates;
    std::vector<PhantomPending> phantoms;
    std::vector<int64_t> pending;
    int64_t under_way = 0;     // on all backends
    std::deque<double> queue;  // late binding: when the calls arrived that wait
  };

  bool Special(int backend) const { return backend == 0; }
  bool Fails(int backend) const {
    return options_.mix == ServiceMix::kFailingBackend && Special(backend);
  }
  bool Frozen(int backend) const {
    return options_.mix == ServiceMix::kFrozenBackend && Special(backend);
  }
  double ServiceTime(int backend) {
    const double time = times_.Next(random_);
    const bool slow = options_.mix == ServiceMix::kSlowBackend && Special(backend);
    return slow ? time * kSlowBackendFactor : time;
  }

  void Arrive(double now, int index) {
    BalancerSide& side = *balancers_[index];
    side.queue.push_back(now);
    Dispatch(now, index);
  }

  // Gives backends what waits in a balancer: all, or in late mode what they have
  // workers for (rpc's own rule, with a window as large as their number).
  void Dispatch(double now, int index) {
    BalancerSide& side = *balancers_[index];
    const absl::Time time = absl::UnixEpoch() + now * kUnit;
    while (!side.queue.empty()) {
      for (int i = 0; i < options_.backends; ++i) {
        const int64_t held = side.phantoms[i].Count(time);
        side.candidates[i].pending = side.pending[i] + held;
        side.candidates[i].usable =
            !options_.late || HasLateWindow(side.pending[i], held, side.under_way > 0,
                                            options_.workers, /*weight=*/1);
      }
      const auto picked = Pick(options_.policy, side.candidates, side.pick);
      if (!picked) return;
      const int backend = static_cast<int>(*picked);
      const SimulatedCall call{side.queue.front(), index, backend};
      side.queue.pop_front();
      if (Fails(backend)) {
        side.phantoms[backend].Ended(absl::StatusCode::kUnavailable, time);
        continue;
      }
      ++side.pending[backend];
      ++side.under_way;
      if (Frozen(backend)) continue;
      if (backends_[backend].busy < options_.workers) {
        Begin(now, call);
      } else {
        backends_[backend].waiting.push_back(call);
      }
    }
  }

  void Begin(double now, const SimulatedCall& call) {
    ++backends_[call.backend].busy;
    endings_.push({now + ServiceTime(call.backend), next_order_++, call});
  }

  void RunUntil(double now) {
    while (!endings_.empty() && endings_.top().at <= now) {
      const Ending ending = endings_.top();
      endings_.pop();
      const SimulatedCall& call = ending.call;
      latency_.Record(static_cast<uint64_t>((ending.at - call.arrived) * kScale));
      BalancerSide& side = *balancers_[call.balancer];
      --side.pending[call.backend];
      --side.under_way;
      Backend& backend = backends_[call.backend];
      --backend.busy;
      if (!backend.waiting.empty()) {
        const SimulatedCall next = backend.waiting.front();
        backend.waiting.pop_front();
        Begin(ending.at, next);
      }
      Dispatch(ending.at, call.balancer);
    }
  }

  const BalanceSimulationOptions options_;
  const ServiceTimes times_;
  Random random_;
  std::vector<Backend> backends_;
  std::vector<std::unique_ptr<BalancerSide>> balancers_;
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> endings_;
  uint64_t next_order_ = 0;
  Histogram latency_;
};

}  // namespace

std::string_view ServiceMixName(ServiceMix mix) {
  for (const auto& [name, known] : kMixes) {
    if (known == mix) return name;
  }
  return "unknown";
}

absl::StatusOr<ServiceMix> ParseServiceMix(std::string_view name) {
  std::string names;
  for (const auto& [known, mix] : kMixes) {
    if (known == name) return mix;
    StrAppend(&names, names.empty() ? "" : ", ", known);
  }
  return InvalidArgument("there is no service mix '", name, "': use one of ", names);
}

BalanceSimulationResult SimulateBalancing(const BalanceSimulationOptions& options) {
  return Simulation(options).Run();
}

double ServiceTimes::Exponential(Random& random) { return -std::log1p(-random.Unit()); }

double ServiceTimes::Next(Random& random) const {
  switch (mix_) {
    case ServiceMix::kFixed:
      return 1;
    case ServiceMix::kOnePercentSlow:
      return random.Chance(0.01) ? 50.5 : 0.5;
    default:
      return Exponential(random);
  }
}

double ServiceTimes::Capacity(int backends, int workers) const {
  double capacity = backends;
  if (mix_ == ServiceMix::kFailingBackend || mix_ == ServiceMix::kFrozenBackend) {
    capacity -= 1;
  }
  if (mix_ == ServiceMix::kSlowBackend) capacity -= 1 - 1 / kSlowBackendFactor;
  return capacity * workers;
}

std::vector<ComparedPolicy> ComparedPolicies() {
  std::vector<ComparedPolicy> policies;
  for (const PickPolicy policy : {PickPolicy::kLeastPending, PickPolicy::kPowerOfTwo,
                                  PickPolicy::kRandom, PickPolicy::kRoundRobin}) {
    policies.push_back({.name = std::string(PickPolicyName(policy)), .policy = policy});
  }
  policies.push_back({.name = "late-binding", .late = true});
  return policies;
}

}  // namespace skep
