#include "jobs/window_round.h"

#include <algorithm>
#include <memory>
#include <string_view>

#include "base/coding.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr char kStage[] = "window";

std::string EncodeRound(const WindowRound& round) {
  std::string bytes;
  PutVarint(&bytes, round.capacity);
  for (const KeyWindow& window : round.windows) {
    PutOrderKey(&bytes, window.low);
    PutOrderKey(&bytes, window.high);
  }
  return bytes;
}

absl::StatusOr<WindowRound> DecodeRound(std::string_view bytes) {
  WindowRound round;
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
    SKEP_ASSIGN_OR_RETURN(WindowRound round, DecodeRound(context.args()));
    // Attempts draw the same samples, rounds and tasks others.
    const uint64_t seed = static_cast<uint64_t>(context.task()) << 32 ^ round.capacity;
    windows_ = std::make_unique<KeyWindows>(std::move(round.windows),
                                            round.capacity / 2 * 2, seed);
    return absl::OkStatus();
  }

  NumberReader reader_;
  std::unique_ptr<KeyWindows> windows_;
};

// Sorts what was sampled, each with its stride.
void Order(const std::vector<uint64_t>& strides, Seen* seen) {
  std::vector<OrderKey>& keys = seen->sample;
  if (seen->whole) {
    std::sort(keys.begin(), keys.end());
    return;
  }
  std::vector<std::pair<OrderKey, uint64_t>> sorted;
  for (size_t i = 0; i < keys.size(); ++i) sorted.emplace_back(keys[i], strides[i]);
  std::sort(sorted.begin(), sorted.end());
  uint64_t reached = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    keys[i] = sorted[i].first;
    seen->reached.push_back(reached += sorted[i].second);
  }
}

}  // namespace

void AddWindowStage(Job& job) {
  job.AddStage(kStage,
               {.mapper = [] { return std::make_unique<LookThroughWindows>(); }});
}

PlanResult WindowStage(const WindowRound& round) {
  StageSpec stage;
  stage.set_name(kStage);
  stage.set_job_input(true);
  stage.set_args(EncodeRound(round));
  return NextStage(std::move(stage));
}

absl::StatusOr<std::vector<Seen>> SeenBy(const StageResult& stage) {
  SKEP_ASSIGN_OR_RETURN(const WindowRound round, DecodeRound(stage.spec().args()));
  std::vector<Seen> all(round.windows.size());
  for (size_t i = 0; i < all.size(); ++i) all[i].window = round.windows[i];
  std::vector<std::vector<uint64_t>> strides(all.size());  // of each sampled key
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
      seen.sample.insert(seen.sample.end(), tally.sample.begin(), tally.sample.end());
      strides[i].resize(seen.sample.size(), tally.stride);
      seen.whole = seen.whole && tally.stride == 1;
      seen.variance +=
          static_cast<double>(tally.inside) * static_cast<double>(tally.stride);
      seen.coarsest = std::max(seen.coarsest, tally.stride);
    }
  }
  for (size_t i = 0; i < all.size(); ++i) Order(strides[i], &all[i]);
  return all;
}

absl::StatusOr<InputAccount> AccountOf(const PlanInput& input,
                                       const StageResult& stage) {
  std::vector<std::string_view> reports;
  for (const std::string& result : stage.map_results()) {
    std::string_view rest = result;
    if (!GetBytes(&rest, &reports.emplace_back())) {
      return Internal("numbers: a map task's result is malformed");
    }
  }
  return CollectInput(input, reports);
}

}  // namespace skep
