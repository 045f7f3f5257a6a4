#include "rpc/http/sparkline.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_format.h"

namespace skep {
namespace {

constexpr double kLeast = 1e3, kMost = 1e11;  // nanoseconds

// A latency's place in [0, 1].
double Place(double nanoseconds) {
  return std::log(std::clamp(nanoseconds, kLeast, kMost) / kLeast) /
         std::log(kMost / kLeast);
}

double At(const Histogram& h, double percent) {
  return static_cast<double>(h.Percentile(percent));
}

}  // namespace

std::string Sparkline(const std::vector<double>& values, const char* style,
                      SparklineSize size) {
  std::string out = absl::StrFormat(
      "<svg class=\"sp %s\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" "
      "aria-hidden=\"true\">",
      style, size.width, size.height);
  const double greatest =
      values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  const double step =
      static_cast<double>(size.width) / static_cast<double>(size.points - 1);
  double x = size.width - step * (static_cast<double>(values.size()) - 1);
  const double first = x;
  std::string points;
  for (const double value : values) {
    const double y = greatest <= 0
                         ? size.height - 1
                         : size.height - 1 - value / greatest * (size.height - 3);
    absl::StrAppendFormat(&points, "%.1f,%.1f ", x, y);
    x += step;
  }
  if (values.size() >= 2) {
    absl::StrAppendFormat(
        &out, "<polygon points=\"%.1f,%d %s%d,%d\"/><polyline points=\"%s\"/>", first,
        size.height, points, size.width, size.height, points);
  }
  return out + "</svg>";
}

std::string LatencyBar(const Histogram& h) {
  constexpr double kWidth = 160;
  std::string out =
      "<svg class=\"lat\" viewBox=\"0 0 160 14\" aria-hidden=\"true\">"
      "<rect class=\"bed\" y=\"3\" width=\"160\" height=\"8\" rx=\"2\"/>";
  if (h.count() == 0) return out + "</svg>";
  const double least = Place(static_cast<double>(h.least())) * kWidth;
  // From the widest to the narrowest, each over the one before.
  constexpr std::array<std::pair<double, const char*>, 3> kBars = {
      {{99, "b99"}, {90, "b90"}, {50, "b50"}}};
  for (const auto& [percent, style] : kBars) {
    const double end = Place(At(h, percent)) * kWidth;
    absl::StrAppendFormat(
        &out,
        "<rect class=\"%s\" x=\"%.1f\" y=\"3\" width=\"%.1f\" height=\"8\" rx=\"1\"/>",
        style, least, std::max(1.5, end - least));
  }
  absl::StrAppendFormat(&out,
                        "<rect class=\"bmax\" x=\"%.1f\" y=\"1\" width=\"1.5\" "
                        "height=\"12\"/></svg>",
                        Place(static_cast<double>(h.greatest())) * kWidth - 0.75);
  return out;
}

std::string LatencyShape(const Histogram& h) {
  constexpr int kBins = 96, kTop = 4, kBottom = 84;
  constexpr double kWidth = 640;
  std::array<double, kBins> bins{};
  h.ForEach([&](uint64_t begin, uint64_t end, uint64_t count) {
    const double place = Place(static_cast<double>(begin + end) / 2);
    bins[std::min<size_t>(kBins - 1, static_cast<size_t>(place * kBins))] +=
        static_cast<double>(count);
  });
  const double most = std::max(1.0, *std::max_element(bins.begin(), bins.end()));
  std::string out = "<svg class=\"shape\" viewBox=\"0 0 640 104\" role=\"img\">";
  for (double tick = kLeast; tick <= kMost * 1.01; tick *= 10) {
    const double x = Place(tick) * kWidth;
    absl::StrAppendFormat(&out,
                          "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/><text "
                          "x=\"%.1f\" y=\"100\" class=\"%s\">%s</text>",
                          x, kTop, x, kBottom, x,
                          tick == kLeast        ? "first"
                          : tick > kMost * 0.99 ? "last"
                                                : "",
                          ShortTime(tick));
  }
  const double width = kWidth / kBins;
  for (int i = 0; i < kBins; ++i) {
    if (bins[i] <= 0) continue;
    // A bin of one call among millions is still to be seen.
    const double height = std::max(1.0, bins[i] / most * (kBottom - kTop));
    absl::StrAppendFormat(
        &out,
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%.0f "
        "calls</title></rect>",
        i * width + 0.5, kBottom - height, width - 1, height, bins[i]);
  }
  return out + "</svg>";
}

std::string ShortTime(double nanoseconds) {
  if (nanoseconds <= 0) return "-";
  if (nanoseconds < 999.5) return absl::StrFormat("%.3g ns", nanoseconds);
  if (nanoseconds < 999.5e3) return absl::StrFormat("%.3g us", nanoseconds / 1e3);
  if (nanoseconds < 999.5e6) return absl::StrFormat("%.3g ms", nanoseconds / 1e6);
  return absl::StrFormat("%.3g s", nanoseconds / 1e9);
}

std::string ShortNumber(double value) {
  if (value < 999.5) return absl::StrFormat("%.3g", value);
  if (value < 999.5e3) return absl::StrFormat("%.3gk", value / 1e3);
  if (value < 999.5e6) return absl::StrFormat("%.3gM", value / 1e6);
  return absl::StrFormat("%.3gG", value / 1e9);
}

std::string ShortBytes(double bytes) {
  if (bytes < 1024) return absl::StrFormat("%.0f B", bytes);
  constexpr std::array<const char*, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (bytes /= 1024; bytes >= 999.5 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return absl::StrFormat("%.3g %s", bytes, kUnits[unit]);
}

std::string GroupedNumber(uint64_t value) {
  const std::string digits = std::to_string(value);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

}  // namespace skep
