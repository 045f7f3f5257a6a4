#include "tools/compare/svg_plot.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "tools/compare/plot_axis.h"

namespace skep {
namespace {

constexpr double kWidth = 860, kHeight = 360;
constexpr double kLeft = 78, kRight = 836, kBottom = kHeight - 48;
constexpr double kLegendRow = 18;
constexpr size_t kColours = 8;

// Eight colours that differ for colour-blind readers too, on white and on near-black.
constexpr char kStyle[] =
    "<style>"
    ".pl{--c0:#1f6feb;--c1:#d9480f;--c2:#2b8a3e;--c3:#9c36b5;--c4:#b08900;"
    "--c5:#0b7285;--c6:#c2255c;--c7:#5c636a;--ink:#1b1f24;--dim:#57606a;"
    "--grid:#e4e7eb;--ground:#ffffff;"
    "font:12px system-ui,-apple-system,'Segoe UI',sans-serif}"
    "@media(prefers-color-scheme:dark){.pl{--c0:#58a6ff;--c1:#ffa657;--c2:#56d364;"
    "--c3:#d2a8ff;--c4:#e3b341;--c5:#39c5cf;--c6:#ff7b9c;--c7:#adb5bd;--ink:#e6edf3;"
    "--dim:#9aa4af;--grid:#2b323a;--ground:#14181d}}"
    ".pl text{fill:var(--dim)}.pl .t{fill:var(--ink);font-size:14px;font-weight:600}"
    ".pl .m{text-anchor:middle}.pl .e{text-anchor:end}"
    ".pl .g{stroke:var(--grid)}.pl .a{stroke:var(--dim)}"
    ".pl .k{stroke:var(--c6);stroke-dasharray:4 3}"
    ".pl .kt{fill:var(--c6);text-anchor:middle}"
    "</style>";

// In the 12 px font, roughly and rather more: to place what must not overlap.
double TextWidth(const std::string& text) {
  constexpr std::string_view kWide = "mMwW%@", kNarrow = "fijlrtI.,:;'|()[]! -";
  double width = 0;
  for (const char c : text) {
    width += kWide.find(c) != kWide.npos ? 12 : kNarrow.find(c) != kNarrow.npos ? 5 : 8;
  }
  return width;
}

class Drawing {
 public:
  explicit Drawing(const std::string& title) { Text(16, 24, "t", title); }

  void Line(double x1, double y1, double x2, double y2, const char* style) {
    out_ += absl::StrFormat(
        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1,
        y1, x2, y2, style);
  }
  void Text(double x, double y, const char* style, const std::string& text) {
    out_ += absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x,
                            y, style, EscapeXml(text));
  }
  void Bar(double x, double y, double width, double height, size_t colour,
           const std::string& hint) {
    out_ += absl::StrFormat(
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"1.5\" "
        "fill=\"var(--c%d)\">%s</rect>\n",
        x, y, width, std::max(0.5, height), colour % kColours, Hint(hint));
  }
  void Dot(double x, double y, size_t colour, const std::string& hint) {
    out_ += absl::StrFormat(
        "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\" fill=\"var(--c%d)\">%s</circle>\n",
        x, y, colour % kColours, Hint(hint));
  }
  // A vertical error bar. `ink`: over a bar of its own colour.
  void Whisker(double x, double low, double high, size_t colour, bool ink) {
    const std::string stroke =
        ink ? "var(--ink)" : absl::StrFormat("var(--c%d)", colour % kColours);
    out_ += absl::StrFormat(
        "<path d=\"M%.1f %.1fV%.1fM%.1f %.1fh8M%.1f %.1fh8\" fill=\"none\" "
        "stroke=\"%s\" stroke-width=\"1.3\"/>\n",
        x, low, high, x - 4, low, x - 4, high, stroke);
  }
  // More series than colours are told apart by dashes.
  void Curve(const std::string& points, size_t colour) {
    out_ += absl::StrFormat(
        "<polyline points=\"%s\" fill=\"none\" stroke=\"var(--c%d)\" "
        "stroke-width=\"2\" stroke-linejoin=\"round\"%s/>\n",
        points, colour % kColours,
        colour >= kColours ? " stroke-dasharray=\"6 3\"" : "");
  }
  void Area(const std::string& points, size_t colour) {
    out_ += absl::StrFormat(
        "<polygon points=\"%s\" fill=\"var(--c%d)\" fill-opacity=\"0.35\" "
        "stroke=\"var(--c%d)\" stroke-width=\"1.2\"/>\n",
        points, colour % kColours, colour % kColours);
  }
  // The names of the series, in rows; returns where the plot may begin.
  double Legend(const std::vector<std::string>& names) {
    double x = kLeft, y = 46;
    if (names.size() < 2) return y;
    for (size_t i = 0; i < names.size(); ++i) {
      const double width = 34 + TextWidth(names[i]);
      if (x + width > kRight && x > kLeft) {
        x = kLeft;
        y += kLegendRow;
      }
      Bar(x, y - 8, 14, 8, i, names[i]);
      Text(x + 20, y, "", names[i]);
      x += width;
    }
    return y + kLegendRow;
  }
  void YAxis(const PlacedAxis& y, const PlotAxis& axis, double top) {
    for (const double tick : y.Ticks()) {
      Line(kLeft, y.At(tick), kRight, y.At(tick), "g");
      Text(kLeft - 8, y.At(tick) + 4, "e", y.TickText(tick, axis.unit));
    }
    Text(16, top - 13, "", axis.label);
    Line(kLeft, kBottom, kRight, kBottom, "a");
  }
  std::string Finish() const {
    return absl::StrFormat(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"pl\" role=\"img\" "
               "viewBox=\"0 0 %.0f %.0f\" style=\"width:100%%;max-width:%.0fpx\">\n",
               kWidth, kHeight, kWidth) +
           kStyle +
           "\n<rect width=\"100%\" height=\"100%\" rx=\"6\" "
           "fill=\"var(--ground)\"/>\n" +
           out_ + "</svg>\n";
  }

 private:
  static std::string Hint(const std::string& text) {
    return "<title>" + EscapeXml(text) + "</title>";
  }
  std::string out_;
};

std::string Described(const std::string& name, double value, double low, double high,
                      PlotUnit unit) {
  std::string out = name + (name.empty() ? "" : ": ") + FormatPlotValue(value, unit);
  if (!std::isnan(low)) {
    out +=
        " (" + FormatPlotValue(low, unit) + " to " + FormatPlotValue(high, unit) + ")";
  }
  return out;
}

std::string Points(const std::vector<PlotPoint>& points, const PlacedAxis& x,
                   const PlacedAxis& y) {
  std::string out;
  for (const PlotPoint& point : points) {
    absl::StrAppendFormat(&out, "%.1f,%.1f ", x.At(point.x), y.At(point.y));
  }
  return out;
}

template <typename Series>
std::vector<std::string> NamesOf(const std::vector<Series>& series) {
  std::vector<std::string> names;
  for (const Series& one : series) names.push_back(one.name);
  return names;
}

void DrawXAxis(const PlacedAxis& x, const PlotAxis& axis, std::vector<double> values,
               double top, Drawing* draw) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  double last = -1e9;
  for (const double tick : axis.ticks_at_points ? values : x.Ticks()) {
    draw->Line(x.At(tick), top, x.At(tick), kBottom, "g");
    const std::string text = x.TickText(tick, axis.unit);
    const double half = TextWidth(text) / 2 + 3;
    if (x.At(tick) - half < last) continue;  // it would touch the one before
    draw->Text(x.At(tick), kBottom + 17, "m", text);
    last = x.At(tick) + half;
  }
  draw->Text((kLeft + kRight) / 2, kBottom + 37, "m", axis.label);
}

// Names that would overlap take turns in height.
void DrawMarks(const LinePlot& plot, const PlacedAxis& x, double top, Drawing* draw) {
  double row = top, last = -1e9;
  for (const LinePlot::Mark& mark : plot.marks) {
    const double at = x.At(mark.x);
    const double width = TextWidth(mark.name) + 6;
    row = at - last < width ? row + 14 : top;
    last = at;
    draw->Line(at, row + 4, at, kBottom, "k");
    draw->Text(std::clamp(at, kLeft + width / 2, kRight - width / 2), row, "kt",
               mark.name);
  }
}

void DrawSeries(const LinePlot& plot, size_t index, const PlacedAxis& x,
                const PlacedAxis& y, Drawing* draw) {
  const LinePlot::Series& series = plot.series[index];
  if (series.points.empty()) return;
  const std::string points = Points(series.points, x, y);
  if (plot.style == LinePlot::Style::kArea) {
    draw->Area(absl::StrFormat("%.1f,%.1f ", x.At(series.points.front().x), kBottom) +
                   points +
                   absl::StrFormat("%.1f,%.1f", x.At(series.points.back().x), kBottom),
               index);
    return;
  }
  draw->Curve(points, index);
  if (plot.style == LinePlot::Style::kCurve) return;
  for (const PlotPoint& point : series.points) {
    if (!std::isnan(point.low)) {
      draw->Whisker(x.At(point.x), y.At(point.low), y.At(point.high), index, false);
    }
    draw->Dot(x.At(point.x), y.At(point.y), index,
              Described(series.name + (series.name.empty() ? "" : ", ") +
                            x.TickText(point.x, plot.x.unit),
                        point.y, point.low, point.high, plot.y.unit));
  }
}

}  // namespace

std::string EscapeXml(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string FormatPlotValue(double value, PlotUnit unit) {
  const double size = std::abs(value);
  if (unit == PlotUnit::kPercent) return absl::StrFormat("%.3g %%", value);
  if (unit == PlotUnit::kNanoseconds) {
    if (size == 0) return "0";
    if (size < 999.5) return absl::StrFormat("%.3g ns", value);
    if (size < 999.5e3) return absl::StrFormat("%.3g us", value / 1e3);
    if (size < 999.5e6) return absl::StrFormat("%.3g ms", value / 1e6);
    return absl::StrFormat("%.3g s", value / 1e9);
  }
  if (size < 9999.5) return absl::StrFormat("%.4g", value);
  if (size < 999.5e3) return absl::StrFormat("%.3gk", value / 1e3);
  if (size < 999.5e6) return absl::StrFormat("%.3gM", value / 1e6);
  return absl::StrFormat("%.3gG", value / 1e9);
}

std::string StackSvg(const std::vector<std::string>& plots) {
  constexpr double kGap = 12;
  std::string out = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
      "style=\"width:100%%;max-width:%.0fpx\">\n",
      kWidth, static_cast<double>(plots.size()) * (kHeight + kGap) - kGap, kWidth);
  double y = 0;
  for (const std::string& plot : plots) {
    // Inside another, a drawing needs a place and a size.
    out += absl::StrFormat("<svg y=\"%.0f\" width=\"%.0f\" height=\"%.0f\"", y, kWidth,
                           kHeight) +
           plot.substr(std::string("<svg").size());
    y += kHeight + kGap;
  }
  return out + "</svg>\n";
}

std::string PlotSvg(const LinePlot& plot) {
  Drawing draw(plot.title);
  std::vector<double> xs, ys;
  for (const LinePlot::Series& series : plot.series) {
    for (const PlotPoint& point : series.points) {
      xs.push_back(point.x);
      ys.insert(ys.end(), {point.y, point.low, point.high});
    }
  }
  if (xs.empty()) {
    draw.Text(kWidth / 2, kHeight / 2, "m", "nothing was measured");
    return draw.Finish();
  }
  // Below the legend, the y axis' label and the marks' names.
  const double marks = 14.0 * static_cast<double>(plot.marks.size());
  const double top = draw.Legend(NamesOf(plot.series)) + 20 + marks;
  const PlacedAxis x(plot.x.scale, xs, kLeft, kRight, PlacedAxis::Zero::kNo);
  const PlacedAxis y(plot.y.scale, ys, kBottom, top,
                     plot.style == LinePlot::Style::kArea ? PlacedAxis::Zero::kYes
                                                          : PlacedAxis::Zero::kNearby);
  draw.YAxis(y, plot.y, top - marks);
  DrawXAxis(x, plot.x, xs, top, &draw);
  for (size_t i = 0; i < plot.series.size(); ++i) DrawSeries(plot, i, x, y, &draw);
  DrawMarks(plot, x, top - marks + 4, &draw);
  return draw.Finish();
}

std::string PlotSvg(const BarPlot& plot) {
  Drawing draw(plot.title);
  std::vector<double> ys;
  for (const BarPlot::Series& series : plot.series) {
    for (const BarPlot::Bar& bar : series.bars) {
      ys.insert(ys.end(), {bar.value, bar.low, bar.high});
    }
  }
  const double top = draw.Legend(NamesOf(plot.series)) + 20;
  const PlacedAxis y(plot.y.scale, ys, kBottom, top, PlacedAxis::Zero::kYes);
  draw.YAxis(y, plot.y, top);
  draw.Text((kLeft + kRight) / 2, kBottom + 37, "m", plot.x_label);
  const double group_width =
      (kRight - kLeft) / std::max(1.0, static_cast<double>(plot.groups.size()));
  const double bar_width = std::min(
      60.0, group_width * 0.8 / std::max(1.0, static_cast<double>(plot.series.size())));
  // Values are written over all bars, or none: where they do not touch one another.
  bool values_fit = true;
  for (const BarPlot::Series& series : plot.series) {
    for (const BarPlot::Bar& bar : series.bars) {
      values_fit = values_fit &&
                   (std::isnan(bar.value) ||
                    TextWidth(FormatPlotValue(bar.value, plot.y.unit)) <= bar_width);
    }
  }
  for (size_t group = 0; group < plot.groups.size(); ++group) {
    const double middle = kLeft + group_width * (static_cast<double>(group) + 0.5);
    draw.Text(middle, kBottom + 17, "m", plot.groups[group]);
    double left = middle - bar_width * static_cast<double>(plot.series.size()) / 2;
    for (size_t i = 0; i < plot.series.size(); ++i, left += bar_width) {
      if (group >= plot.series[i].bars.size()) continue;
      const BarPlot::Bar& bar = plot.series[i].bars[group];
      if (std::isnan(bar.value)) continue;
      const double end = y.At(bar.value);
      draw.Bar(left + 1, end, bar_width - 2, kBottom - end, i,
               plot.groups[group] + ", " +
                   Described(plot.series[i].name, bar.value, bar.low, bar.high,
                             plot.y.unit));
      double above = end;
      if (!std::isnan(bar.low)) {
        draw.Whisker(left + bar_width / 2, y.At(bar.low), y.At(bar.high), i, true);
        above = std::min(above, y.At(bar.high));
      }
      if (values_fit) {
        draw.Text(left + bar_width / 2, above - 5, "m",
                  FormatPlotValue(bar.value, plot.y.unit));
      }
    }
  }
  return draw.Finish();
}

}  // namespace skep
