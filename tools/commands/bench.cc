#include <string>

#include "base/status.h"
#include "tests/bench/rpc_bench.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/exit_code.h"

namespace skep {

int RunBench(const Args& args) {
  std::string what;
  RpcBenchOptions options;
  int64_t repetitions = options.repetitions;
  CommandLine line("bench",
                   "Measures this machine: rpc, what a call costs, beside gRPC's "
                   "callback API on the same messages in the same run.");
  line.Example(
      "skep bench rpc --quick\n"
      "skep bench rpc --only 10x64 --repetitions 9");
  line.Positional("WHAT", &what, "rpc");
  line.Flag("quick", &options.quick, "Once and shortly");
  line.Flag("json", &options.json, "One line of JSON for each measurement");
  line.Flag("only", &options.only, "Only rows whose name contains this", "ROW");
  line.Flag("repetitions", &repetitions, "Measurements of each row", "N", 1);
  if (const auto code = line.Parse(args)) return *code;
  options.repetitions = static_cast<int>(repetitions);
  if (what != "rpc") {
    return ReportError(InvalidArgument("there is no `skep bench ", what, "`: use rpc"));
  }
  const absl::Status status = RunRpcBench(options);
  return status.ok() ? kOk : ReportError(status);
}

}  // namespace skep
