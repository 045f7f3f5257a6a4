// What comparisons here and on a fleet share: whom they compare, whether answers agree,
// and what the rounds come to. Internal to comparison.cc and fleet_comparison.cc.

#ifndef SKEP_TOOLS_COMPARE_COMPARISON_ROUNDS_H_
#define SKEP_TOOLS_COMPARE_COMPARISON_ROUNDS_H_

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "base/strings.h"
#include "tools/compare/comparison.h"

namespace skep {

// One algorithm's, by round: seconds.
struct RoundSamples {
  std::vector<double> wall, cpu;
};

// The algorithms of these names; InvalidArgument lists those that there are.
template <typename Algorithm>
absl::StatusOr<std::vector<Algorithm>> ChosenOf(const std::vector<Algorithm>& all,
                                                const std::vector<std::string>& names) {
  std::vector<Algorithm> chosen;
  for (const std::string& name : names) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&name](const auto& a) { return a.name == name; });
    if (found == all.end()) {
      std::string known;
      for (const Algorithm& algorithm : all) {
        StrAppend(&known, known.empty() ? "" : ", ", algorithm.name);
      }
      return InvalidArgument("there is no algorithm \"", name, "\"; there are ", known);
    }
    chosen.push_back(*found);
  }
  return chosen;
}

// The family's kind of input that the options name; InvalidArgument.
absl::StatusOr<std::string> InputOf(const CompareFamily& family,
                                    const CompareOptions& options);

// Holds the last algorithm's answer to that of the first exact one. Internal: they
// differ.
absl::Status CheckAnswer(const std::vector<AlgorithmFigures>& figures,
                         const std::vector<bool>& exact, const std::string& input);

// Medians, spreads and ratios, by CPU time or by the clock on the wall.
void FillFigures(const std::vector<RoundSamples>& samples, bool by_wall,
                 std::vector<AlgorithmFigures>* figures);

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_COMPARISON_ROUNDS_H_
