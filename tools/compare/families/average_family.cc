// The mean of doubles in memory: fast and nearly right, or exact and somewhat slower.

#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/random.h"
#include "base/status.h"
#include "base/strings.h"
#include "jobs/kernels/exact_summary.h"
#include "jobs/kernels/number.h"
#include "jobs/kernels/number_sums.h"
#include "tools/compare/family.h"

namespace skep {
namespace {

using Reals = std::vector<double>;

double ExactMean(const Reals& values, CpuPath path) {
  ExactSummary summary;
  summary.Add(std::span<const double>(values), path);
  return summary.Mean();
}

struct AverageAlgorithm {
  const char* name;
  const char* what;
  bool exact;
  double (*mean)(const Reals& values);
  std::optional<CpuPath> path = std::nullopt;
};

const AverageAlgorithm kAlgorithms[] = {
    {"naive", "one sum in a loop", false,
     [](const Reals& values) {
       return NaiveSum(values) / static_cast<double>(values.size());
     }},
    {"fast", "compensated sums in vectors", false,
     [](const Reals& values) {
       return FastSum(values) / static_cast<double>(values.size());
     },
     BestCpuPath()},
    {"fast-scalar", "one compensated sum", false,
     [](const Reals& values) {
       return FastSum(values, CpuPath::kScalar) / static_cast<double>(values.size());
     },
     CpuPath::kScalar},
    {"exact", "slices of blocks, with the variance", true,
     [](const Reals& values) { return ExactMean(values, BestCpuPath()); },
     BestCpuPath()},
    {"exact-scalar", "a superaccumulator, with the variance", true,
     [](const Reals& values) { return ExactMean(values, CpuPath::kScalar); },
     CpuPath::kScalar},
};

Reals MakeValues(const std::string& input, uint64_t size, uint64_t seed) {
  Reals values(size);
  Random random(seed);
  for (uint64_t i = 0; i < size; ++i) {
    const double unit = random.Unit();
    if (input == "uniform") {
      values[i] = unit;
    } else if (input == "cancelling") {
      // Neighbours cancel but for the last bits.
      values[i] = i % 2 == 0 ? 1e15 : -1e15 + unit;
    } else if (input == "heavy-tails") {
      values[i] = 1 / (unit - 0.5);
    } else {  // all-scales: nothing fits the slices
      values[i] = std::ldexp(unit, static_cast<int>(random.Below(400)) - 200);
    }
  }
  return values;
}

absl::StatusOr<ComparedCase> MakeCase(const std::string& input, uint64_t size,
                                      uint64_t seed) {
  if (size == 0) return InvalidArgument("no numbers have no mean: give a size above 0");
  const auto values = std::make_shared<const Reals>(MakeValues(input, size, seed));
  const double truth = ExactMean(*values, CpuPath::kScalar);
  // A sum of n doubles, however they are added, is off by at most (n - 1) roundings of
  // the sum of the magnitudes (N. Higham, Accuracy and Stability of Numerical
  // Algorithms, 2002, section 4.2); the mean by one more.
  double magnitudes = 0;
  for (const double value : *values) magnitudes += std::fabs(value);
  const double bound = std::numeric_limits<double>::epsilon() * magnitudes;
  const auto judge = [truth, bound](const std::string& answer) {
    const double error = std::fabs(std::stod(answer) - truth);
    return Judgement{.text = error == 0 ? std::string("exact")
                                        : absl::StrFormat("relative error %.1e",
                                                          error / std::fabs(truth)),
                     .within = error <= bound};
  };
  ComparedCase all{.input = StrCat(size, " ", input, " doubles")};
  for (const AverageAlgorithm& algorithm : kAlgorithms) {
    all.algorithms.push_back(
        {.name = algorithm.name,
         .what = algorithm.what,
         .run =
             [values, mean = algorithm.mean] {
               return ComparedRun{.answer = DoubleToString(mean(*values)),
                                  .rounds = 1,
                                  .bytes = 8 * values->size()};
             },
         .judge = algorithm.exact ? nullptr
                                  : std::function<Judgement(const std::string&)>(judge),
         .path = algorithm.path});
  }
  return all;
}

absl::StatusOr<FleetInput> MakeFleetInput(const std::string& input, uint64_t size,
                                          uint64_t seed) {
  const Reals values = MakeValues(input, size, seed);
  return FleetInput{.what = StrCat(size, " ", input, " doubles"),
                    .flags = {{"format", "f64"}},
                    .bytes = std::string(reinterpret_cast<const char*>(values.data()),
                                         8 * values.size())};
}

}  // namespace

CompareFamily AverageFamily() {
  return {
      .name = "average",
      .what = "the mean of doubles in memory",
      .size_name = "doubles",
      .sizes = {1 << 12, 1 << 16, 1 << 20, 1 << 22},
      .most = uint64_t{1} << 28,
      .inputs = {"uniform", "cancelling", "heavy-tails", "all-scales"},
      .by_default = {"naive", "fast", "exact", "exact-scalar"},
      .counts =
          "Rounds: passes over the doubles. Bytes moved: those read in them; a block "
          "that is still in the cache of the core is read once.",
      .make = MakeCase,
      .on_fleet = {
          .job = "average",
          .algorithms = {{.name = "exact", .what = "sums that are exact at any split"},
                         {.name = "fast",
                          .what = "compensated sums, with their bound",
                          .flags = {{"sum", "fast"}},
                          .exact = false}},
          .sizes = {1 << 18, 1 << 21},
          .make = MakeFleetInput}};
}

}  // namespace skep
