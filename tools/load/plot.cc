#include "tools/load/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace skep {
namespace {

constexpr double kWidth = 860, kHeight = 640;
constexpr double kLeft = 80, kRight = 830;
constexpr int kBins = 120;

// "12 us", "3.5 ms": as short as it reads well.
std::string Pretty(double nanoseconds) {
  if (nanoseconds < 1e3) return absl::StrFormat("%.3g ns", nanoseconds);
  if (nanoseconds < 1e6) return absl::StrFormat("%.3g us", nanoseconds / 1e3);
  if (nanoseconds < 1e9) return absl::StrFormat("%.3g ms", nanoseconds / 1e6);
  return absl::StrFormat("%.3g s", nanoseconds / 1e9);
}

// A value's place between `from` and `to` on a logarithmic axis.
struct LogAxis {
  double low, high, from, to;
  double At(double value) const {
    return from + (std::log(std::clamp(value, low, high)) - std::log(low)) /
                      (std::log(high) - std::log(low)) * (to - from);
  }
  // 1, 2 and 5 times the powers of ten, those alone where there are many.
  std::vector<double> Ticks() const {
    const bool few = high / low < 1e3;
    std::vector<double> ticks;
    for (double ten = std::pow(10, std::floor(std::log10(low))); ten <= high;
         ten *= 10) {
      for (const double step : {1.0, 2.0, 5.0}) {
        const double tick = ten * step;
        if ((few || step == 1) && tick >= low && tick <= high) ticks.push_back(tick);
      }
    }
    return ticks;
  }
};

class Drawing {
 public:
  void Line(double x1, double y1, double x2, double y2, const char* style) {
    out_ += absl::StrFormat(
        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1,
        y1, x2, y2, style);
  }
  void Text(double x, double y, const char* style, const std::string& text) {
    out_ += absl::StrFormat(
        "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, style,
        absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}}));
  }
  void Bar(double x, double y, double width, double height) {
    out_ += absl::StrFormat(
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"bar\"/>\n",
        x, y, width, height);
  }
  void Curve(const std::string& points) {
    out_ += "<polyline points=\"" + points + "\" class=\"curve\"/>\n";
  }
  std::string Finish() const {
    return absl::StrFormat(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
               "width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" "
               "font-size=\"12\">\n",
               kWidth, kHeight, kWidth, kHeight) +
           "<style>.bar{fill:#7fa6d9}.curve{fill:none;stroke:#1f4e8c;stroke-width:2}"
           ".grid{stroke:#ddd}.axis{stroke:#444}"
           ".mark{stroke:#c0392b;stroke-dasharray:4 3}"
           ".title{font-size:15px;font-weight:bold}.left{text-anchor:end}"
           ".mid{text-anchor:middle}.red{fill:#c0392b;text-anchor:middle}</style>\n"
           "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n" +
           out_ + "</svg>\n";
  }

 private:
  std::string out_;
};

constexpr std::array<std::pair<double, const char*>, 3> kMarks = {
    {{50, "median"}, {90, "p90"}, {99, "p99"}}};

void DrawDistribution(const Histogram& h, const LogAxis& x, Drawing* draw) {
  constexpr double kTop = 80, kBottom = 300;
  std::array<double, kBins> bins{};
  h.ForEach([&](uint64_t begin, uint64_t end, uint64_t count) {
    const double middle = static_cast<double>(begin + end) / 2;
    const double part = (x.At(middle) - x.from) / (x.to - x.from);
    bins[std::min<size_t>(kBins - 1, static_cast<size_t>(part * kBins))] +=
        static_cast<double>(count);
  });
  const double most = *std::max_element(bins.begin(), bins.end());
  for (const double tick : x.Ticks()) {
    draw->Line(x.At(tick), kTop, x.At(tick), kBottom, "grid");
    draw->Text(x.At(tick), kBottom + 16, "mid", Pretty(tick));
  }
  const double width = (x.to - x.from) / kBins;
  for (int i = 0; i < kBins; ++i) {
    const double height = bins[i] / most * (kBottom - kTop);
    if (bins[i] > 0) draw->Bar(x.from + i * width, kBottom - height, width, height);
  }
  draw->Line(x.from, kBottom, x.to, kBottom, "axis");
  draw->Text(x.from - 8, kTop + 5, "left",
             absl::StrFormat("%.3g %%", 100 * most / static_cast<double>(h.count())));
  draw->Text(x.from - 8, kBottom, "left", "0 %");
  double row = kTop - 8, last = -1e9;
  for (const auto& [percent, name] : kMarks) {
    const auto value = static_cast<double>(h.Percentile(percent));
    const double at = x.At(value);
    row = at - last < 110 ? row - 14 : kTop - 8;
    last = at;
    draw->Line(at, row + 4, at, kBottom, "mark");
    draw->Text(std::clamp(at, x.from + 40, x.to - 30), row, "red",
               absl::StrFormat("%s %s", name, Pretty(value)));
  }
}

void DrawPercentiles(const Histogram& h, double low, double high, Drawing* draw) {
  const LogAxis y{low, high, 600, 360};
  // As far to the right as one request in all goes.
  const double decades =
      std::max(1.0, std::ceil(std::log10(static_cast<double>(h.count()))));
  const auto x_at = [&](double percent) {
    const double rarity = -std::log10(1 - percent / 100);
    return kLeft + std::min(rarity, decades) / decades * (kRight - kLeft);
  };
  for (const double tick : y.Ticks()) {
    draw->Line(kLeft, y.At(tick), kRight, y.At(tick), "grid");
    draw->Text(kLeft - 8, y.At(tick) + 4, "left", Pretty(tick));
  }
  draw->Line(x_at(50), y.to, x_at(50), y.from, "grid");
  draw->Text(x_at(50), y.from + 16, "mid", "50 %");
  for (int decade = 1; decade <= static_cast<int>(decades); ++decade) {
    const double percent = 100 - std::pow(10, 2 - decade);
    draw->Line(x_at(percent), y.to, x_at(percent), y.from, "grid");
    draw->Text(x_at(percent), y.from + 16, "mid",
               absl::StrFormat("%.*f %%", std::max(0, decade - 2), percent));
  }
  std::string points;
  constexpr int kSteps = 400;
  for (int i = 0; i <= kSteps; ++i) {
    const double percent = 100 * (1 - std::pow(10, -decades * i / kSteps));
    points += absl::StrFormat("%.1f,%.1f ", x_at(percent),
                              y.At(static_cast<double>(h.Percentile(percent))));
  }
  draw->Curve(points);
  draw->Line(kLeft, y.from, kRight, y.from, "axis");
  draw->Line(kLeft, y.to, kLeft, y.from, "axis");
}

}  // namespace

std::string LatencyPlotSvg(const std::string& title, const Histogram& latency) {
  Drawing draw;
  draw.Text(20, 24, "title", title);
  if (latency.count() == 0) {
    draw.Text(kWidth / 2, kHeight / 2, "mid", "no request was answered");
    return draw.Finish();
  }
  // Room on both sides, and an axis even where all took equally long.
  const double low = std::max(1.0, static_cast<double>(latency.least()) / 1.1);
  const double high =
      std::max(low * 1.5, static_cast<double>(latency.greatest()) * 1.1);
  DrawDistribution(latency, LogAxis{low, high, kLeft, kRight}, &draw);
  draw.Text(kLeft, 346, "title", "Latency by percentile");
  DrawPercentiles(latency, low, high, &draw);
  return draw.Finish();
}

}  // namespace skep
