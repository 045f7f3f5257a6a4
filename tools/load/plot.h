// Draws latencies as SVG (tools/compare/svg_plot.h), for browsers and documents.

#ifndef SKEP_TOOLS_LOAD_PLOT_H_
#define SKEP_TOOLS_LOAD_PLOT_H_

#include <string>
#include <vector>

#include "base/histogram.h"
#include "tools/load/report.h"

namespace skep {

// One or several distributions, in nanoseconds. Above, how many requests took how long;
// below, the latency of each percentile, with the tail spread out (each step to the
// right is ten times rarer). Latency axes are logarithmic.
struct NamedLatency {
  std::string name;
  Histogram latency;
};
std::string LatencyPlotSvg(const std::string& title,
                           const std::vector<NamedLatency>& latencies);

// Latency against load: above the median, below the 99th percentile of each target at
// each rate that it was given.
std::string RampPlotSvg(const std::string& title,
                        const std::vector<LoadMeasurement>& runs);

}  // namespace skep

#endif  // SKEP_TOOLS_LOAD_PLOT_H_
