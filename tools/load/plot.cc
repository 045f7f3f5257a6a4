#include "tools/load/plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_format.h"
#include "tools/compare/svg_plot.h"

namespace skep {
namespace {

constexpr int kBins = 120;
constexpr int kSteps = 400;
constexpr std::array<std::pair<double, const char*>, 3> kMarks = {
    {{50, "median"}, {90, "p90"}, {99, "p99"}}};

// The share of requests in each of the bins that cut `low` to `high` evenly, as
// latencies' logarithms go.
LinePlot::Series Distribution(const NamedLatency& named, double low, double high) {
  std::array<double, kBins> bins{};
  const double width = std::log(high / low) / kBins;
  named.latency.ForEach([&](uint64_t begin, uint64_t end, uint64_t count) {
    const double middle = std::clamp(static_cast<double>(begin + end) / 2, low, high);
    const auto bin = static_cast<size_t>(std::log(middle / low) / width);
    bins[std::min<size_t>(kBins - 1, bin)] += static_cast<double>(count);
  });
  LinePlot::Series series{.name = named.name};
  for (int i = 0; i < kBins; ++i) {
    series.points.push_back(
        {.x = low * std::exp((i + 0.5) * width),
         .y = 100 * bins[i] / static_cast<double>(named.latency.count())});
  }
  return series;
}

// As far to the right as one request in all goes.
LinePlot::Series Percentiles(const NamedLatency& named) {
  LinePlot::Series series{.name = named.name};
  const double decades =
      std::max(1.0, std::log10(static_cast<double>(named.latency.count())));
  for (int i = 0; i <= kSteps; ++i) {
    const double percent = 100 * (1 - std::pow(10, -decades * i / kSteps));
    series.points.push_back(
        {.x = percent, .y = static_cast<double>(named.latency.Percentile(percent))});
  }
  return series;
}

LinePlot RampPlot(const std::string& title, double percent,
                  const std::vector<LoadMeasurement>& runs) {
  LinePlot plot{.title = title,
                .x = {.label = "requests a second, asked for"},
                .y = {.label = "latency",
                      .unit = PlotUnit::kNanoseconds,
                      .scale = PlotScale::kLog}};
  for (const LoadMeasurement& run : runs) {
    if (run.report.stats.latency.count() == 0) continue;
    if (plot.series.empty() || plot.series.back().name != run.target) {
      plot.series.push_back({.name = run.target});
    }
    plot.series.back().points.push_back(
        {.x = run.rate,
         .y = static_cast<double>(run.report.stats.latency.Percentile(percent))});
  }
  return plot;
}

}  // namespace

std::string LatencyPlotSvg(const std::string& title,
                           const std::vector<NamedLatency>& latencies) {
  const PlotAxis latency = {
      .label = "latency", .unit = PlotUnit::kNanoseconds, .scale = PlotScale::kLog};
  LinePlot shape{.title = title,
                 .x = latency,
                 .y = {.label = "share of the requests", .unit = PlotUnit::kPercent},
                 .style = LinePlot::Style::kArea};
  LinePlot tail{.title = "Latency by percentile",
                .x = {.label = "percentile", .scale = PlotScale::kTail},
                .y = latency,
                .style = LinePlot::Style::kCurve};
  double low = 1e18, high = 1;
  for (const NamedLatency& named : latencies) {
    if (named.latency.count() == 0) continue;
    low = std::min(low, std::max(1.0, static_cast<double>(named.latency.least())));
    high = std::max(high, static_cast<double>(named.latency.greatest()));
  }
  // A little room, and an axis even where all took equally long.
  low /= 1.05;
  high = std::max(high * 1.05, low * 1.5);
  for (const NamedLatency& named : latencies) {
    if (named.latency.count() == 0) continue;
    shape.series.push_back(Distribution(named, low, high));
    tail.series.push_back(Percentiles(named));
  }
  if (shape.series.size() == 1) {
    const Histogram& only = latencies[0].latency;
    for (const auto& [percent, name] : kMarks) {
      const auto value = static_cast<double>(only.Percentile(percent));
      shape.marks.push_back(
          {absl::StrFormat("%s %s", name, FormatPlotValue(value, latency.unit)),
           value});
    }
  }
  return StackSvg({PlotSvg(shape), PlotSvg(tail)});
}

std::string RampPlotSvg(const std::string& title,
                        const std::vector<LoadMeasurement>& runs) {
  return StackSvg({PlotSvg(RampPlot(title + ": median", 50, runs)),
                   PlotSvg(RampPlot("99th percentile", 99, runs))});
}

}  // namespace skep
