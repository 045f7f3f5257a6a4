#include <cstdio>

#include "absl/strings/str_format.h"
#include "base/status.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/commands/compare_algorithms.h"
#include "tools/compare/balance_simulation.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

struct CompareFlags {
  std::string what;
  std::vector<std::string> mixes;
  int64_t backends = 8;
  int64_t workers = 2;
  int64_t balancers = 1;
  int64_t load_percent = 70;
  int64_t error_hold = 50;
  int64_t calls = 100'000;
  int64_t runs = 10;
};

constexpr PickPolicy kPolicies[] = {PickPolicy::kLeastPending, PickPolicy::kPowerOfTwo,
                                    PickPolicy::kRandom, PickPolicy::kRoundRobin};

// One line of the table: a policy under a mix, over several seeds.
void PrintRow(BalanceSimulationOptions options, int64_t runs) {
  std::vector<double> means, p99s, failed;
  for (int64_t run = 1; run <= runs; ++run) {
    options.seed = static_cast<uint64_t>(run);
    const BalanceSimulationResult result = SimulateBalancing(options);
    means.push_back(result.mean_latency);
    p99s.push_back(result.p99_latency);
    failed.push_back(100 * result.failed);
  }
  const Estimate mean = EstimateOf(means), p99 = EstimateOf(p99s),
                 failures = EstimateOf(failed);
  std::printf(
      "%s", absl::StrFormat(
                "%-17s %-14s %8.2f +- %-6.2f %8.1f +- %-6.1f %7.2f +- %.2f\n",
                std::string(ServiceMixName(options.mix)),
                std::string(PickPolicyName(options.policy)), mean.mean, mean.half_width,
                p99.mean, p99.half_width, failures.mean, failures.half_width)
                .c_str());
  std::fflush(stdout);
}

absl::Status Compare(const CompareFlags& flags) {
  if (flags.what != "balancing") {
    return InvalidArgument("there is no `skep compare ", flags.what,
                           "`: compare balancing, ", CompareFamilyNames());
  }
  std::vector<ServiceMix> mixes(std::begin(kServiceMixes), std::end(kServiceMixes));
  if (!flags.mixes.empty()) mixes.clear();
  for (const std::string& name : flags.mixes) {
    SKEP_ASSIGN_OR_RETURN(mixes.emplace_back(), ParseServiceMix(name));
  }
  if (flags.load_percent >= 100) {
    return InvalidArgument("--load must be under 100 %: queues grow without end else");
  }
  BalanceSimulationOptions options;
  options.backends = static_cast<int>(flags.backends);
  options.workers = static_cast<int>(flags.workers);
  options.balancers = static_cast<int>(flags.balancers);
  options.load = static_cast<double>(flags.load_percent) / 100;
  options.error_hold = static_cast<double>(flags.error_hold);
  options.calls = static_cast<uint64_t>(flags.calls);
  std::printf(
      "Simulated: %d backends of %d workers, %d balancers, load %lld %%, %lld runs of "
      "%lld calls; in mean service times, with 95 %% confidence.\n",
      options.backends, options.workers, options.balancers,
      static_cast<long long>(flags.load_percent), static_cast<long long>(flags.runs),
      static_cast<long long>(flags.calls));
  std::printf("%-17s %-14s %18s %18s %16s\n", "SERVICE TIMES", "POLICY", "MEAN LATENCY",
              "P99 LATENCY", "FAILED %");
  for (const ServiceMix mix : mixes) {
    for (const PickPolicy policy : kPolicies) {
      options.mix = mix;
      options.policy = policy;
      PrintRow(options, flags.runs);
    }
  }
  return absl::OkStatus();
}

}  // namespace

int RunCompare(const Args& args) {
  if (const auto code = RunCompareAlgorithms(args)) return *code;
  CompareFlags flags;
  CommandLine line("compare",
                   "Compares the balancing policies in simulation: the same code that "
                   "picks backends for the balancer, on simulated backends.");
  line.Example("skep compare balancing --mix one-percent-slow --load 70");
  line.Positional("WHAT", &flags.what,
                  StrCat("balancing, or a family of algorithms, which has flags of its "
                         "own: ",
                         CompareFamilyNames()));
  line.Example(
      "skep compare median --algorithms bisection,radix,window --html report.html");
  line.Flag("mix", &flags.mixes,
            "Service times: fixed, exponential, one-percent-slow, slow-backend, "
            "failing-backend or frozen-backend; repeat it; default: all",
            "NAME");
  line.Flag("backends", &flags.backends, "Backends", "N", 2);
  line.Flag("workers", &flags.workers, "Calls that a backend works on at a time", "N",
            1);
  line.Flag("balancers", &flags.balancers, "Balancers that count for themselves", "N",
            1);
  line.Flag("load", &flags.load_percent, "Of the backends that work, in percent", "P",
            1);
  line.Flag("error-hold", &flags.error_hold,
            "How long an error counts as a call outstanding, in mean service times; 0: "
            "not at all",
            "T");
  line.Flag("calls", &flags.calls, "Of a run", "N", 1000);
  line.Flag("runs", &flags.runs, "With seeds 1, 2, ...", "N", 2);
  if (const auto code = line.Parse(args)) return *code;
  const absl::Status status = Compare(flags);
  return status.ok() ? kOk : ReportError(status);
}

}  // namespace skep
