#include "tests/bench/rpc_bench.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status.h"
#include "rpc/tls/authority.h"
#include "tests/bench/rpc_load.h"
#include "tests/bench/rpc_measure.h"

namespace skep {
namespace {

struct Row {
  std::string name;
  RpcLoad load;
  bool one_core = false;
  bool against_grpc = true;
  std::string target;
};

std::string SizeName(size_t bytes) {
  if (bytes < 1 << 10) return StrCat(bytes, " B");
  return bytes >= 1 << 20 ? StrCat(bytes >> 20, " MiB") : StrCat(bytes >> 10, " KiB");
}

// Through a balancer. Where calls are timed they are also made without it, in turn:
// client and server share a core either way.
void AddBalancedRows(std::vector<Row>& rows) {
  rows.push_back({.name = "balanced 1x1 16B",
                  .load = {.timed = true, .balanced = true},
                  .against_grpc = false,
                  .target = "p50 <= 40 us more than without"});
  rows.push_back({.name = "balanced 1x1 16B spinning",
                  .load = {.spin = true, .timed = true, .balanced = true},
                  .against_grpc = false,
                  .target = "p50 <= 40 us more than without"});
  rows.push_back({.name = "balanced 10x64 16B",
                  .load = {.connections = 10, .in_flight = 64, .balanced = true},
                  .against_grpc = false,
                  .target = "balancer <= 1.0 us"});
  for (size_t size = 64; size <= 1 << 20; size *= 4) {
    rows.push_back({.name = StrCat("balanced payload ", SizeName(size)),
                    .load = {.connections = 4,
                             .in_flight = size < 64 << 10 ? 16 : 2,
                             .payload_bytes = size,
                             .balanced = true},
                    .against_grpc = false,
                    .target = ""});
  }
  for (const size_t size : {1 << 20, 16 << 20}) {
    for (const bool cut : {true, false}) {
      rows.push_back(
          {.name = StrCat("balanced down ", SizeName(size), cut ? "" : ", in whole"),
           .load = {.reply_attachment = size,
                    .timed = true,
                    .balanced = true,
                    .cut_through = cut},
           .against_grpc = false,
           .target = ""});
    }
  }
}

// What comes from other threads than a channel's loop: calls, and replies.
void AddThreadedRows(std::vector<Row>& rows) {
  for (const int threads : {1, 4}) {
    rows.push_back({.name = StrCat("1x64 16B, ", threads, " caller threads"),
                    .load = {.in_flight = 64, .caller_threads = threads},
                    .against_grpc = false,
                    .target = ""});
  }
  rows.push_back({.name = "10x64 16B, handlers on a pool",
                  .load = {.connections = 10, .in_flight = 64, .on_pool = true},
                  .against_grpc = false,
                  .target = ""});
}

// Made once, before any process is forked.
const BenchCertificates* Certificates() {
  static const BenchCertificates* const made = [] {
    const absl::Time now = absl::Now();
    const auto authority = Authority::FromPem(
        *MakeAuthority("bench", now - absl::Hours(1), now + absl::Hours(24)));
    auto* const certificates = new BenchCertificates;
    certificates->authority = authority->certificate();
    certificates->key = *MakePrivateKey();
    // gRPC's clients look for the host that they connect to.
    certificates->certificate =
        *authority->Sign(*MakeSigningRequest(certificates->key), "both", {"127.0.0.1"},
                         absl::Hours(24), now);
    return certificates;
  }();
  return made;
}

std::vector<Row> Rows() {
  std::vector<Row> rows = {
      {.name = "10x64 16B",
       .load = {.connections = 10, .in_flight = 64},
       .target = "<= 0.7 us, 40x, 15x the rate"},
      {.name = "1x64 16B", .load = {.in_flight = 64}, .target = "<= 1.5 us, 20x"},
      {.name = "10x64 4KiB",
       .load = {.connections = 10, .in_flight = 64, .payload_bytes = 4096},
       .target = "<= 3.2 us, 12x"},
      {.name = "10x1 16B", .load = {.connections = 10}, .target = "<= 11 us, 4x"},
      {.name = "10x1 16B one core",
       .load = {.connections = 10},
       .one_core = true,
       .target = "<= 5 us, 4x"},
      {.name = "1x1 16B", .load = {.timed = true}, .target = ""},
      {.name = "1x1 16B one core",
       .load = {.timed = true},
       .one_core = true,
       .against_grpc = false,
       .target = ""},
      {.name = "1x1 16B spinning",
       .load = {.spin = true, .timed = true},
       .target = "p50 <= 15 us, p99 <= 60 us"},
      {.name = "100 busy",
       .load = {.connections = 100, .in_flight = 4},
       .against_grpc = false,
       .target = ""},
      {.name = "100 busy, 10000 idle",
       .load = {.connections = 100, .idle_connections = 9'800, .in_flight = 4},
       .against_grpc = false,
       .target = "as 100 busy; <= 4 KiB each"},
  };
  AddThreadedRows(rows);
  const std::vector<Row> secure = {
      {.name = "10x64 16B TLS",
       .load = {.connections = 10, .in_flight = 64},
       .target = ""},
      {.name = "10x1 16B TLS", .load = {.connections = 10}, .target = ""},
      {.name = "up 64 KiB TLS",
       .load = {.in_flight = 4, .request_attachment = 64 << 10},
       .target = ""},
      {.name = "down 64 KiB TLS",
       .load = {.in_flight = 4, .reply_attachment = 64 << 10},
       .target = ""},
      {.name = "100 busy, 2000 idle TLS",
       .load = {.connections = 100, .idle_connections = 2'000, .in_flight = 4},
       .against_grpc = false,
       .target = ""},
  };
  for (Row row : secure) {
    row.load.certificates = Certificates();
    rows.push_back(std::move(row));
  }
  for (size_t size = 64 << 10; size <= 16 << 20; size *= 4) {
    rows.push_back({.name = StrCat("up ", SizeName(size)),
                    .load = {.in_flight = 4, .request_attachment = size},
                    .target = ">= 3 GB/s"});
    rows.push_back({.name = StrCat("down ", SizeName(size)),
                    .load = {.in_flight = 4, .reply_attachment = size},
                    .target = ">= 3 GB/s"});
  }
  AddBalancedRows(rows);
  return rows;
}

// Of one figure, over the repetitions.
struct Spread {
  double low = 0;
  double median = 0;
  double high = 0;
};

Spread SpreadOf(const std::vector<Measurement>& measured,
                const std::function<double(const Measurement&)>& figure) {
  std::vector<double> values;
  for (const Measurement& m : measured) values.push_back(figure(m));
  std::sort(values.begin(), values.end());
  if (values.empty()) return {};
  return {values.front(), values[values.size() / 2], values.back()};
}

struct Result {
  Row row;
  std::vector<Measurement> skep;
  std::vector<Measurement> grpc;
  std::vector<Measurement> direct;  // without the balancer
};

constexpr char kDirect[] = "skep, no balancer";

size_t AttachmentBytes(const RpcLoad& load) {
  return load.request_attachment + load.reply_attachment;
}

// "1.23 us [1.20..1.31]  812k/s", and what else the row is about.
std::string Describe(const Row& row, const std::vector<Measurement>& measured) {
  if (measured.empty()) return "-";
  const Spread cpu = SpreadOf(measured, [](const auto& m) { return m.cpu_us(); });
  const Spread rate = SpreadOf(measured, [](const auto& m) { return m.rate(); });
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
        &text, " p50 %.1f p99 %.1f us",
        SpreadOf(measured, [](const auto& m) { return m.p50_us; }).median,
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

std::string RatioToGrpc(const Result& result) {
  if (result.grpc.empty() || result.skep.empty()) return "-";
  const auto cpu = [](const Measurement& m) { return m.cpu_us(); };
  const auto rate = [](const Measurement& m) { return m.rate(); };
  return absl::StrFormat(
      "%.1fx less CPU, %.1fx the rate",
      SpreadOf(result.grpc, cpu).median / SpreadOf(result.skep, cpu).median,
      SpreadOf(result.skep, rate).median / SpreadOf(result.grpc, rate).median);
}

double MedianP50(const std::vector<Measurement>& measured) {
  return SpreadOf(measured, [](const auto& m) { return m.p50_us; }).median;
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

void PrintTable(const Result& r) {
  std::printf("%-21s %-15s spin %-3s load %s\n", r.row.name.c_str(),
              PinningName(r.row).c_str(), r.row.load.spin ? "on" : "off",
              LoadAverage().c_str());
  std::printf("    skep   %s\n", Describe(r.row, r.skep).c_str());
  if (!r.grpc.empty()) {
    std::printf("    gRPC   %s\n", Describe(r.row, r.grpc).c_str());
    std::printf("    ratio  %s\n", RatioToGrpc(r).c_str());
  }
  if (!r.direct.empty()) {
    std::printf("    direct %s\n    added  p50 %.1f us\n",
                Describe({.name = "", .load = {.timed = true}}, r.direct).c_str(),
                MedianP50(r.skep) - MedianP50(r.direct));
  }
  if (!r.row.target.empty()) std::printf("    target %s\n", r.row.target.c_str());
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
  if (!options.json) {
    std::printf(
        "CPU of client and server together for each call: median [least..most] of "
        "%d.\nClient and server are processes, pinned; %zu cores are usable.\n\n",
        options.quick ? 1 : options.repetitions, cores.size());
  }
  const std::vector<Row> rows = Rows();
  // A whole name is that row alone, though it may begin others'.
  const bool whole = std::any_of(rows.begin(), rows.end(), [&](const Row& row) {
    return row.name == options.only;
  });
  bool any = false;
  for (const Row& row : rows) {
    if (whole && row.name != options.only) continue;
    if (row.name.find(options.only) == std::string::npos) continue;
    any = true;
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
      PrintTable(result);
    }
  }
  if (any) return absl::OkStatus();
  std::string names;
  for (const Row& row : rows) StrAppend(&names, "\n  ", row.name);
  return InvalidArgument("no row's name contains '", options.only,
                         "'; there are:", names);
}

}  // namespace skep
