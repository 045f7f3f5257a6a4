// What a server or a balancer knows of the calls that went through it.
//
// Counting is a few relaxed atomic additions a call, without locks; a lock is taken for
// slow calls only. Whoever shows the numbers (rpc/http/stats_page.h) takes a
// StatsReport.

#ifndef SKEP_RPC_METRICS_H_
#define SKEP_RPC_METRICS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/histogram.h"
#include "base/mutex.h"
#include "rpc/slow_calls.h"

namespace skep {

// absl::StatusCode's values are below this.
inline constexpr size_t kStatusCodes = 17;
using CountsByCode = std::array<uint64_t, kStatusCodes>;

// Calls of one kind: of a method, or to a backend. Thread-safe.
class CallCounts {
 public:
  void Begin() { begun_.fetch_add(1, std::memory_order_relaxed); }
  // Every Begin is followed by one End.
  void End(absl::StatusCode code, absl::Duration latency) {
    const int64_t nanoseconds = absl::ToInt64Nanoseconds(latency);
    latency_.Record(nanoseconds < 0 ? 0 : static_cast<uint64_t>(nanoseconds));
    ended_[static_cast<size_t>(code) % kStatusCodes].fetch_add(
        1, std::memory_order_relaxed);
  }

  // The 99th percentile so far, in nanoseconds, as of the last report; negative before
  // there is one. A call is slow by this (slow_calls.h).
  int64_t p99() const { return p99_.load(std::memory_order_relaxed); }
  void set_p99(int64_t nanoseconds) {
    p99_.store(nanoseconds, std::memory_order_relaxed);
  }

  uint64_t begun() const { return begun_.load(std::memory_order_relaxed); }
  CountsByCode ended() const;
  Histogram latency() const { return latency_.Snapshot(); }

 private:
  std::atomic<uint64_t> begun_{0};
  std::array<std::atomic<uint64_t>, kStatusCodes> ended_{};
  std::atomic<int64_t> p99_{-1};
  AtomicHistogram latency_;  // nanoseconds
};

// The calls that a service table serves: ServiceTable::Measure. Thread-safe.
class ServerMetrics {
 public:
  explicit ServerMetrics(SlowCallRule slow = {})
      : slow_(std::make_shared<SlowCallLog>(slow)) {}

  // The counts of a method, by its full name; they live as long as this.
  CallCounts& Of(const std::string& method) ABSL_LOCKS_EXCLUDED(mutex_);
  // shared: the last bytes of a slow call's reply may leave after its server is gone.
  const std::shared_ptr<SlowCallLog>& slow() const { return slow_; }
  // A request for a service or method that is not served.
  void AddUnknown() { unknown_.fetch_add(1, std::memory_order_relaxed); }

 private:
  friend struct StatsReport;
  struct Named {
    explicit Named(std::string name) : name(std::move(name)) {}
    const std::string name;
    CallCounts counts;
  };

  const std::shared_ptr<SlowCallLog> slow_;
  std::atomic<uint64_t> unknown_{0};
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Named>> methods_ ABSL_GUARDED_BY(mutex_);
};

// The numbers at one moment, to be shown.
struct StatsReport {
  // One method or one backend.
  struct Row {
    std::string name;
    std::string state;        // a backend's: up, down, draining; "": it is none
    uint64_t calls = 0;       // begun
    int64_t pending = 0;      // begun and not ended
    int64_t held_errors = 0;  // of a backend: that count as calls for a while
    CountsByCode ended{};     // by absl::StatusCode
    Histogram latency;        // nanoseconds

    uint64_t failed() const;
  };
  // Also tells the counts their p99.
  static Row RowOf(std::string name, CallCounts& counts);

  std::string title;
  absl::Time now;
  absl::Time started;  // of the server
  int connections = 0;
  std::string kind = "method";  // what the rows are: "method", "backend"
  std::vector<Row> rows;
  std::vector<Row> methods;  // of a balancer: the same calls by method
  uint64_t unknown = 0;
  std::string slow_rule;
  std::vector<SlowCall> slow;  // newest first

  // What a service counts beside its calls.
  struct Figure {
    std::string label;
    double value = 0;
    std::string metric;    // its name for Prometheus
    bool counter = false;  // it only grows; else a gauge
  };
  struct Section {
    std::string title;
    std::string page;  // that has it all; "": none
    std::vector<Figure> figures;
  };
  std::vector<Section> sections;

  // Fills rows, unknown and slow; says to the methods what is slow from now on.
  void Take(ServerMetrics& metrics);
};

}  // namespace skep

#endif  // SKEP_RPC_METRICS_H_
