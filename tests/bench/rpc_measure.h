// One measurement of one load on one system: a server process, a client process, and
// the CPU time of both.

#ifndef SKEP_TESTS_BENCH_RPC_MEASURE_H_
#define SKEP_TESTS_BENCH_RPC_MEASURE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/bench/rpc_load.h"

namespace skep {

// Which core each side is pinned to.
struct Pinning {
  int server = 0;
  int client = 0;
  int balancer = 0;  // where there is one
};

struct Measurement {
  double calls = 0;
  double seconds = 0;
  // CPU time of each side, of all its threads, user's and system's.
  double server_seconds = 0;
  double client_seconds = 0;
  double balancer_seconds = 0;
  // Of timed loads.
  double p50_us = 0;
  double p99_us = 0;
  // Memory that an idle connection takes in the server.
  double idle_bytes = 0;
  // What the balancer's memory grew by, at most.
  double balancer_bytes = 0;

  double cpu_us() const { return (server_seconds + client_seconds) / calls * 1e6; }
  double balancer_us() const { return balancer_seconds / calls * 1e6; }
  double rate() const { return calls / seconds; }
};

// The cores that this process may run on.
std::vector<int> UsableCores();

// Runs `load` for a while unmeasured, then for `duration`. Forks: call it before the
// process has threads. Unavailable when a side failed, which says why on stderr.
absl::StatusOr<Measurement> Measure(const RpcSystem& system, const RpcLoad& load,
                                    const Pinning& pinning, absl::Duration duration);

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_RPC_MEASURE_H_
