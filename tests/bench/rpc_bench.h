// `skep bench rpc`: what a call costs, beside gRPC's callback API on the same messages
// in the same run.

#ifndef SKEP_TESTS_BENCH_RPC_BENCH_H_
#define SKEP_TESTS_BENCH_RPC_BENCH_H_

#include <string>

#include "absl/status/status.h"

namespace skep {

struct RpcBenchOptions {
  // Once, a third of a second each: whether it works, not how fast.
  bool quick = false;
  // A line of JSON for each row and system, in place of the table.
  bool json = false;
  // Runs only rows whose name contains this, in small or capital letters.
  std::string only;
  int repetitions = 5;
  bool grpc = true;
};

// Prints to stdout. InvalidArgument: no row has such a name; there are these.
absl::Status RunRpcBench(const RpcBenchOptions& options);

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_RPC_BENCH_H_
