#include "jobs/quantiles.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "jobs/key_windows.h"
#include "jobs/order_key.h"

namespace skep {
namespace {

constexpr char kStage[] = "window";
// Keys that all tasks of a round may sample together, and one task at least.
constexpr uint64_t kSample = 1 << 18;
constexpr uint64_t kTaskSample = 1 << 10;
// A round that expects at most so many keys inside its windows takes all of them.
constexpr uint64_t kFewNumbers = 1 << 22;
// A task's result, in keys: below the engine's limit.
constexpr uint64_t kTaskKeys = 1 << 22;
constexpr double kDeviations = 4;

// One round, as the stage's args.
struct Round {
  uint64_t capacity = 0;  // of the sample of a window, in a task
  std::vector<KeyWindow> windows = {KeyWindow{}};
};

std::string EncodeRound(const Round& round) {
  std::string bytes;
  PutVarint(&bytes, round.capacity);
  for (const KeyWindow& window : round.windows) {
    PutOrderKey(&bytes, window.low);
    PutOrderKey(&bytes, window.high);
  }
  return bytes;
}

absl::StatusOr<Round> DecodeRound(std::string_view bytes) {
  Round round;
  round.windows.clear();
  bool good = GetVarint(&bytes, &round.capacity) && round.capacity >= 2;
  while (good && !bytes.empty()) {
    KeyWindow& window = round.windows.emplace_back();
    good = GetOrderKey(&bytes, &window.low) && GetOrderKey(&bytes, &window.high) &&
           window.low <= window.high;
  }
  if (!good || round.windows.empty()) {
    return Internal("quantiles: the stage's arguments are malformed");
  }
  return round;
}

// The result of a task: the reader's report, and the tallies.
class LookThroughWindows final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    SKEP_RETURN_IF_ERROR(Start(context));
    SKEP_RETURN_IF_ERROR(reader_.Read(block, context.options()));
    windows_->Add(reader_.integers());
    windows_->Add(reader_.large());
    windows_->Add(reader_.reals());
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    SKEP_RETURN_IF_ERROR(Start(context));
    std::string result;
    PutBytes(&result, reader_.Report());
    PutTallies(&result, windows_->Take());
    context.SetResult(std::move(result));
    return absl::OkStatus();
  }

 private:
  absl::Status Start(MapContext& context) {
    if (windows_ != nullptr) return absl::OkStatus();
    SKEP_ASSIGN_OR_RETURN(Round round, DecodeRound(context.args()));
    // Attempts draw the same samples, rounds and tasks others.
    const uint64_t seed = static_cast<uint64_t>(context.task()) << 32 ^ round.capacity;
    windows_ = std::make_unique<KeyWindows>(std::move(round.windows),
                                            round.capacity / 2 * 2, seed);
    return absl::OkStatus();
  }

  NumberReader reader_;
  std::unique_ptr<KeyWindows> windows_;
};

PlanResult StageOf(const Round& round) {
  StageSpec stage;
  stage.set_name(kStage);
  stage.set_job_input(true);
  stage.set_args(EncodeRound(round));
  return NextStage(std::move(stage));
}

// A window after its round, over all tasks.
struct Seen {
  KeyWindow window;
  uint64_t below = 0, at_low = 0, inside = 0, at_high = 0;
  // What was sampled, ascending, with how many it and those before stand for.
  std::vector<std::pair<OrderKey, uint64_t>> sample;
  bool whole = true;      // the sample is all that is inside
  double variance = 0;    // of a rank in the middle, as the sample tells it, times 4
  uint64_t coarsest = 1;  // key of the sample

  uint64_t end() const { return below + at_low + inside + at_high; }
};

absl::StatusOr<std::vector<Seen>> SeenBy(const StageResult& stage) {
  SKEP_ASSIGN_OR_RETURN(const Round round, DecodeRound(stage.spec().args()));
  std::vector<Seen> all(round.windows.size());
  for (size_t i = 0; i < all.size(); ++i) all[i].window = round.windows[i];
  for (const std::string& result : stage.map_results()) {
    std::string_view rest = result, report;
    std::vector<WindowTally> tallies;
    if (!GetBytes(&rest, &report) || !GetTallies(&rest, &tallies) ||
        tallies.size() != all.size()) {
      return Internal("quantiles: a map task's result is malformed");
    }
    for (size_t i = 0; i < all.size(); ++i) {
      Seen& seen = all[i];
      const WindowTally& tally = tallies[i];
      seen.below += tally.below;
      seen.at_low += tally.at_low;
      seen.inside += tally.inside;
      seen.at_high += tally.at_high;
      for (const OrderKey key : tally.sample) {
        seen.sample.emplace_back(key, tally.stride);
      }
      seen.whole = seen.whole && tally.stride == 1;
      seen.variance +=
          static_cast<double>(tally.inside) * static_cast<double>(tally.stride);
      seen.coarsest = std::max(seen.coarsest, tally.stride);
    }
  }
  for (Seen& seen : all) {
    std::sort(seen.sample.begin(), seen.sample.end());
    uint64_t reached = 0;
    for (auto& [key, weight] : seen.sample) weight = reached += weight;
  }
  return all;
}

// The key at which the sample reaches `rank`; `otherwise` before its first and after
// its last.
OrderKey KeyNear(const Seen& seen, double rank, OrderKey otherwise) {
  if (rank < 0) return otherwise;
  const auto at = std::partition_point(
      seen.sample.begin(), seen.sample.end(), [rank](const auto& key_and_reached) {
        return static_cast<double>(key_and_reached.second) <= rank;
      });
  return at == seen.sample.end() ? otherwise : at->first;
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
    place.key = seen.sample[rank - 1].first;
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
Round NextRound(const std::map<uint64_t, Place>& places, uint64_t task_sample) {
  Round next;
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

absl::StatusOr<InputAccount> AccountOf(const PlanInput& input) {
  std::vector<std::string_view> reports;
  for (const std::string& result : input.finished[0].map_results()) {
    std::string_view rest = result;
    if (!GetBytes(&rest, &reports.emplace_back())) {
      return Internal("quantiles: a map task's result is malformed");
    }
  }
  return CollectInput(input, reports);
}

absl::Status CheckDefinition(const std::string& value) {
  return ParseQuantileDefinition(value).status();
}

}  // namespace

void TakeQuantiles(Job& job) {
  TakeNumbers(job);
  job.AddFlag({.name = "definition",
               .type = Flag::Type::kString,
               .default_value = "lower",
               .value_name = "NAME",
               .help = "What lies between two numbers: lower (the lower one), upper, "
                       "midpoint (their average) or interpolated (on the line between; "
                       "also called linear)",
               .check = CheckDefinition})
      .Output(OutputShape::kNone)
      .AddStage(kStage,
                {.mapper = [] { return std::make_unique<LookThroughWindows>(); }});
}

QuantileDefinition DefinitionOf(const Options& options) {
  // The flag was checked when it was set.
  return *ParseQuantileDefinition(options.GetString("definition"));
}

absl::StatusOr<PlanResult> PlanQuantiles(
    const PlanInput& input, const std::vector<Quantile>& quantiles,
    const std::function<PlanResult(const QuantileValues&)>& answer) {
  const uint64_t tasks = std::max<size_t>(1, input.splits.size());
  uint64_t task_sample = std::max(kSample / tasks, kTaskSample);
  // Doubled with each round after the second: in the end a sample is the whole.
  for (size_t i = 2; i < input.finished.size() && task_sample < kTaskKeys; ++i) {
    task_sample *= 2;
  }
  if (input.finished.empty()) return StageOf({.capacity = task_sample});
  SKEP_ASSIGN_OR_RETURN(InputAccount account, AccountOf(input));

  std::vector<QuantileRanks> wanted;
  std::map<uint64_t, Place> places;
  for (const Quantile& quantile : quantiles) {
    wanted.push_back(RanksOf(quantile, account.numbers, DefinitionOf(input.options)));
    places[wanted.back().low];
    places[wanted.back().high];
  }
  // A rank that a round found is not looked for in the next.
  for (const StageResult& stage : input.finished) {
    SKEP_ASSIGN_OR_RETURN(const std::vector<Seen> seen, SeenBy(stage));
    for (auto& [rank, place] : places) {
      if (!place.found) place = PlaceOf(seen, rank, account.numbers);
    }
  }
  const Round next = NextRound(places, task_sample);
  if (!next.windows.empty()) return StageOf(next);

  QuantileValues values{.account = std::move(account)};
  for (const QuantileRanks& ranks : wanted) {
    values.values.push_back(ValueAt(ranks, NumberOf(places[ranks.low].key),
                                    NumberOf(places[ranks.high].key)));
  }
  return answer(values);
}

}  // namespace skep
