#include <string>

#include "base/status.h"
#include "tests/bench/kernel_table.h"
#include "tests/bench/rpc_bench.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/exit_code.h"

namespace skep {

int RunBench(const Args& args) {
  std::string what;
  RpcBenchOptions options;
  KernelBenchOptions kernels;
  int64_t repetitions = options.repetitions;
  bool alone = false;
  CommandLine line("bench",
                   "Measures this machine: rpc, what a call costs, beside gRPC's "
                   "callback API on the same messages in the same run; kernels, the "
                   "computations of the jobs beside published figures and plain "
                   "baselines.");
  line.Example(
      "skep bench rpc --quick\n"
      "skep bench rpc --only 10x64 --repetitions 9\n"
      "skep bench kernels --data testdata");
  line.Positional("WHAT", &what, "rpc or kernels");
  line.Flag("quick", &options.quick, "rpc: once and shortly");
  line.Flag("alone", &alone, "rpc: without gRPC, for a profile");
  line.Flag("full", &kernels.full,
            "kernels: larger inputs, ten minutes instead of one");
  line.Flag("data", &kernels.data,
            "kernels: the folder of kjv.txt, sudoku17_20k.txt, magictour_1465.txt and "
            "hardest_1000.txt",
            "DIR");
  line.Flag("json", &options.json, "One line of JSON for each measurement");
  line.Flag("only", &options.only, "Only rows whose name contains this", "ROW");
  line.Flag("repetitions", &repetitions, "Measurements of each row", "N", 1);
  if (const auto code = line.Parse(args)) return *code;
  options.repetitions = static_cast<int>(repetitions);
  options.grpc = !alone;
  if (what == "kernels") {
    kernels.json = options.json;
    kernels.only = options.only;
    kernels.repetitions = options.repetitions;
    const absl::Status status = RunKernelBench(kernels);
    return status.ok() ? kOk : ReportError(status);
  }
  if (what != "rpc") {
    return ReportError(
        InvalidArgument("there is no `skep bench ", what, "`: use rpc or kernels"));
  }
  const absl::Status status = RunRpcBench(options);
  return status.ok() ? kOk : ReportError(status);
}

}  // namespace skep
