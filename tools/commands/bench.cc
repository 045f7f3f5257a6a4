#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/status.h"
#include "storage/file_system.h"
#include "tests/bench/job_table.h"
#include "tests/bench/kernel_table.h"
#include "tests/bench/rpc_bench.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/exit_code.h"
#include "tools/scratch.h"
#include "tools/scratch_folder.h"
#include "tools/signals.h"

namespace skep {

namespace {

// What is left of a bench that a signal ends goes with this folder, in which its own
// folders and those of the jobs that it runs are made.
absl::Status RunJobBenchInFolder(const JobBenchOptions& options) {
  SKEP_ASSIGN_OR_RETURN(const ScratchFolder scratch,
                        ScratchFolder::Make(ScratchDirectory()));
  const StopSignal stop([&scratch] {
    FileSystem::Real().RemoveAll(scratch.path()).IgnoreError();
    EndBySignal();
  });
  setenv("TMPDIR", scratch.path().c_str(), /*overwrite=*/1);
  return RunJobBench(options);
}

// What would be without effect.
absl::Status CheckFlags(const std::string& what, bool alone,
                        const KernelBenchOptions& kernels) {
  const std::pair<bool, std::pair<const char*, const char*>> given[] = {
      {alone && what != "rpc", {"--alone", "rpc"}},
      {kernels.longest && what != "kernels", {"--long", "kernels"}},
      {!kernels.path.empty() && what != "kernels", {"--path", "kernels"}},
      {!kernels.data.empty() && what == "rpc", {"--data", "kernels and jobs"}}};
  for (const auto& [in_vain, flag] : given) {
    if (in_vain) return InvalidArgument(flag.first, " is of `", flag.second, "`");
  }
  return absl::OkStatus();
}

}  // namespace

int RunBench(const Args& args) {
  std::string what;
  RpcBenchOptions options;
  KernelBenchOptions kernels;
  JobBenchOptions jobs;
  int64_t repetitions = options.repetitions;
  bool alone = false;
  CommandLine line("bench",
                   "Measures this machine: rpc, what a call costs, beside gRPC's "
                   "callback API on the same messages in the same run; kernels, the "
                   "computations of the jobs beside published figures and plain "
                   "baselines; jobs, each job beside its kernel, and where the "
                   "difference goes.");
  line.Example(
      "skep bench rpc --quick\n"
      "skep bench rpc --only 10x64 --repetitions 9\n"
      "skep bench kernels --data testdata --only Words --path avx2\n"
      "skep bench jobs --data testdata --only median");
  line.Positional("WHAT", &what, "rpc, kernels or jobs", true,
                  {"rpc", "kernels", "jobs"});
  line.Flag("quick", &options.quick,
            "rpc: once and shortly; kernels, jobs: on smaller inputs, a minute or two");
  line.Flag("alone", &alone, "rpc: without gRPC, for a profile");
  line.Flag(
      "long", &kernels.longest,
      "kernels: N-Queens of 19 and 20, and 17 and 18 by plain ways: ten minutes more");
  line.Flag("path", &kernels.path,
            "kernels: this CPU path alone (avx512, avx2 or scalar), not all that this "
            "machine has",
            "PATH");
  line.Flag(
      "data", &kernels.data,
      "kernels, jobs: the folder of kjv.txt, sudoku17_20k.txt, magictour_1465.txt and "
      "hardest_1000.txt",
      "DIR");
  line.Flag("json", &options.json, "One line of JSON for each measurement");
  line.Flag("only", &options.only,
            "Only rows whose name contains this, in small or capital letters; "
            "kernels: or that of their family, as sudoku",
            "ROW");
  line.Flag("repetitions", &repetitions,
            "Measurements of each row; of jobs at most three", "N", 1);
  if (const auto code = line.Parse(args)) return *code;
  if (what != "rpc" && what != "kernels" && what != "jobs") {
    return ReportError(InvalidArgument("there is no `skep bench ", what,
                                       "`: use rpc, kernels or jobs"));
  }
  if (const absl::Status flags = CheckFlags(what, alone, kernels); !flags.ok()) {
    return ReportError(flags);
  }
  options.repetitions = static_cast<int>(repetitions);
  options.grpc = !alone;
  if (what == "kernels") {
    kernels.full = !options.quick;
    kernels.json = options.json;
    kernels.only = options.only;
    kernels.repetitions = options.repetitions;
    const absl::Status status = RunKernelBench(kernels);
    return status.ok() ? kOk : ReportError(status);
  }
  if (what == "jobs") {
    jobs.quick = options.quick;
    jobs.json = options.json;
    jobs.only = options.only;
    jobs.data = kernels.data;
    // Each is a process or three.
    jobs.repetitions = std::min(options.repetitions, jobs.repetitions);
    const absl::Status status = RunJobBenchInFolder(jobs);
    return status.ok() ? kOk : ReportError(status);
  }
  const absl::Status status = RunRpcBench(options);
  return status.ok() ? kOk : ReportError(status);
}

}  // namespace skep
