// The rows of sketches: what an item costs, beside the exact quantiles of the same
// numbers, and how far the answers are off.

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "base/strings.h"
#include "jobs/kernels/quantile_sketch.h"
#include "jobs/kernels/rank_selection.h"
#include "tests/bench/bench_inputs.h"
#include "tests/bench/kernel_rows.h"

namespace skep {
namespace {

using Numbers = Lazy<std::vector<double>>;

constexpr double kQuantiles[] = {0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999};

std::vector<uint64_t> RanksIn(size_t count) {
  std::vector<uint64_t> ranks;
  for (const double q : kQuantiles) {
    ranks.push_back(1 + static_cast<uint64_t>(q * static_cast<double>(count - 1)));
  }
  return ranks;
}

std::unique_ptr<QuantileSketch> SketchOf(SketchKind kind, const Numbers& numbers) {
  std::unique_ptr<QuantileSketch> sketch = MakeSketch(kind, 1);
  sketch->Add(std::span<const double>(*numbers));
  return sketch;
}

// The largest error of the quantiles in per cent: of ddsketch relative to the value, of
// the others in rank, relative to all.
double WorstError(SketchKind kind, const Numbers& numbers) {
  const std::unique_ptr<QuantileSketch> sketch = SketchOf(kind, numbers);
  std::vector<double> sorted = *numbers;
  std::sort(sorted.begin(), sorted.end());
  double worst = 0;
  for (const uint64_t rank : RanksIn(sorted.size())) {
    const double answer = sketch->ValueOfRank(rank), exact = sorted[rank - 1];
    double error = std::fabs(answer - exact) / std::fabs(exact);
    if (kind != SketchKind::kDdSketch) {
      const auto [low, high] = std::equal_range(sorted.begin(), sorted.end(), answer);
      error = static_cast<double>(RanksOff(static_cast<uint64_t>(low - sorted.begin()),
                                           static_cast<uint64_t>(high - low),
                                           {.low = rank, .high = rank})) /
              static_cast<double>(sorted.size());
    }
    worst = std::max(worst, 100 * error);
  }
  return worst;
}

}  // namespace

std::vector<KernelRow> SketchRows(const KernelBenchOptions& options) {
  const size_t count = size_t{options.full ? 8u : 2u} << 20;
  const Numbers numbers([count] {
    Random random(6);
    std::vector<double> drawn(count);
    // A heavy tail: no moments.
    for (double& value : drawn) value = 1 / (1 - random.Unit());
    return drawn;
  });
  const auto items = [numbers] { return static_cast<double>(numbers->size()); };
  const std::string exact = "exact, seven quantiles";
  std::vector<KernelRow> rows;
  rows.push_back(
      {.name = exact, .unit = "ns/item", .work = items, .run = [numbers](CpuPath) {
         std::vector<uint64_t> keys(numbers->size());
         std::transform(numbers->begin(), numbers->end(), keys.begin(),
                        OrderedFromDouble);
         Use(SelectRanks(keys, RanksIn(keys.size())));
       }});
  struct Bound {
    SketchKind kind;
    double percent;
  };
  for (const auto& [kind, bound] :
       {Bound{SketchKind::kKll, 0.28}, Bound{SketchKind::kTDigest, 0.63},
        Bound{SketchKind::kDdSketch, 1}}) {
    const std::string name(SketchKindName(kind));
    rows.push_back(
        {.name = name,
         .unit = "ns/item",
         .work = items,
         .run = [kind = kind, numbers](CpuPath) { Use(SketchOf(kind, numbers)); },
         .baselines = {exact}});
    rows.push_back(
        {.name = name + (kind == SketchKind::kDdSketch ? ", error of values"
                                                       : ", error of ranks"),
         .unit = "%",
         .figure = [kind = kind, numbers] { return WorstError(kind, numbers); },
         .same_each_time = true,
         .asked = {{.figure = bound}}});
  }
  return rows;
}

}  // namespace skep
