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

constexpr double kSlowdown = 3;
// A unit of simulated time, for PhantomPending and the histogram.
constexpr absl::Duration kUnit = absl::Milliseconds(1);

double Exponential(Random& random, double mean) {
  return -mean * std::log1p(-random.Unit());
}

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
      : options_(options), random_(options.seed), backends_(options.backends) {
    for (int i = 0; i < options.balancers; ++i) {
      balancers_.push_back(std::make_unique<BalancerSide>(options, random_()));
    }
  }

  BalanceSimulationResult Run() {
    const double rate = options_.load * Capacity();
    double now = 0;
    for (uint64_t i = 0; i < options_.calls; ++i) {
      now += Exponential(random_, 1 / rate);
      RunUntil(now);
      Arrive(now, static_cast<int>(i % balancers_.size()));
    }
    RunUntil(std::numeric_limits<double>::infinity());
    BalanceSimulationResult result;
    result.mean_latency = latency_.mean() / kScale;
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
  };

  bool Special(int backend) const { return backend == 0; }
  bool Fails(int backend) const {
    return options_.mix == ServiceMix::kFailingBackend && Special(backend);
  }
  bool Frozen(int backend) const {
    return options_.mix == ServiceMix::kFrozenBackend && Special(backend);
  }
  // Calls that the backends end in a unit of time.
  double Capacity() const {
    double capacity = options_.backends;
    if (Fails(0) || Frozen(0)) capacity -= 1;
    if (options_.mix == ServiceMix::kSlowBackend) capacity -= 1 - 1 / kSlowdown;
    return capacity * options_.workers;
  }

  double ServiceTime(int backend) {
    switch (options_.mix) {
      case ServiceMix::kFixed:
        return 1;
      case ServiceMix::kOnePercentSlow:
        return random_.Chance(0.01) ? 50.5 : 0.5;
      case ServiceMix::kSlowBackend:
        return Exponential(random_, Special(backend) ? kSlowdown : 1);
      default:
        return Exponential(random_, 1);
    }
  }

  void Arrive(double now, int index) {
    BalancerSide& side = *balancers_[index];
    const absl::Time time = absl::UnixEpoch() + now * kUnit;
    for (int i = 0; i < options_.backends; ++i) {
      side.candidates[i].pending = side.pending[i] + side.phantoms[i].Count(time);
    }
    const int backend =
        static_cast<int>(*Pick(options_.policy, side.candidates, side.pick));
    if (Fails(backend)) {
      side.phantoms[backend].Ended(absl::StatusCode::kUnavailable, time);
      return;
    }
    ++side.pending[backend];
    if (Frozen(backend)) return;
    const SimulatedCall call{now, index, backend};
    if (backends_[backend].busy < options_.workers) {
      Begin(now, call);
    } else {
      backends_[backend].waiting.push_back(call);
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
      --balancers_[call.balancer]->pending[call.backend];
      Backend& backend = backends_[call.backend];
      --backend.busy;
      if (backend.waiting.empty()) continue;
      const SimulatedCall next = backend.waiting.front();
      backend.waiting.pop_front();
      Begin(ending.at, next);
    }
  }

  const BalanceSimulationOptions options_;
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

Estimate EstimateOf(const std::vector<double>& samples) {
  // 97.5 % quantiles of Student's t by degrees of freedom; the last for all above.
  constexpr double kT[] = {0,     12.71, 4.303, 3.182, 2.776, 2.571, 2.447,
                           2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
                           2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086};
  const auto count = static_cast<double>(samples.size());
  Estimate estimate;
  for (const double sample : samples) estimate.mean += sample / count;
  double squares = 0;
  for (const double sample : samples) squares += std::pow(sample - estimate.mean, 2);
  const size_t freedom = std::min(samples.size() - 1, std::size(kT) - 1);
  estimate.half_width = kT[freedom] * std::sqrt(squares / (count - 1) / count);
  return estimate;
}

}  // namespace skep
