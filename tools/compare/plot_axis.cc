#include "tools/compare/plot_axis.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace skep {
namespace {

// The step of 1, 2 or 5 times a power of ten that cuts `range` into about six.
double NiceStep(double range) {
  const double rough = range / 6;
  const double ten = std::pow(10, std::floor(std::log10(rough)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (step * ten >= rough * 0.999) return step * ten;
  }
  return 10 * ten;
}

// How rare values beyond a percentile are, in powers of ten: 90 -> 1, 99 -> 2.
double Rarity(double percent) {
  return -std::log10(std::max(1e-9, 1 - std::min(percent, 100.0) / 100));
}

std::vector<double> TailTicks(double decades) {
  std::vector<double> ticks = {0, 50};
  for (int decade = 1; decade <= static_cast<int>(decades + 1e-6); ++decade) {
    ticks.push_back(100 - std::pow(10, 2 - decade));
  }
  return ticks;
}

// Multiples of a round number.
std::vector<double> LinearTicks(double low, double high) {
  std::vector<double> ticks;
  const double step = NiceStep(high - low);
  const double first = std::ceil(low / step - 1e-9);
  for (int i = 0; (first + i) * step <= high + step * 1e-6; ++i) {
    ticks.push_back((first + i) * step);
  }
  return ticks;
}

std::vector<double> LogTicks(double low, double high) {
  const double decades = std::log10(high / low);
  const auto every = static_cast<int>(std::max(1.0, std::ceil(decades / 9)));
  std::vector<double> ticks;
  for (auto power = static_cast<int>(std::floor(std::log10(low)));
       std::pow(10, power) <= high; ++power) {
    for (const double step : {1.0, 2.0, 5.0}) {
      if (decades >= 3 && (step != 1 || power % every != 0)) continue;
      const double tick = step * std::pow(10, power);
      if (tick >= low * 0.9999 && tick <= high * 1.0001) ticks.push_back(tick);
    }
  }
  // Two would not tell how the axis is divided.
  return ticks.size() < 3 ? LinearTicks(low, high) : ticks;
}

}  // namespace

PlacedAxis::PlacedAxis(PlotScale scale, const std::vector<double>& values, double from,
                       double to, Zero zero)
    : scale_(scale), from_(from), to_(to) {
  double least = std::numeric_limits<double>::infinity(), greatest = -least;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    if (scale == PlotScale::kLog && value <= 0) continue;
    if (scale == PlotScale::kTail && value >= 100) continue;
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
  if (least > greatest) least = greatest = 1;
  switch (scale) {
    case PlotScale::kLog:
      // Room on both sides, and an axis even where all are equal.
      low_ = least / 1.15;
      high_ = std::max(greatest * 1.15, low_ * 2);
      break;
    case PlotScale::kTail:
      low_ = 0;
      high_ = std::max(90.0, greatest);
      break;
    case PlotScale::kLinear:
      if (zero == Zero::kYes ||
          (zero == Zero::kNearby && least > 0 && least < greatest * 0.6)) {
        least = std::min(0.0, least);
      }
      if (least == greatest) greatest = least == 0 ? 1 : least + std::abs(least);
      const double step = NiceStep(greatest - least);
      low_ = std::floor(least / step + 1e-9) * step;
      high_ = std::ceil(greatest / step - 1e-9) * step;
      break;
  }
}

double PlacedAxis::Place(double value) const {
  switch (scale_) {
    case PlotScale::kLog:
      return std::log(std::clamp(value, low_, high_) / low_) / std::log(high_ / low_);
    case PlotScale::kTail:
      return std::min(1.0, Rarity(value) / Rarity(high_));
    default:
      return (std::clamp(value, low_, high_) - low_) / (high_ - low_);
  }
}

double PlacedAxis::At(double value) const {
  return from_ + Place(value) * (to_ - from_);
}

std::vector<double> PlacedAxis::Ticks() const {
  if (scale_ == PlotScale::kTail) return TailTicks(Rarity(high_));
  if (scale_ == PlotScale::kLog) return LogTicks(low_, high_);
  return LinearTicks(low_, high_);
}

std::string PlacedAxis::TickText(double value, PlotUnit unit) const {
  if (scale_ != PlotScale::kTail) return FormatPlotValue(value, unit);
  const int digits = value < 99.5 ? 0 : static_cast<int>(Rarity(value) + 1e-6) - 2;
  return absl::StrFormat("%.*f %%", digits, value);
}

}  // namespace skep
