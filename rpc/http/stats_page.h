// Shows a StatsReport: a page for people, and the text that Prometheus scrapes.

#ifndef SKEP_RPC_HTTP_STATS_PAGE_H_
#define SKEP_RPC_HTTP_STATS_PAGE_H_

#include <functional>
#include <string>

#include "rpc/http/http_server.h"
#include "rpc/metrics.h"

namespace skep {

// An HTML page without scripts or files beside it; it reloads itself.
std::string StatsHtml(const StatsReport& report);

// Prometheus' text format, version 0.0.4:
//   skep_uptime_seconds, skep_connections, skep_unknown_calls_total
//   skep_calls_pending{method="s.M"}             or {backend="host:port"}
//   skep_calls_total{method="s.M",code="OK"}     ended calls
//   skep_backend_up{backend="host:port"}         1, or 0 when down or draining
//   skep_call_seconds_bucket{method="s.M",le="0.001"}, _sum, _count
std::string StatsPrometheus(const StatsReport& report);

// "/" and "/metrics"; `take` is called for every request, on a loop.
HttpPages StatsPages(std::function<StatsReport()> take);

}  // namespace skep

#endif  // SKEP_RPC_HTTP_STATS_PAGE_H_
