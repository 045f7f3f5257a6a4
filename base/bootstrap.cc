#include "base/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/random.h"
#include "glog/logging.h"

namespace skep {
namespace {

// Sorts `statistics` and takes the interval between its quantiles, by nearest rank.
Interval Between(double estimate, std::vector<double> statistics, double confidence) {
  std::sort(statistics.begin(), statistics.end());
  const auto last = static_cast<double>(statistics.size() - 1);
  const auto at = [&](double quantile) {
    return statistics[static_cast<size_t>(std::lround(quantile * last))];
  };
  return {estimate, at((1 - confidence) / 2), at((1 + confidence) / 2)};
}

Interval Unknown(double estimate) { return {estimate, estimate, estimate, false}; }

double Of(std::span<const double> values, Statistic statistic,
          std::vector<double>* scratch) {
  scratch->assign(values.begin(), values.end());
  return statistic(*scratch);
}

}  // namespace

double MeanOf(std::span<double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

double MedianOf(std::span<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

Interval Bootstrap(std::span<const double> values, Statistic statistic,
                   const BootstrapOptions& options) {
  CHECK(!values.empty()) << "a sample has at least one value";
  Random random(options.seed);
  std::vector<double> drawn;
  const double estimate = Of(values, statistic, &drawn);
  if (values.size() < kLeastForInterval) return Unknown(estimate);
  std::vector<double> statistics(static_cast<size_t>(options.resamples));
  for (double& out : statistics) {
    for (double& value : drawn) value = values[random.Below(values.size())];
    out = statistic(drawn);
  }
  return Between(estimate, std::move(statistics), options.confidence);
}

Interval BootstrapRatio(std::span<const double> numerator,
                        std::span<const double> denominator, Statistic statistic,
                        Pairing pairing, const BootstrapOptions& options) {
  CHECK(!numerator.empty() && !denominator.empty());
  if (pairing == Pairing::kPaired) CHECK_EQ(numerator.size(), denominator.size());
  Random random(options.seed);
  std::vector<double> above, below;
  const double estimate =
      Of(numerator, statistic, &above) / Of(denominator, statistic, &below);
  if (std::min(numerator.size(), denominator.size()) < kLeastForInterval) {
    return Unknown(estimate);
  }
  std::vector<double> statistics(static_cast<size_t>(options.resamples));
  for (double& out : statistics) {
    if (pairing == Pairing::kPaired) {
      for (size_t i = 0; i < above.size(); ++i) {
        const size_t round = random.Below(numerator.size());
        above[i] = numerator[round];
        below[i] = denominator[round];
      }
    } else {
      for (double& value : above) value = numerator[random.Below(numerator.size())];
      for (double& value : below) value = denominator[random.Below(denominator.size())];
    }
    out = statistic(above) / statistic(below);
  }
  return Between(estimate, std::move(statistics), options.confidence);
}

}  // namespace skep
