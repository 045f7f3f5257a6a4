#include "jobs/quantiles.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/status.h"
#include "jobs/grouped_numbers.h"
#include "jobs/number_skim.h"
#include "jobs/order_key.h"
#include "jobs/sketch_rounds.h"
#include "jobs/window_round.h"

namespace skep {
namespace {

// Keys that all tasks of a round may sample together, and one task at least.
constexpr uint64_t kSample = 1 << 18;
constexpr uint64_t kTaskSample = 1 << 10;
// Larger inputs are skimmed before they are read.
constexpr uint64_t kSmallInput = 4 << 20;
// A round that expects at most so many keys inside its windows takes all of them.
constexpr uint64_t kFewNumbers = 1 << 22;
// A task's result, in keys: below the engine's limit.
constexpr uint64_t kTaskKeys = 1 << 22;
constexpr double kDeviations = 4;

// The key at which the sample reaches `rank`; `otherwise` before its first and after
// its last.
OrderKey KeyNear(const Seen& seen, double rank, OrderKey otherwise) {
  if (rank < 0) return otherwise;
  const auto at = std::partition_point(
      seen.reached.begin(), seen.reached.end(),
      [rank](uint64_t reached) { return static_cast<double>(reached) <= rank; });
  return at == seen.reached.end() ? otherwise : seen.sample[at - seen.reached.begin()];
}

// Where a rank is, after a round: a key, or a smaller window with about so many
// numbers.
struct Place {
  bool found = false;
  OrderKey key = 0;
  KeyWindow window;
  double numbers = 0;
};

Place PlaceInside(const Seen& seen, uint64_t rank) {
  Place place;
  if (seen.whole) {
    place.found = true;
    place.key = seen.sample[rank - 1];
    return place;
  }
  const auto wanted = static_cast<double>(rank);
  const double margin =
      kDeviations * (std::sqrt(seen.variance) / 2 + static_cast<double>(seen.coarsest));
  place.window = {KeyNear(seen, wanted - margin, seen.window.low),
                  KeyNear(seen, wanted + margin, seen.window.high)};
  place.numbers = std::min(2 * margin, static_cast<double>(seen.inside));
  return place;
}

Place PlaceOf(const std::vector<Seen>& all, uint64_t rank, uint64_t count) {
  KeyWindow gap;  // around the rank, if no window has it
  uint64_t gap_begin = 0, gap_end = count;
  for (const Seen& seen : all) {
    if (rank <= seen.below) {
      gap.high = seen.window.low;
      gap_end = seen.below;
      break;
    }
    if (rank <= seen.below + seen.at_low)
      return {.found = true, .key = seen.window.low};
    if (rank <= seen.below + seen.at_low + seen.inside) {
      return PlaceInside(seen, rank - seen.below - seen.at_low);
    }
    if (rank <= seen.end()) return {.found = true, .key = seen.window.high};
    gap.low = seen.window.high;
    gap_begin = seen.end();
  }
  return {.window = gap, .numbers = static_cast<double>(gap_end - gap_begin)};
}

// Windows of ranks that are not found, which ascend: those that touch become one.
WindowRound NextRound(const std::map<uint64_t, Place>& places, uint64_t task_sample) {
  WindowRound next;
  next.windows.clear();
  double numbers = 0;
  for (const auto& [rank, place] : places) {
    if (place.found) continue;
    numbers += place.numbers;
    if (next.windows.empty() || place.window.low > next.windows.back().high) {
      next.windows.push_back(place.window);
      continue;
    }
    KeyWindow& last = next.windows.back();
    last.low = std::min(last.low, place.window.low);
    last.high = std::max(last.high, place.window.high);
  }
  const uint64_t windows = std::max<uint64_t>(1, next.windows.size());
  next.capacity = numbers <= static_cast<double>(kFewNumbers)
                      ? kTaskKeys / windows
                      : std::clamp(task_sample / windows, uint64_t{256}, kTaskKeys);
  return next;
}

// One key's numbers, with --group-by: all of them, so a key's must fit the memory of
// the reducer.
class KeyGroup final : public NumberGroup {
 public:
  explicit KeyGroup(QuantilesOf quantiles) : quantiles_(std::move(quantiles)) {}

  void Add(const Number& number) override { PutOrderKey(&keys_, OrderKeyOf(number)); }
  size_t size() const override { return keys_.size(); }
  std::string Take() override { return std::exchange(keys_, {}); }
  absl::Status AddPart(std::string_view part) override {
    if (part.size() % kOrderKeyBytes != 0) {
      return DataLoss("a part of ", part.size(), " bytes is no whole number of keys");
    }
    keys_ += part;
    return absl::OkStatus();
  }

  std::string Line(const Options& options) override {
    std::vector<OrderKey> keys(keys_.size() / kOrderKeyBytes);
    std::string_view rest = keys_;
    for (OrderKey& key : keys) GetOrderKey(&rest, &key);
    std::sort(keys.begin(), keys.end());
    std::string line = StrCat(keys.size());
    for (const Quantile& quantile : quantiles_(options)) {
      const QuantileRanks ranks = RanksOf(quantile, keys.size(), DefinitionOf(options));
      const Number value =
          ValueAt(ranks, NumberOf(keys[ranks.low - 1]), NumberOf(keys[ranks.high - 1]));
      StrAppend(&line, "\t", value.ToString());
    }
    return line;
  }

 private:
  const QuantilesOf quantiles_;
  std::string keys_;  // of PutOrderKey
};

// Before all is known: about where each quantile is, in the order of the quantiles.
WindowRound RoundAfterSkim(const NumberSkim& skim,
                           const std::vector<Quantile>& quantiles,
                           uint64_t task_sample) {
  if (skim.empty()) return {.capacity = task_sample};
  std::vector<double> wanted;
  for (const Quantile& q : quantiles) {
    wanted.push_back(static_cast<double>(q.numerator) /
                     static_cast<double>(q.denominator));
  }
  std::sort(wanted.begin(), wanted.end());
  std::map<uint64_t, Place> places;
  for (const NumberSkim::Around& around : skim.WindowsAround(wanted)) {
    places[places.size()] = {.window = around.window, .numbers = around.numbers};
  }
  return NextRound(places, task_sample);
}

// The values of the wanted ranks, whose keys are found.
QuantileValues ValuesOf(InputAccount account, const std::vector<QuantileRanks>& wanted,
                        const std::function<OrderKey(uint64_t rank)>& key_of) {
  QuantileValues values{.account = std::move(account)};
  for (const QuantileRanks& ranks : wanted) {
    values.values.push_back(
        ValueAt(ranks, NumberOf(key_of(ranks.low)), NumberOf(key_of(ranks.high))));
  }
  return values;
}

absl::StatusOr<PlanResult> PlanByTextbook(
    const PlanInput& input, std::string_view algorithm,
    const std::vector<Quantile>& quantiles,
    const std::function<PlanResult(const QuantileValues&)>& answer) {
  InputAccount account;
  std::vector<QuantileRanks> wanted;
  std::vector<uint64_t> ranks = {1};
  if (!input.finished.empty()) {
    SKEP_ASSIGN_OR_RETURN(account, AccountOf(input, input.finished[0]));
    ranks.clear();
    for (const Quantile& quantile : quantiles) {
      wanted.push_back(RanksOf(quantile, account.numbers, DefinitionOf(input.options)));
      ranks.push_back(wanted.back().low);
      ranks.push_back(wanted.back().high);
    }
  }
  SKEP_ASSIGN_OR_RETURN(const TextbookStep step,
                        PlanTextbook(algorithm, input.finished, ranks));
  if (!step.done) return step.next;
  return answer(ValuesOf(std::move(account), wanted,
                         [&step](uint64_t rank) { return step.keys.at(rank); }));
}

uint64_t InputBytes(const PlanInput& input) {
  uint64_t bytes = 0;
  for (const InputSplit& split : input.splits) bytes += split.length();
  return bytes;
}

absl::Status CheckDefinition(const std::string& value) {
  return ParseQuantileDefinition(value).status();
}

}  // namespace

std::vector<std::string> QuantileValues::AllNotes() const {
  std::vector<std::string> all = account.Notes();
  all.insert(all.end(), notes.begin(), notes.end());
  return all;
}

void TakeQuantiles(Job& job, QuantilesOf quantiles) {
  TakeNumbers(job);
  TakeGroups(job, [quantiles] { return std::make_unique<KeyGroup>(quantiles); });
  job.AddFlag({.name = "definition",
               .type = Flag::Type::kString,
               .default_value = "lower",
               .value_name = "NAME",
               .help = "What lies between two numbers: lower (the lower one), upper, "
                       "midpoint (their average) or interpolated (on the line between; "
                       "also called linear)",
               .check = CheckDefinition});
  AddSkimStage(job);
  AddWindowStage(job);
  TakeSketches(job);
  job.Check([](const Options& options) {
    return WantsGroups(options) && WantsSketch(options)
               ? InvalidArgument("groups are exact: leave out --approx")
               : absl::OkStatus();
  });
}

QuantileDefinition DefinitionOf(const Options& options) {
  // The flag was checked when it was set.
  return *ParseQuantileDefinition(options.GetString("definition"));
}

absl::StatusOr<PlanResult> PlanQuantiles(
    const PlanInput& input, const std::vector<Quantile>& quantiles,
    const std::function<PlanResult(const QuantileValues&)>& answer,
    std::string_view algorithm) {
  if (WantsGroups(input.options)) return PlanGroups(input);
  if (WantsSketch(input.options)) return PlanSketch(input, quantiles, answer);
  if (algorithm != kWindowAlgorithm) {
    return PlanByTextbook(input, algorithm, quantiles, answer);
  }
  const uint64_t tasks = std::max<size_t>(1, input.splits.size());
  uint64_t task_sample = std::max(kSample / tasks, kTaskSample);
  std::span<const StageResult> rounds = input.finished;
  if (rounds.empty()) {
    if (InputBytes(input) <= kSmallInput) return WindowStage({.capacity = task_sample});
    return SkimStage(input.splits, quantiles.size());
  }
  if (IsSkim(rounds[0])) {
    if (rounds.size() == 1) {
      SKEP_ASSIGN_OR_RETURN(const NumberSkim skim, NumberSkim::Of(rounds[0]));
      return WindowStage(RoundAfterSkim(skim, quantiles, task_sample));
    }
    rounds = rounds.subspan(1);
  }
  // Doubled with each round after the second: in the end a sample is the whole.
  for (size_t i = 2; i < rounds.size() && task_sample < kTaskKeys; ++i) {
    task_sample *= 2;
  }
  SKEP_ASSIGN_OR_RETURN(InputAccount account, AccountOf(input, rounds[0]));

  std::vector<QuantileRanks> wanted;
  std::map<uint64_t, Place> places;
  for (const Quantile& quantile : quantiles) {
    wanted.push_back(RanksOf(quantile, account.numbers, DefinitionOf(input.options)));
    places[wanted.back().low];
    places[wanted.back().high];
  }
  // A rank that a round found is not looked for in the next.
  for (const StageResult& stage : rounds) {
    SKEP_ASSIGN_OR_RETURN(const std::vector<Seen> seen, SeenBy(stage));
    for (auto& [rank, place] : places) {
      if (!place.found) place = PlaceOf(seen, rank, account.numbers);
    }
  }
  const WindowRound next = NextRound(places, task_sample);
  if (!next.windows.empty()) return WindowStage(next);

  return answer(ValuesOf(std::move(account), wanted,
                         [&places](uint64_t rank) { return places[rank].key; }));
}

}  // namespace skep
