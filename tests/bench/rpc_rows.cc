#include "tests/bench/rpc_rows.h"

#include <utility>

#include "base/status.h"
#include "rpc/tls/authority.h"

namespace skep {
namespace {

Goal AtMost(std::string what, double asked, std::string unit, Figure figure) {
  return {std::move(what), false, asked, std::move(unit), [figure](const Result& r) {
            return std::optional(SpreadOf(r.skep, figure).median);
          }};
}

Goal CpuAtMost(double us) { return AtMost("CPU a call", us, "us", CpuOf); }

Goal BytesAtLeast(double gigabytes) {
  return {"attachments", true, gigabytes, "GB/s", [](const Result& r) {
            return std::optional(SpreadOf(r.skep, RateOf).median * 1e-9 *
                                 static_cast<double>(AttachmentBytes(r.row.load)));
          }};
}

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
                  .goals = {AddedP50AtMost(40)}});
  rows.push_back({.name = "balanced 1x1 16B spinning",
                  .load = {.spin = true, .timed = true, .balanced = true},
                  .against_grpc = false,
                  .goals = {AddedP50AtMost(40)}});
  rows.push_back(
      {.name = "balanced 10x64 16B",
       .load = {.connections = 10, .in_flight = 64, .balanced = true},
       .against_grpc = false,
       .goals = {AtMost("the balancer's CPU a call", 1.0, "us",
                        [](const Measurement& m) { return m.balancer_us(); })}});
  for (size_t size = 64; size <= 1 << 20; size *= 4) {
    rows.push_back({.name = StrCat("balanced payload ", SizeName(size)),
                    .load = {.connections = 4,
                             .in_flight = size < 64 << 10 ? 16 : 2,
                             .payload_bytes = size,
                             .balanced = true},
                    .against_grpc = false});
  }
  for (const size_t size : {1 << 20, 16 << 20}) {
    for (const bool cut : {true, false}) {
      rows.push_back(
          {.name = StrCat("balanced down ", SizeName(size), cut ? "" : ", in whole"),
           .load = {.reply_attachment = size,
                    .timed = true,
                    .balanced = true,
                    .cut_through = cut},
           .against_grpc = false});
    }
  }
}

// What comes from other threads than a channel's loop: calls, and replies.
void AddThreadedRows(std::vector<Row>& rows) {
  for (const int threads : {1, 4}) {
    rows.push_back({.name = StrCat("1x64 16B, ", threads, " caller threads"),
                    .load = {.in_flight = 64, .caller_threads = threads},
                    .against_grpc = false});
  }
  rows.push_back({.name = "10x64 16B, handlers on a pool",
                  .load = {.connections = 10, .in_flight = 64, .on_pool = true},
                  .against_grpc = false});
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

}  // namespace

Goal LessCpuThanGrpc(double times) {
  return {"gRPC's CPU over ours", true, times, "x",
          [](const Result& r) -> std::optional<double> {
            if (r.grpc.empty()) return std::nullopt;
            return SpreadOf(r.grpc, CpuOf).median / SpreadOf(r.skep, CpuOf).median;
          }};
}

Goal FasterThanGrpc(double times) {
  return {"our rate over gRPC's", true, times, "x",
          [](const Result& r) -> std::optional<double> {
            if (r.grpc.empty()) return std::nullopt;
            return SpreadOf(r.skep, RateOf).median / SpreadOf(r.grpc, RateOf).median;
          }};
}

Goal AddedP50AtMost(double us) {
  return {"p50 added by the balancer", false, us, "us", [](const Result& r) {
            return std::optional(SpreadOf(r.skep, P50Of).median -
                                 SpreadOf(r.direct, P50Of).median);
          }};
}

std::vector<Row> RpcBenchRows() {
  std::vector<Row> rows = {
      {.name = "10x64 16B",
       .load = {.connections = 10, .in_flight = 64},
       .goals = {CpuAtMost(0.7), LessCpuThanGrpc(40), FasterThanGrpc(15)}},
      {.name = "1x64 16B",
       .load = {.in_flight = 64},
       .goals = {CpuAtMost(1.5), LessCpuThanGrpc(20)}},
      {.name = "10x64 4KiB",
       .load = {.connections = 10, .in_flight = 64, .payload_bytes = 4096},
       .goals = {CpuAtMost(3.2), LessCpuThanGrpc(12)}},
      {.name = "10x1 16B",
       .load = {.connections = 10},
       .goals = {CpuAtMost(11), LessCpuThanGrpc(4)}},
      {.name = "10x1 16B one core",
       .load = {.connections = 10},
       .one_core = true,
       .goals = {CpuAtMost(5), LessCpuThanGrpc(4)}},
      {.name = "1x1 16B", .load = {.timed = true}},
      {.name = "1x1 16B one core",
       .load = {.timed = true},
       .one_core = true,
       .against_grpc = false},
      {.name = "1x1 16B spinning",
       .load = {.spin = true, .timed = true},
       .goals = {AtMost("p50", 15, "us", P50Of),
                 AtMost("p99", 60, "us",
                        [](const Measurement& m) { return m.p99_us; })}},
      {.name = "100 busy",
       .load = {.connections = 100, .in_flight = 4},
       .against_grpc = false},
      {.name = "100 busy, 10000 idle",
       .load = {.connections = 100, .idle_connections = 10'000, .in_flight = 4},
       .against_grpc = false,
       .goals = {AtMost("memory an idle connection", 4096, "B",
                        [](const Measurement& m) { return m.idle_bytes; })}},
  };
  AddThreadedRows(rows);
  const std::vector<Row> secure = {
      {.name = "10x64 16B TLS", .load = {.connections = 10, .in_flight = 64}},
      {.name = "10x1 16B TLS", .load = {.connections = 10}},
      {.name = "up 64 KiB TLS",
       .load = {.in_flight = 4, .request_attachment = 64 << 10}},
      {.name = "down 64 KiB TLS",
       .load = {.in_flight = 4, .reply_attachment = 64 << 10}},
      {.name = "100 busy, 2000 idle TLS",
       .load = {.connections = 100, .idle_connections = 2'000, .in_flight = 4},
       .against_grpc = false},
  };
  for (Row row : secure) {
    row.load.certificates = Certificates();
    rows.push_back(std::move(row));
  }
  for (size_t size = 64 << 10; size <= 16 << 20; size *= 4) {
    rows.push_back({.name = StrCat("up ", SizeName(size)),
                    .load = {.in_flight = 4, .request_attachment = size},
                    .goals = {BytesAtLeast(3)}});
    rows.push_back({.name = StrCat("down ", SizeName(size)),
                    .load = {.in_flight = 4, .reply_attachment = size},
                    .goals = {BytesAtLeast(3)}});
  }
  AddBalancedRows(rows);
  return rows;
}

}  // namespace skep
