#include "tests/bench/rpc_bench.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status.h"
#include "tests/bench/row_names.h"
#include "tests/bench/rpc_measure.h"
#include "tests/bench/rpc_rows.h"

namespace skep {
namespace {

constexpr char kDirect[] = "skep, no balancer";

// "1.23 us [1.20..1.31]  812k/s", and what else the row is about.
std::string Describe(const Row& row, const std::vector<Measurement>& measured) {
  if (measured.empty()) return "-";
  const Spread cpu = SpreadOf(measured, CpuOf);
  const Spread rate = SpreadOf(measured, RateOf);
  std::string text = absl::StrFormat("%.2f us [%.2f..%.2f] %.0f/s", cpu.median, cpu.low,
                                     cpu.high, rate.median);
  if (row.load.balanced) {
    const Spread balancer =
        SpreadOf(measured, [](const auto& m) { return m.balancer_us(); });
    absl::StrAppendFormat(&text, " balancer %.2f us [%.2f..%.2f] and %.1f MB",
                          balancer.median, balancer.low, balancer.high,
                          SpreadOf(measured, [](const auto& m) {
                            return m.balancer_bytes * 1e-6;
                          }).median);
  }
  if (row.load.timed) {
    absl::StrAppendFormat(
        &text, " p50 %.1f p99 %.1f us", SpreadOf(measured, P50Of).median,
        SpreadOf(measured, [](const auto& m) { return m.p99_us; }).median);
  }
  if (const size_t bytes = AttachmentBytes(row.load); bytes != 0) {
    // What the busier side's core could do if it had nothing else to do.
    const double busier =
        SpreadOf(measured, [](const auto& m) {
          return std::max(m.server_seconds, m.client_seconds) / m.calls;
        }).median;
    absl::StrAppendFormat(&text, " %.2f GB/s, %.2f GB a CPU second of the busier side",
                          rate.median * bytes * 1e-9, bytes / busier * 1e-9);
  }
  if (row.load.idle_connections != 0) {
    absl::StrAppendFormat(&text, " %.0f B/idle", SpreadOf(measured, [](const auto& m) {
                                                   return m.idle_bytes;
                                                 }).median);
  }
  return text;
}

std::string LoadAverage() {
  double loads[3] = {};
  getloadavg(loads, 3);
  return absl::StrFormat("%.1f %.1f %.1f", loads[0], loads[1], loads[2]);
}

std::string PinningName(const Row& row) {
  if (row.load.balanced) return "balancer alone, client and server on one core";
  return row.one_core ? "one core shared" : "a core each";
}

// A connection alone on its loop, with so many calls in flight, is answered in parts:
// behind each the loop spins for a moment (TcpTransportOptions::pipelined_spin).
constexpr int kInParts = 16;

const char* SpinName(const Row& row) {
  if (row.load.spin) return "on";
  const bool parts = row.load.connections == 1 && row.load.in_flight >= kInParts;
  return parts ? "behind parts" : "off";
}

// What was asked and measured, over all rows.
struct Tally {
  int asked = 0;
  std::vector<std::string> not_met;
};

void PrintGoals(const Result& r, Tally* tally) {
  for (const Goal& goal : r.row.goals) {
    const std::optional<double> measured = goal.figure(r);
    std::printf("    asked  %s %s %g %s, ", goal.what.c_str(),
                goal.at_least ? ">=" : "<=", goal.asked, goal.unit.c_str());
    if (!measured.has_value()) {
      std::printf("not measured\n");
      continue;
    }
    const bool met = goal.MetBy(*measured);
    std::printf("measured %.2f: %s\n", *measured, met ? "met" : "NOT MET");
    ++tally->asked;
    if (met) continue;
    tally->not_met.push_back(absl::StrFormat("%s: %s %.2f %s, asked %g", r.row.name,
                                             goal.what, *measured, goal.unit,
                                             goal.asked));
  }
}

void PrintTally(const Tally& tally) {
  if (tally.asked == 0) return;
  std::printf("\n%d figures asked for, %zu met\n", tally.asked,
              static_cast<size_t>(tally.asked) - tally.not_met.size());
  for (const std::string& line : tally.not_met) {
    std::printf("    not met  %s\n", line.c_str());
  }
}

void PrintTable(const Result& r, Tally* tally) {
  std::printf("%-21s %-15s spin %s  load %s\n", r.row.name.c_str(),
              PinningName(r.row).c_str(), SpinName(r.row), LoadAverage().c_str());
  std::printf("    skep   %s\n", Describe(r.row, r.skep).c_str());
  if (!r.grpc.empty()) {
    std::printf("    gRPC   %s\n", Describe(r.row, r.grpc).c_str());
    std::printf("    ratio  %.1fx less CPU, %.1fx the rate\n",
                LessCpuThanGrpc(0).figure(r).value_or(0),
                FasterThanGrpc(0).figure(r).value_or(0));
  }
  if (!r.direct.empty()) {
    std::printf("    direct %s\n    added  p50 %.1f us\n",
                Describe({.name = "", .load = {.timed = true}}, r.direct).c_str(),
                AddedP50AtMost(0).figure(r).value_or(0));
  }
  PrintGoals(r, tally);
  std::fflush(stdout);
}

void PrintJson(const Row& row, const char* system,
               const std::vector<Measurement>& measured) {
  for (const Measurement& m : measured) {
    std::printf(
        "{\"row\": \"%s\", \"system\": \"%s\", \"pinning\": \"%s\", \"spin\": %s, "
        "\"load_average\": \"%s\", \"calls\": %.0f, \"seconds\": %.6f, "
        "\"cpu_us_per_call\": %.4f, \"server_cpu_us\": %.4f, \"client_cpu_us\": %.4f, "
        "\"balancer_cpu_us\": %.4f, \"balancer_bytes\": %.0f, "
        "\"calls_per_second\": %.1f, \"bytes_per_second\": %.0f, \"p50_us\": %.2f, "
        "\"p99_us\": %.2f, \"idle_bytes\": %.0f}\n",
        row.name.c_str(), system, PinningName(row).c_str(),
        row.load.spin ? "true" : "false", LoadAverage().c_str(), m.calls, m.seconds,
        m.cpu_us(), m.server_seconds / m.calls * 1e6, m.client_seconds / m.calls * 1e6,
        m.balancer_us(), m.balancer_bytes, m.rate(),
        m.rate() * static_cast<double>(AttachmentBytes(row.load)), m.p50_us, m.p99_us,
        m.idle_bytes);
  }
  std::fflush(stdout);
}

absl::StatusOr<Result> RunRow(const Row& row, const RpcBenchOptions& options,
                              const std::vector<int>& cores) {
  const bool shared = row.one_core || row.load.balanced;
  const Pinning pinning{.server = cores.front(),
                        .client = shared ? cores.front() : cores.back(),
                        .balancer = cores.back()};
  const absl::Duration duration =
      options.quick ? absl::Milliseconds(300) : absl::Seconds(1);
  Result result;
  result.row = row;
  // In turn, so that both meet the same disturbances of the machine.
  for (int i = 0; i < (options.quick ? 1 : options.repetitions); ++i) {
    SKEP_ASSIGN_OR_RETURN(const Measurement skep,
                          Measure(kSkepSystem, row.load, pinning, duration));
    result.skep.push_back(skep);
    if (row.load.balanced && row.load.timed) {
      RpcLoad direct = row.load;
      direct.balanced = false;
      SKEP_ASSIGN_OR_RETURN(const Measurement without,
                            Measure(kSkepSystem, direct, pinning, duration));
      result.direct.push_back(without);
    }
    if (!row.against_grpc || !options.grpc) continue;
    SKEP_ASSIGN_OR_RETURN(const Measurement grpc,
                          Measure(kGrpcSystem, row.load, pinning, duration));
    result.grpc.push_back(grpc);
  }
  return result;
}

}  // namespace

absl::Status RunRpcBench(const RpcBenchOptions& options) {
  const std::vector<int> cores = UsableCores();
  std::vector<Row> rows = RpcBenchRows();
  std::string names;
  for (const Row& row : rows) StrAppend(&names, "\n  ", row.name);
  // A whole name is that row alone, though it may begin others'.
  const bool whole = std::any_of(rows.begin(), rows.end(), [&](const Row& row) {
    return IsNamed(row.name, options.only);
  });
  std::erase_if(rows, [&](const Row& row) {
    return !(whole ? IsNamed(row.name, options.only)
                   : NameContains(row.name, options.only));
  });
  if (rows.empty()) {
    return InvalidArgument("no row's name contains '", options.only,
                           "'; there are:", names);
  }
  if (!options.json) {
    std::printf(
        "CPU of client and server together for each call: median [least..most] of "
        "%d.\nClient and server are processes, pinned; %zu cores are usable.\n\n",
        options.quick ? 1 : options.repetitions, cores.size());
  }
  Tally tally;
  for (const Row& row : rows) {
    if (cores.size() < 2 && !row.one_core) {
      if (!options.json) std::printf("%s: needs two cores\n", row.name.c_str());
      continue;
    }
    SKEP_ASSIGN_OR_RETURN(const Result result, RunRow(row, options, cores));
    if (options.json) {
      PrintJson(row, kSkepSystem.name, result.skep);
      PrintJson(row, kGrpcSystem.name, result.grpc);
      PrintJson(row, kDirect, result.direct);
    } else {
      PrintTable(result, &tally);
    }
  }
  if (!options.json) PrintTally(tally);
  return absl::OkStatus();
}

}  // namespace skep
