#include "jobs/sketch_rounds.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/coding.h"
#include "base/status.h"
#include "jobs/api/json_text.h"
#include "jobs/kernels/quantile_sketch.h"
#include "jobs/order_key.h"
#include "jobs/window_round.h"

namespace skep {
namespace {

constexpr char kStage[] = "sketch";

// The flag was checked when it was set.
SketchKind KindOf(const Options& options) {
  return *ParseSketchKind(options.GetString("approx"));
}

absl::Status CheckApprox(const std::string& value) {
  return value.empty() ? absl::OkStatus() : ParseSketchKind(value).status();
}

// The result of a task: the reader's report, and the sketch.
class Sketch final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    Start(context);
    SKEP_RETURN_IF_ERROR(reader_.Read(block, context.options()));
    for (const int64_t value : reader_.integers()) {
      sketch_->Add(static_cast<double>(value));
    }
    for (const uint64_t value : reader_.large()) {
      sketch_->Add(static_cast<double>(value));
    }
    sketch_->Add(reader_.reals());
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    Start(context);
    std::string result;
    PutBytes(&result, reader_.Report());
    PutBytes(&result, sketch_->Serialize());
    context.SetResult(std::move(result));
    return absl::OkStatus();
  }

 private:
  void Start(MapContext& context) {
    if (sketch_ != nullptr) return;
    sketch_ =
        MakeSketch(KindOf(context.options()), static_cast<uint64_t>(context.task()));
  }

  NumberReader reader_;
  std::unique_ptr<QuantileSketch> sketch_;
};

absl::StatusOr<std::unique_ptr<QuantileSketch>> Merged(SketchKind kind,
                                                       const StageResult& stage) {
  std::unique_ptr<QuantileSketch> all =
      MakeSketch(kind, static_cast<uint64_t>(stage.map_results_size()));
  for (const std::string& result : stage.map_results()) {
    std::string_view rest = result, report, bytes;
    if (!GetBytes(&rest, &report) || !GetBytes(&rest, &bytes)) {
      return Internal("quantiles: a map task's result is malformed");
    }
    SKEP_ASSIGN_OR_RETURN(const auto sketch, ParseSketch(kind, bytes));
    all->Merge(*sketch);
  }
  return all;
}

// Windows of the answers alone, ascending and distinct.
WindowRound CheckRound(const std::vector<Number>& values) {
  std::vector<OrderKey> keys;
  for (const Number& value : values) keys.push_back(OrderKeyOf(value));
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  WindowRound round;
  round.windows.clear();
  for (const OrderKey key : keys) round.windows.push_back({key, key});
  return round;
}

// Where an answer stands among all numbers: "has rank 7", "has ranks 7 to 9", "lies
// between ranks 7 and 8".
std::string RanksOfAnswer(const Seen& seen) {
  const uint64_t first = seen.below + 1, last = seen.below + seen.at_low;
  if (seen.at_low == 0) {
    return seen.below == 0 ? "lies below rank 1"
                           : StrCat("lies between ranks ", seen.below, " and ", first);
  }
  return first == last ? StrCat("has rank ", first)
                       : StrCat("has ranks ", first, " to ", last);
}

std::string RanksWanted(const QuantileRanks& wanted) {
  return wanted.low == wanted.high ? StrCat("rank ", wanted.low)
                                   : StrCat("ranks ", wanted.low, " and ", wanted.high);
}

}  // namespace

void TakeSketches(Job& job) {
  job.AddFlag({.name = "approx",
               .type = Flag::Type::kString,
               .value_name = "SKETCH",
               .help = "One round, nearly: kll (error of the rank), tdigest (of the "
                       "rank, small at the ends) or ddsketch (of the value, 1 %)",
               .check = CheckApprox})
      .AddFlag({.name = "check",
                .type = Flag::Type::kBool,
                .help = "With --approx: one round more, to tell the ranks that the "
                        "answers really have",
                .needs = "approx"})
      .AddStage(kStage, {.mapper = [] { return std::make_unique<Sketch>(); }});
}

bool WantsSketch(const Options& options) {
  return !options.GetString("approx").empty();
}

absl::StatusOr<PlanResult> PlanSketch(
    const PlanInput& input, const std::vector<Quantile>& quantiles,
    const std::function<PlanResult(const QuantileValues&)>& answer) {
  if (input.finished.empty()) {
    StageSpec stage;
    stage.set_name(kStage);
    stage.set_job_input(true);
    return NextStage(std::move(stage));
  }
  const SketchKind kind = KindOf(input.options);
  SKEP_ASSIGN_OR_RETURN(InputAccount account, AccountOf(input, input.finished[0]));
  SKEP_ASSIGN_OR_RETURN(const auto sketch, Merged(kind, input.finished[0]));
  // By way of its key a whole number is an integer again.
  const auto value_of = [&sketch](uint64_t rank) {
    return NumberOf(OrderKeyOf(sketch->ValueOfRank(rank)));
  };
  QuantileValues values{.account = std::move(account)};
  std::vector<QuantileRanks> wanted;
  for (const Quantile& quantile : quantiles) {
    const QuantileRanks& ranks = wanted.emplace_back(
        RanksOf(quantile, values.account.numbers, DefinitionOf(input.options)));
    values.values.push_back(ValueAt(ranks, value_of(ranks.low), value_of(ranks.high)));
  }
  const bool between =
      std::any_of(wanted.begin(), wanted.end(),
                  [](const QuantileRanks& ranks) { return ranks.low != ranks.high; });
  values.notes.push_back(
      StrCat("approximate, by ", SketchKindName(kind), ": ", sketch->Bound(),
             between ? "; of a quantile between two numbers, each of them" : ""));
  values.json = StrCat(",\"approx\":", JsonString(SketchKindName(kind)),
                       ",\"bound\":", JsonString(sketch->Bound()));
  if (!input.options.GetBool("check")) return answer(values);

  const WindowRound round = CheckRound(values.values);
  if (input.finished.size() == 1) return WindowStage(round);
  SKEP_ASSIGN_OR_RETURN(const std::vector<Seen> seen, SeenBy(input.finished[1]));
  std::string errors;
  for (size_t i = 0; i < quantiles.size(); ++i) {
    const OrderKey key = OrderKeyOf(values.values[i]);
    const auto of = std::find_if(seen.begin(), seen.end(), [key](const Seen& one) {
      return one.window.low == key;
    });
    if (of == seen.end()) return Internal("quantiles: an answer was not looked for");
    const uint64_t error = RanksOff(of->below, of->at_low, wanted[i]);
    values.notes.push_back(absl::StrFormat(
        "%s: %s %s of %d; %s is wanted: off by %d, %.4g %% of all", quantiles[i].text,
        values.values[i].ToString(), RanksOfAnswer(*of), values.account.numbers,
        RanksWanted(wanted[i]), error,
        100 * static_cast<double>(error) /
            static_cast<double>(values.account.numbers)));
    StrAppend(&errors, errors.empty() ? "" : ",", error);
  }
  StrAppend(&values.json, ",\"rank_errors\":[", errors, "]");
  return answer(values);
}

}  // namespace skep
