// The last two minutes of a server's numbers, a point a second: what a page draws as
// small lines. Two readings of counts that only grow make one point.

#ifndef SKEP_RPC_HTTP_STATS_HISTORY_H_
#define SKEP_RPC_HTTP_STATS_HISTORY_H_

#include <deque>
#include <map>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "rpc/http/process_stats.h"
#include "rpc/metrics.h"

namespace skep {

// Not thread-safe.
class StatsHistory {
 public:
  static constexpr size_t kPoints = 120;
  static constexpr absl::Duration kInterval = absl::Seconds(1);

  struct Point {
    double calls_per_second = 0;
    double failed_per_second = 0;
    double pending = 0;
    // Nanoseconds, of the calls that ended between the two readings; 0 without any.
    double p50 = 0;
    double p99 = 0;
  };
  struct ServerPoint : Point {
    double connections = 0;
    double cpu = 0;  // cores that were busy for this process
    double resident_bytes = 0;
  };

  void Add(const StatsReport& report, const ProcessStats& process);

  // Oldest first. All rows together.
  const std::deque<ServerPoint>& server() const { return server_; }
  // Null before its second reading.
  const std::deque<Point>* Of(const std::string& row) const;

 private:
  struct Row {
    uint64_t ended = 0;
    uint64_t failed = 0;
    Histogram latency;
    std::deque<Point> points;
  };
  // Its point, and the latencies since the one before; nothing for its first reading.
  std::pair<Point, Histogram> AddRow(const StatsReport::Row& now, bool first,
                                     double seconds);

  absl::Time last_ = absl::InfinitePast();
  double last_cpu_seconds_ = 0;
  std::map<std::string, Row> rows_;
  std::deque<ServerPoint> server_;
};

}  // namespace skep

#endif  // SKEP_RPC_HTTP_STATS_HISTORY_H_
