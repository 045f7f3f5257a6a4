// The median of 64-bit keys in memory, by the algorithms of jobs/kernels.

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/coding.h"
#include "base/random.h"
#include "base/status.h"
#include "base/strings.h"
#include "jobs/kernels/number.h"
#include "jobs/kernels/quantile_sketch.h"
#include "jobs/kernels/rank_selection.h"
#include "jobs/kernels/selection.h"
#include "jobs/kernels/sketch_ddsketch.h"
#include "jobs/kernels/sketch_kll.h"
#include "tools/compare/counted_item.h"
#include "tools/compare/family.h"

namespace skep {
namespace {

using Keys = std::vector<uint64_t>;

struct MedianAlgorithm {
  const char* name;
  const char* what;
  uint64_t (*select)(const Keys& keys, uint64_t rank, SelectionCost* cost);
  std::optional<CpuPath> path = std::nullopt;
  // Of a standard algorithm, which counts nothing: the same over items that do.
  void (*select_counted)(std::vector<CountedItem<uint64_t>>& keys,
                         uint64_t rank) = nullptr;
};

const MedianAlgorithm kAlgorithms[] = {
    {"bisection", "halves the range of values, a pass a step",
     [](const Keys& keys, uint64_t rank, SelectionCost* cost) {
       return SelectByBisection(keys, rank, BestCpuPath(), cost);
     },
     BestCpuPath()},
    {"random-pivot", "guesses a key that is left, a pass a guess",
     [](const Keys& keys, uint64_t rank, SelectionCost* cost) {
       return SelectByRandomPivot(keys, rank, BestCpuPath(), cost);
     },
     BestCpuPath()},
    {"radix", "counts 11 bits a pass",
     [](const Keys& keys, uint64_t rank, SelectionCost* cost) {
       return SelectByRadix(keys, rank, cost);
     }},
    {"window", "samples, counts and collects a window, selects in it",
     [](const Keys& keys, uint64_t rank, SelectionCost* cost) {
       const uint64_t ranks[] = {rank};
       return SelectRanks(keys, ranks, BestCpuPath(), cost)[0];
     },
     BestCpuPath()},
    {"window-scalar", "the same without vectors",
     [](const Keys& keys, uint64_t rank, SelectionCost* cost) {
       const uint64_t ranks[] = {rank};
       return SelectRanks(keys, ranks, CpuPath::kScalar, cost)[0];
     },
     CpuPath::kScalar},
    {"nth_element", "std::nth_element on a copy",
     [](const Keys& keys, uint64_t rank, SelectionCost* /*cost*/) {
       Keys copy = keys;
       return SelectRank(copy, rank);
     },
     std::nullopt,
     [](std::vector<CountedItem<uint64_t>>& keys, uint64_t rank) {
       std::nth_element(keys.begin(), keys.begin() + static_cast<ptrdiff_t>(rank - 1),
                        keys.end());
     }},
    {"sort", "std::sort on a copy",
     [](const Keys& keys, uint64_t rank, SelectionCost* /*cost*/) {
       Keys copy = keys;
       std::sort(copy.begin(), copy.end());
       return copy[rank - 1];
     },
     std::nullopt,
     [](std::vector<CountedItem<uint64_t>>& keys, uint64_t /*rank*/) {
       std::sort(keys.begin(), keys.end());
     }},
};

absl::StatusOr<Keys> MakeKeys(const std::string& input, uint64_t size, uint64_t seed) {
  Keys keys(size);
  Random random(seed);
  for (uint64_t i = 0; i < size; ++i) {
    if (input == "uniform") {
      keys[i] = random();
    } else if (input == "sorted") {
      keys[i] = i << 20;
    } else if (input == "equal") {
      keys[i] = 42;
    } else if (input == "two-values") {
      keys[i] = random.Below(2);
    } else {  // heavy-tails
      keys[i] = OrderedFromDouble(1 / (random.Unit() - 0.5));
    }
  }
  return keys;
}

// Of a sketch's answer: how far its rank is off, and whether that is what the sketch
// promises. Of kll with a probability of 0.99, so here three times that; of ddsketch by
// the value; of tdigest nothing, but it stays between the least and the greatest.
Judgement Judge(const Keys& keys, uint64_t rank, SketchKind kind, double answer) {
  uint64_t below = 0, equal = 0;
  std::vector<double> sorted;
  for (const uint64_t key : keys) {
    sorted.push_back(static_cast<double>(key));
    below += sorted.back() < answer;
    equal += sorted.back() == answer;
  }
  std::sort(sorted.begin(), sorted.end());
  const double exact = sorted[rank - 1];
  const double off =
      static_cast<double>(RanksOff(below, equal, {.low = rank, .high = rank})) /
      static_cast<double>(keys.size());
  bool within = answer >= sorted.front() && answer <= sorted.back();
  if (kind == SketchKind::kKll) within = within && off <= 3 * KllSketch(0).RankError();
  if (kind == SketchKind::kDdSketch) {
    const double bound = exact * DdSketch().error() * (1 + 1e-9);
    within = within && std::fabs(answer - exact) <= bound;
  }
  return {.text = absl::StrFormat("rank off by %.3g %%", 100 * off), .within = within};
}

// The keys as numbers: what a sketch holds.
void AddSketches(const std::shared_ptr<const Keys>& keys, uint64_t rank,
                 ComparedCase* all) {
  for (const SketchKind kind :
       {SketchKind::kKll, SketchKind::kTDigest, SketchKind::kDdSketch}) {
    all->algorithms.push_back(
        {.name = std::string(SketchKindName(kind)),
         .what =
             StrCat("a sketch of the keys as doubles: ", MakeSketch(kind, 1)->Bound()),
         .run =
             [keys, rank, kind] {
               const auto sketch = MakeSketch(kind, 1);
               for (const uint64_t key : *keys) sketch->Add(static_cast<double>(key));
               return ComparedRun{.answer = DoubleToString(sketch->ValueOfRank(rank)),
                                  .rounds = 1,
                                  .bytes = 8 * keys->size()};
             },
         .judge =
             [keys, rank, kind](const std::string& answer) {
               return Judge(*keys, rank, kind, std::stod(answer));
             }});
  }
}

absl::StatusOr<ComparedCase> MakeCase(const std::string& input, uint64_t size,
                                      uint64_t seed) {
  if (size == 0) return InvalidArgument("no keys have no median: give a size above 0");
  SKEP_ASSIGN_OR_RETURN(Keys made, MakeKeys(input, size, seed));
  const auto keys = std::make_shared<const Keys>(std::move(made));
  const uint64_t rank = (size + 1) / 2;
  ComparedCase all{.input = StrCat(size, " ", input, " keys")};
  for (const MedianAlgorithm& algorithm : kAlgorithms) {
    all.algorithms.push_back({.name = algorithm.name,
                              .what = algorithm.what,
                              .run =
                                  [keys, rank, select = algorithm.select] {
                                    SelectionCost cost;
                                    const uint64_t median = select(*keys, rank, &cost);
                                    return ComparedRun{.answer = StrCat(median),
                                                       .rounds = cost.passes,
                                                       .bytes = 8 * cost.keys_read};
                                  },
                              .path = algorithm.path});
    if (algorithm.select_counted == nullptr) continue;
    all.algorithms.back().in_full = [keys, rank, select = algorithm.select_counted] {
      ItemCost cost;
      auto items = CountedItems(*keys, &cost);
      select(items, rank);
      // The copy is read and written.
      return ComparedRun{.answer = StrCat(items[rank - 1].value()),
                         .rounds = 1 + cost.rounds(),
                         .bytes = 2 * 8 * keys->size() + cost.bytes()};
    };
  }
  AddSketches(keys, rank, &all);
  return all;
}

absl::StatusOr<FleetInput> MakeFleetInput(const std::string& input, uint64_t size,
                                          uint64_t seed) {
  SKEP_ASSIGN_OR_RETURN(const Keys keys, MakeKeys(input, size, seed));
  return FleetInput{.what = StrCat(size, " ", input, " keys"),
                    .flags = {{"format", "u64"}},
                    .bytes = std::string(reinterpret_cast<const char*>(keys.data()),
                                         8 * keys.size())};
}

}  // namespace

CompareFamily MedianFamily() {
  return {
      .name = "median",
      .what = "the median of 64-bit keys in memory",
      .size_name = "keys",
      .sizes = {1 << 16, 1 << 18, 1 << 20, 1 << 22},
      .most = uint64_t{1} << 28,
      .inputs = {"uniform", "sorted", "equal", "two-values", "heavy-tails"},
      .by_default = {"bisection", "random-pivot", "radix", "window", "nth_element",
                     "kll", "tdigest", "ddsketch"},
      .counts =
          "Rounds: passes over the keys or those that are left; of nth_element and "
          "sort, which copy them first, one more than the comparisons a key. Bytes "
          "moved: keys read in them, and written; a comparison reads one key.",
      .make = MakeCase,
      .on_fleet = {.job = "median",
                   .algorithms = {{.name = "window",
                                   .what = "sample, window, selection in rounds"},
                                  {.name = "radix",
                                   .what = "counts 11 bits of the keys a round",
                                   .flags = {{"algorithm", "radix"}}},
                                  {.name = "random-pivot",
                                   .what = "guesses a key that is left, a round a "
                                           "guess",
                                   .flags = {{"algorithm", "random-pivot"}}},
                                  {.name = "bisection",
                                   .what = "halves the range of keys, a round a bit",
                                   .flags = {{"algorithm", "bisection"}}},
                                  {.name = "kll",
                                   .what = "a sketch, in one round",
                                   .flags = {{"approx", "kll"}},
                                   .exact = false},
                                  {.name = "tdigest",
                                   .what = "a sketch, in one round",
                                   .flags = {{"approx", "tdigest"}},
                                   .exact = false},
                                  {.name = "ddsketch",
                                   .what = "a sketch, in one round",
                                   .flags = {{"approx", "ddsketch"}},
                                   .exact = false}},
                   .sizes = {1 << 18, 1 << 21},
                   .make = MakeFleetInput}};
}

}  // namespace skep
