#include "tools/commands/compare_balancing.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "absl/strings/str_format.h"
#include "base/bootstrap.h"
#include "base/logging.h"
#include "base/status.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/format_flag.h"
#include "tools/compare/balance_live.h"
#include "tools/compare/balance_report.h"
#include "tools/compare/balance_simulation.h"
#include "tools/exit_code.h"
#include "tools/output_file.h"
#include "tools/signals.h"

namespace skep {
namespace {

struct Flags {
  bool live = false;
  std::vector<std::string> mixes;
  std::vector<std::string> policies;
  int64_t backends = 8;
  int64_t workers = 2;
  int64_t balancers = 1;
  int64_t load_percent = 70;
  int64_t error_hold = 50;
  int64_t calls = 100'000;
  int64_t rounds = 10;
  absl::Duration unit = absl::Milliseconds(10);
  absl::Duration round = absl::Seconds(5);
  int64_t seed = 1;
  bool json = false;
  std::string html;
};

absl::StatusOr<std::vector<ServiceMix>> MixesOf(const Flags& flags) {
  if (flags.mixes.empty()) {
    return std::vector<ServiceMix>(std::begin(kServiceMixes), std::end(kServiceMixes));
  }
  std::vector<ServiceMix> mixes;
  for (const std::string& name : flags.mixes) {
    SKEP_ASSIGN_OR_RETURN(mixes.emplace_back(), ParseServiceMix(name));
  }
  return mixes;
}

absl::StatusOr<std::vector<ComparedPolicy>> PoliciesOf(const Flags& flags) {
  const std::vector<ComparedPolicy> all = ComparedPolicies();
  if (flags.policies.empty()) return all;
  std::vector<ComparedPolicy> chosen;
  for (const std::string& name : flags.policies) {
    std::string names;
    const size_t before = chosen.size();
    for (const ComparedPolicy& policy : all) {
      if (policy.name == name) chosen.push_back(policy);
      StrAppend(&names, names.empty() ? "" : ", ", policy.name);
    }
    if (chosen.size() == before) {
      return InvalidArgument("there is no policy '", name, "': use one of ", names);
    }
  }
  return chosen;
}

std::vector<BalanceRow> Simulate(const Flags& flags, ServiceMix mix,
                                 const std::vector<ComparedPolicy>& policies,
                                 const std::atomic<bool>& stopped) {
  BalanceSimulationOptions options;
  options.mix = mix;
  options.backends = static_cast<int>(flags.backends);
  options.workers = static_cast<int>(flags.workers);
  options.balancers = static_cast<int>(flags.balancers);
  options.load = static_cast<double>(flags.load_percent) / 100;
  options.error_hold = static_cast<double>(flags.error_hold);
  options.calls = static_cast<uint64_t>(flags.calls);
  std::vector<BalanceSamples> samples(policies.size());
  for (int64_t round = 0; round < flags.rounds && !stopped; ++round) {
    options.seed = static_cast<uint64_t>(flags.seed + round);
    for (size_t i = 0; i < policies.size(); ++i) {
      options.policy = policies[i].policy;
      options.late = policies[i].late;
      const BalanceSimulationResult result = SimulateBalancing(options);
      samples[i].mean.push_back(result.mean_latency);
      samples[i].p50.push_back(result.p50_latency);
      samples[i].p99.push_back(result.p99_latency);
      samples[i].failed.push_back(result.failed);
    }
  }
  if (samples[0].mean.empty()) return {};
  return BalanceRows(mix, policies, samples);
}

absl::StatusOr<std::vector<BalanceRow>> Live(
    const Flags& flags, ServiceMix mix, const std::vector<ComparedPolicy>& policies,
    const std::atomic<bool>& stopped, absl::Duration* late) {
  LiveBalanceOptions options;
  options.mix = mix;
  options.backends = static_cast<int>(flags.backends);
  options.workers = static_cast<int>(flags.workers);
  options.load = static_cast<double>(flags.load_percent) / 100;
  options.error_hold = static_cast<double>(flags.error_hold);
  options.unit = flags.unit;
  options.round = flags.round;
  options.rounds = static_cast<int>(flags.rounds);
  options.seed = static_cast<uint64_t>(flags.seed);
  SKEP_ASSIGN_OR_RETURN(const LiveBalanceResult result,
                        CompareLive(options, policies, [&] { return stopped.load(); }));
  *late = std::max(*late, result.late_p99);
  if (result.of[0].mean.empty()) return std::vector<BalanceRow>();
  return BalanceRows(mix, policies, result.of);
}

// What a late run is worth, or nothing: then latencies are the policies'.
std::string Warning(const Flags& flags, absl::Duration late) {
  if (!flags.live || late <= flags.unit) return "";
  return StrCat(
      "calls were sent late by up to ", absl::FormatDuration(late),
      " (p99), more than a mean service time: this machine could not keep up, "
      "and latencies and failures are its own as much as the policies'. Run "
      "it alone, with a longer --unit, or with fewer --backends or a lower "
      "--load");
}

ReportLines About(const Flags& flags, absl::Duration late) {
  ReportLines lines;
  lines.emplace_back(
      "what", flags.live
                  ? "live: balancers, channels and servers over loopback, service "
                    "times played; all policies at once, given the same calls"
                  : "simulated: the same calls to each policy, round by round");
  lines.emplace_back(
      "backends", absl::StrFormat("%d of %d workers", flags.backends, flags.workers));
  lines.emplace_back("load", absl::StrFormat("%d %%", flags.load_percent));
  lines.emplace_back("errors count as calls for",
                     absl::StrFormat("%d mean service times", flags.error_hold));
  if (flags.live) {
    lines.emplace_back("mean service time", absl::FormatDuration(flags.unit));
    lines.emplace_back("rounds", absl::StrFormat("%d of %s", flags.rounds,
                                                 absl::FormatDuration(flags.round)));
    if (late > absl::ZeroDuration()) {
      lines.emplace_back("calls were sent late by, p99", absl::FormatDuration(late));
    }
    if (const std::string warning = Warning(flags, late); !warning.empty()) {
      lines.emplace_back("warning", warning);
    }
    double load[1] = {0};
    if (getloadavg(load, 1) == 1) {
      lines.emplace_back("machine",
                         absl::StrFormat("%d cores, load %.1f",
                                         std::thread::hardware_concurrency(), load[0]));
    }
  } else {
    lines.emplace_back("balancers", absl::StrFormat("%d", flags.balancers));
    lines.emplace_back("rounds",
                       absl::StrFormat("%d of %d calls", flags.rounds, flags.calls));
  }
  if (flags.rounds < static_cast<int64_t>(kLeastForInterval)) {
    lines.emplace_back("intervals",
                       absl::StrFormat("none: they take %d rounds", kLeastForInterval));
  }
  lines.emplace_back("seed", absl::StrFormat("%d", flags.seed));
  return lines;
}

absl::Status Compare(const Flags& flags) {
  if (flags.load_percent >= 100) {
    return InvalidArgument("--load must be under 100 %: queues grow without end else");
  }
  if (flags.live && flags.balancers != 1) {
    return InvalidArgument("--balancers is of the simulation; live, there is one");
  }
  if (flags.live && (flags.unit < absl::Milliseconds(1) || flags.round < flags.unit)) {
    return InvalidArgument("--unit must be 1ms at least, and --round longer");
  }
  const Flags by_default;
  if (flags.live && flags.calls != by_default.calls) {
    return InvalidArgument("--calls is of the simulation; live, --round says how long");
  }
  if (!flags.live &&
      (flags.unit != by_default.unit || flags.round != by_default.round)) {
    return InvalidArgument("--unit and --round have no effect without --live");
  }
  SKEP_RETURN_IF_ERROR(CheckOutputFile("--html", flags.html));
  SKEP_ASSIGN_OR_RETURN(const std::vector<ServiceMix> mixes, MixesOf(flags));
  SKEP_ASSIGN_OR_RETURN(const std::vector<ComparedPolicy> policies, PoliciesOf(flags));
  std::atomic<bool> stopped = false;
  const StopSignal stop([&stopped] { stopped = true; });
  absl::Duration late;
  std::vector<BalanceRow> rows;
  if (!flags.json) {
    for (const auto& [name, value] : About(flags, late)) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), value.c_str());
    }
    std::fputs(BalanceTableHeading().c_str(), stdout);
  }
  for (const ServiceMix mix : mixes) {
    if (stopped) break;
    std::vector<BalanceRow> more;
    if (flags.live) {
      SKEP_ASSIGN_OR_RETURN(more, Live(flags, mix, policies, stopped, &late));
    } else {
      more = Simulate(flags, mix, policies, stopped);
    }
    if (stopped) break;
    if (!flags.json) {
      std::fputs(BalanceTableText(more).c_str(), stdout);
      std::fflush(stdout);
    }
    rows.insert(rows.end(), more.begin(), more.end());
  }
  // Half a comparison is none.
  if (stopped) {
    std::fflush(stdout);
    EndBySignal();
  }
  if (flags.live && !flags.json) {
    std::fprintf(stderr, "calls were sent late by, p99: %s\n",
                 absl::FormatDuration(late).c_str());
  }
  if (const std::string warning = Warning(flags, late); !warning.empty()) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  if (flags.json) std::fputs(BalanceJson(About(flags, late), rows).c_str(), stdout);
  if (flags.html.empty()) return absl::OkStatus();
  return WriteOutputFile("--html", flags.html, BalanceHtml(About(flags, late), rows));
}

}  // namespace

std::optional<int> RunCompareBalancing(const Args& args) {
  if (args.empty() || args[0] != "balancing") return std::nullopt;
  Flags flags;
  CommandLine line(
      "compare balancing",
      "Compares the balancing policies: in simulation, or (--live) with real balancers "
      "before real servers whose work is only time. Latencies are of answered calls, "
      "in mean service "
      "times, with 95 % confidence intervals.");
  line.Example("skep compare balancing --mix one-percent-slow --load 70");
  line.Example("skep compare balancing --backends 1000 --balancers 64 --rounds 5");
  line.Example("skep compare balancing --live --html balancing.html");
  line.Flag("live", &flags.live, "On live backends, over sockets");
  line.Flag("mix", &flags.mixes,
            "Service times: fixed, exponential, one-percent-slow, slow-backend, "
            "failing-backend or frozen-backend; repeat it; default: all",
            "NAME");
  line.Flag("policy", &flags.policies,
            "least-pending, power-of-two, random, round-robin or late-binding; repeat "
            "it; default: all",
            "NAME");
  line.Flag("backends", &flags.backends, "Backends", "N", 2);
  line.Flag("workers", &flags.workers, "Calls that a backend works on at a time", "N",
            1);
  line.Flag("load", &flags.load_percent, "Of the backends that work, in percent", "P",
            1);
  line.Flag("error-hold", &flags.error_hold,
            "How long an error counts as a call outstanding, in mean service times; 0: "
            "not at all",
            "T");
  line.Flag("rounds", &flags.rounds, "Rounds, each with a sample of everything", "N",
            1);
  line.Flag("seed", &flags.seed, "Of arrivals and service times", "N", 1);
  line.Heading("Simulated");
  line.Flag("balancers", &flags.balancers, "Balancers that count for themselves", "N",
            1);
  line.Flag("calls", &flags.calls, "Of a round", "N", 1000);
  line.Heading("Live");
  line.DurationFlag("unit", &flags.unit, "The mean service time");
  line.DurationFlag("round", &flags.round, "How long a round takes");
  line.Heading("Output");
  FormatFlags format;
  AddFormatFlags(line, &format);
  line.Flag("html", &flags.html, "Also write a page with plots", "FILE");
  if (const auto code = line.Parse({args.begin() + 1, args.end()})) return *code;
  if (const absl::Status good = format.Check(); !good.ok()) return ReportError(good);
  flags.json = format.WantsJson();
  // That connections come and go is no news here.
  if (const absl::Status log = InitLogging("skep-compare", {.level = "error"});
      !log.ok()) {
    return ReportError(log);
  }
  const absl::Status status = Compare(flags);
  return status.ok() ? kOk : ReportError(status);
}

}  // namespace skep
