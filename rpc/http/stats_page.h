// Shows a StatsReport: a page for people, and the text that Prometheus scrapes.

#ifndef SKEP_RPC_HTTP_STATS_PAGE_H_
#define SKEP_RPC_HTTP_STATS_PAGE_H_

#include <string>

#include "rpc/http/process_stats.h"
#include "rpc/http/stats_history.h"
#include "rpc/metrics.h"

namespace skep {

// An HTML page that loads nothing else, in light colours or dark, for wide screens and
// narrow: figures with the last two minutes behind them, a row for each method or
// backend, the last slow calls by stage. A few lines of script fetch it anew every two
// seconds and say when the server no longer answers; without scripts it reloads.
std::string StatsHtml(const StatsReport& report, const StatsHistory& history,
                      const ProcessStats& process);

// Prometheus' text format, version 0.0.4:
//   skep_uptime_seconds, skep_connections, skep_unknown_calls_total
//   skep_calls_pending{method="s.M"}             or {backend="host:port"}
//   skep_calls_total{method="s.M",code="OK"}     ended calls
//   skep_backend_up{backend="host:port"}         1, or 0 when down, ejected or draining
//   skep_backend_held_errors{backend="host:port"} errors that count as pending
//   skep_method_calls_total{method="s.M",code="OK"}, of a balancer, and
//   skep_method_duration_seconds{method="s.M",quantile="0.5"}, _sum, _count
//   skep_call_duration_seconds_bucket{method="s.M",le="0.001"}, _sum, _count
//   process_cpu_seconds_total, process_resident_memory_bytes and their like
// and the figures of the report's sections.
std::string StatsPrometheus(const StatsReport& report, const ProcessStats& process);

}  // namespace skep

#endif  // SKEP_RPC_HTTP_STATS_PAGE_H_
