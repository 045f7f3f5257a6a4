// Plots as SVG text: lines, areas and bars with error bars, for reports, documents and
// browsers. No libraries, no fonts, nothing loaded: each is a whole `<svg>` that may
// stand in a file or inside a page, in light colours or dark as the reader prefers.
// Pointing at a point or a bar shows its value.

#ifndef SKEP_TOOLS_COMPARE_SVG_PLOT_H_
#define SKEP_TOOLS_COMPARE_SVG_PLOT_H_

#include <limits>
#include <string>
#include <vector>

namespace skep {

// How values of an axis are written.
enum class PlotUnit {
  kNumber,       // 12, 3.5k, 2M
  kNanoseconds,  // values are nanoseconds: 12 us, 3.5 ms
  kPercent,      // values from 0 to 100
};
// "3.5 ms", "12k": at most three digits.
std::string FormatPlotValue(double value, PlotUnit unit);

enum class PlotScale {
  kLinear,  // from zero, unless all values are far from it
  kLog,     // values over zero; others are drawn at the least
  kTail,    // percentiles: each step to the right is ten times rarer, as far as 100 -
            // the greatest value below 100
};

struct PlotAxis {
  std::string label;
  PlotUnit unit = PlotUnit::kNumber;
  PlotScale scale = PlotScale::kLinear;
  // Written are the values of the points themselves, not round ones: few sizes, say.
  bool ticks_at_points = false;
};

inline constexpr double kNoErrorBar = std::numeric_limits<double>::quiet_NaN();

struct PlotPoint {
  double x = 0;
  double y = 0;
  double low = kNoErrorBar;  // of the error bar, if there is one
  double high = kNoErrorBar;
};

struct LinePlot {
  enum class Style {
    kPoints,  // lines with a mark at each point
    kCurve,   // lines alone: many points
    kArea,    // filled down to the axis: a distribution
  };
  struct Series {
    std::string name;
    std::vector<PlotPoint> points;  // in ascending x
  };
  struct Mark {  // a vertical line with its name
    std::string name;
    double x = 0;
  };
  std::string title;
  PlotAxis x;
  PlotAxis y;
  Style style = Style::kPoints;
  std::vector<Series> series;
  std::vector<Mark> marks;
};

struct BarPlot {
  struct Bar {
    double value = 0;  // NaN: none
    double low = kNoErrorBar;
    double high = kNoErrorBar;
  };
  struct Series {
    std::string name;
    std::vector<Bar> bars;  // one for each group
  };
  std::string title;
  PlotAxis y;  // kLog bars begin below the least value
  std::string x_label;
  std::vector<std::string> groups;  // along the x axis
  std::vector<Series> series;       // side by side in each group
};

std::string PlotSvg(const LinePlot& plot);
std::string PlotSvg(const BarPlot& plot);

// Plots one below the other, as one `<svg>`.
std::string StackSvg(const std::vector<std::string>& plots);

// For text between tags and in attributes of HTML and SVG.
std::string EscapeXml(const std::string& text);

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_SVG_PLOT_H_
