#include "tools/compare/comparison_rounds.h"

namespace skep {
namespace {

// Half the distance of the quartiles, as a part of the median.
std::optional<double> SpreadOf(std::vector<double> values) {
  if (values.size() < kLeastForSpread) return std::nullopt;
  std::sort(values.begin(), values.end());
  const auto at = [&values](double q) {
    return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
  };
  return (at(0.75) - at(0.25)) / 2 / at(0.5);
}

}  // namespace

absl::StatusOr<std::string> InputOf(const CompareFamily& family,
                                    const CompareOptions& options) {
  if (options.input.empty()) return family.inputs[0];
  std::string known;
  for (const std::string& input : family.inputs) {
    if (input == options.input) return input;
    StrAppend(&known, known.empty() ? "" : ", ", input);
  }
  return InvalidArgument("there is no input \"", options.input, "\"; there are ",
                         known);
}

absl::Status CheckAnswer(const std::vector<AlgorithmFigures>& figures,
                         const std::vector<bool>& exact, const std::string& input) {
  const size_t last = figures.size() - 1;
  if (!exact[last]) return absl::OkStatus();
  for (size_t i = 0; i < last; ++i) {
    if (!exact[i]) continue;
    if (figures[i].answer == figures[last].answer) return absl::OkStatus();
    return Internal("on ", input, " ", figures[i].name, " answers ", figures[i].answer,
                    " and ", figures[last].name, " ", figures[last].answer,
                    ": nothing was measured");
  }
  return absl::OkStatus();
}

void FillFigures(const std::vector<RoundSamples>& samples, bool by_wall,
                 std::vector<AlgorithmFigures>* figures) {
  const auto cost = [by_wall](const RoundSamples& of) -> const std::vector<double>& {
    return by_wall ? of.wall : of.cpu;
  };
  for (size_t i = 0; i < samples.size(); ++i) {
    AlgorithmFigures& of = (*figures)[i];
    of.wall = Bootstrap(samples[i].wall, MedianOf);
    of.cpu = Bootstrap(samples[i].cpu, MedianOf);
    of.spread = SpreadOf(cost(samples[i]));
    of.ratio =
        BootstrapRatio(cost(samples[0]), cost(samples[i]), MedianOf, Pairing::kPaired);
    of.within_noise =
        i > 0 && of.ratio.known && of.ratio.low <= 1 && of.ratio.high >= 1;
  }
}

}  // namespace skep
