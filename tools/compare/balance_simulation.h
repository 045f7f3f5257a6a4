// The balancing policies in simulation: rpc's own Pick and PhantomPending, before
// backends that are queues with workers, on a clock of events.
//
// Calls arrive as a Poisson process at `balancers` balancers in turn; each counts what
// it has outstanding itself, as the shards of different processes do. Times are in
// units of the mean service time.

#ifndef SKEP_TOOLS_COMPARE_BALANCE_SIMULATION_H_
#define SKEP_TOOLS_COMPARE_BALANCE_SIMULATION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/random.h"
#include "rpc/balance/pick.h"

namespace skep {

enum class ServiceMix {
  kFixed,           // every call takes 1
  kExponential,     // of mean 1
  kOnePercentSlow,  // 0.5 for 99 % of calls, 50.5 for 1 %
  kSlowBackend,     // exponential; one backend takes three times as long
  kFailingBackend,  // exponential; one backend fails at once
  kFrozenBackend,   // exponential; one backend never answers
};
inline constexpr ServiceMix kServiceMixes[] = {
    ServiceMix::kFixed,       ServiceMix::kExponential,    ServiceMix::kOnePercentSlow,
    ServiceMix::kSlowBackend, ServiceMix::kFailingBackend, ServiceMix::kFrozenBackend};
std::string_view ServiceMixName(ServiceMix mix);
// InvalidArgument lists the names.
absl::StatusOr<ServiceMix> ParseServiceMix(std::string_view name);

// How much longer than the others the slow backend takes.
inline constexpr double kSlowBackendFactor = 3;

// What a mix means, but for what is special about one backend.
class ServiceTimes {
 public:
  explicit ServiceTimes(ServiceMix mix) : mix_(mix) {}
  double Next(Random& random) const;
  // Of mean 1.
  static double Exponential(Random& random);
  // Calls that `backends` end in a unit of time, of those that work and at their
  // speeds.
  double Capacity(int backends, int workers) const;

 private:
  ServiceMix mix_;
};

// What is compared: Pick's policies, and late binding: calls wait in the balancer until
// a backend has a worker free.
struct ComparedPolicy {
  std::string name;
  PickPolicy policy = PickPolicy::kLeastPending;
  bool late = false;
};
// All of them, the one that others are measured against first.
std::vector<ComparedPolicy> ComparedPolicies();

// What a policy came to under a mix: one value of each a round.
struct BalanceSamples {
  // Latency, in mean service times, of answered calls: not a number where none was.
  std::vector<double> mean;
  std::vector<double> p50;
  std::vector<double> p99;
  std::vector<double> failed;  // the share of calls that failed, or never ended
};

struct BalanceSimulationOptions {
  PickPolicy policy = PickPolicy::kLeastPending;
  bool late = false;
  ServiceMix mix = ServiceMix::kOnePercentSlow;
  int backends = 8;
  int workers = 2;  // of a backend
  int balancers = 1;
  // Arrivals against the workers of the backends that work, at their speeds.
  double load = 0.7;
  double error_hold = 50;  // how long an error keeps its place; 0: not at all
  uint64_t calls = 200'000;
  uint64_t seed = 1;
};

struct BalanceSimulationResult {
  double mean_latency = 0;  // of calls that were answered
  double p50_latency = 0;
  double p99_latency = 0;
  double failed = 0;  // the share of calls that failed, or never ended
};

BalanceSimulationResult SimulateBalancing(const BalanceSimulationOptions& options);

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_BALANCE_SIMULATION_H_
