// Draws a latency distribution as SVG, for browsers and documents; no libraries.

#ifndef SKEP_TOOLS_LOAD_PLOT_H_
#define SKEP_TOOLS_LOAD_PLOT_H_

#include <string>

#include "base/histogram.h"

namespace skep {

// Above, how many requests took how long; below, the latency of each percentile, with
// the tail spread out (each step to the right is ten times rarer). Both latency axes
// are logarithmic. `latency` is in nanoseconds.
std::string LatencyPlotSvg(const std::string& title, const Histogram& latency);

}  // namespace skep

#endif  // SKEP_TOOLS_LOAD_PLOT_H_
