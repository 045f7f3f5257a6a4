// The balancing policies on live backends: real balancers, channels, servers and
// sockets, all in this process. Only the work is played: a backend holds each call for
// the service time that came with it, on so many workers, and queues the rest.
//
// All policies run side by side, each with a balancer and backends of its own, and get
// the same calls at the same moments with the same service times: what else the machine
// does falls on all, and they differ by their choices alone. Calls are a Poisson
// process; the latency of each counts from the moment for which it was meant.

#ifndef SKEP_TOOLS_COMPARE_BALANCE_LIVE_H_
#define SKEP_TOOLS_COMPARE_BALANCE_LIVE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tools/compare/balance_simulation.h"

namespace skep {

struct LiveBalanceOptions {
  ServiceMix mix = ServiceMix::kOnePercentSlow;
  int backends = 8;
  int workers = 2;         // of a backend
  double load = 0.7;       // of the backends that work
  double error_hold = 50;  // in service times
  // The mean service time. Long against a call's own cost and the machine's hiccups.
  absl::Duration unit = absl::Milliseconds(10);
  absl::Duration round = absl::Seconds(5);
  int rounds = 6;  // that are counted; one goes before, to fill the queues
  // Of a call, in service times; what is not answered by then has failed.
  double timeout = 300;
  uint64_t seed = 1;
};

struct LiveBalanceResult {
  std::vector<BalanceSamples> of;  // each policy, with a sample a round
  uint64_t calls = 0;              // that each was sent
  absl::Duration late_p99;         // how late calls were sent: the machine's part
};

// Blocks for (rounds + 1) * round, and a timeout at most. `stopped` ends it early, with
// the rounds that are whole. Errors are those of sockets.
absl::StatusOr<LiveBalanceResult> CompareLive(
    const LiveBalanceOptions& options, const std::vector<ComparedPolicy>& policies,
    const std::function<bool()>& stopped);

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_BALANCE_LIVE_H_
