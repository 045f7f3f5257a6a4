// What `skep rpc top` shows: the difference between two readings of a server's metrics
// (rpc/http/stats_page.h).

#ifndef SKEP_TOOLS_TOP_TOP_VIEW_H_
#define SKEP_TOOLS_TOP_TOP_VIEW_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace skep {

// One reading.
struct MetricsSample {
  struct Row {
    double pending = 0;
    double ended = 0;                  // calls
    double failed = 0;                 // of these
    bool up = true;                    // backends
    std::map<double, double> buckets;  // bound in seconds -> calls no slower; and +Inf
  };
  double uptime = 0;  // seconds
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double connections = 0;
  std::string kind;  // "method" or "backend"
  std::map<std::string, Row> rows;
};

// Reads the Prometheus text of a stats page. DataLoss when it is none.
absl::StatusOr<MetricsSample> ParseMetrics(std::string_view text);

// One row's last interval.
struct TopRow {
  std::string name;
  std::string state;  // backends: "up", "down"
  double calls_per_second = 0;
  double failed_per_second = 0;
  double pending = 0;
  double p50_us = 0;  // of the interval; 0 without calls
  double p99_us = 0;
};
// From `before` to `after`; a server that was restarted in between is taken to have
// begun at zero. Busiest first.
std::vector<TopRow> Compare(const MetricsSample& before, const MetricsSample& after);

// For a terminal: a screen, no wider and no higher than this, with colours. `address`
// names the server.
struct TopSize {
  int columns = 100;
  int lines = 40;
};
std::string TopScreen(const std::string& address, const MetricsSample& before,
                      const MetricsSample& after, TopSize size = {});
// For a pipe: a line for each row that had or has calls, and one if none had.
std::string TopLines(absl::Time now, const MetricsSample& before,
                     const MetricsSample& after);

// For programs: an object of JSON and a line end, with every row.
std::string TopJson(absl::Time now, const MetricsSample& before,
                    const MetricsSample& after);

}  // namespace skep

#endif  // SKEP_TOOLS_TOP_TOP_VIEW_H_
