#include "jobs/number_skim.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>
#include <utility>

#include "base/coding.h"
#include "base/random.h"
#include "base/status.h"
#include "jobs/numbers.h"

namespace skep {
namespace {

constexpr char kStage[] = "skim";
constexpr uint64_t kPieceBytes = 1024;
constexpr uint64_t kRecordBytes = 8;  // of the binary formats
// A number as text, about: it decides how large the sample is, no answer.
constexpr uint64_t kNumberBytes = 12;
constexpr double kFewestKeys = 1 << 14, kMostKeys = 1 << 20;
// All tasks' samples together: the size of a compressed file says little of how many
// keys there are, and the planner gets them in one frame with those of a window round.
constexpr uint64_t kMostBytes = 20 << 20, kLeastBytesOfTask = 8 << 10;
constexpr double kDeviations = 4;
// So many of the quantiles are looked at for the design effect.
constexpr size_t kProbes = 16;

constexpr std::string_view kSeparators = " \n\t,\r\v\f";

// Result: the bytes of the split, those of its pieces, and for each piece a count and
// its keys.
class SkimNumbers final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    SKEP_RETURN_IF_ERROR(Start(context));
    const bool text = context.options().GetString("format") == "text";
    const uint64_t end = bytes_ + block.bytes.size();
    for (; next_ < end && pieces_.size() < most_bytes_; NextStretch()) {
      const std::string_view piece = PieceAt(block.bytes, next_ - bytes_, text);
      SKEP_RETURN_IF_ERROR(reader_.Read({.bytes = piece, .file_name = block.file_name},
                                        context.options()));
      piece_bytes_ += piece.size();
      PutVarint(&pieces_, reader_.integers().size() + reader_.large().size() +
                              reader_.reals().size());
      for (const int64_t value : reader_.integers()) Put(OrderKeyOf(value));
      for (const uint64_t value : reader_.large()) Put(OrderKeyOf(value));
      // -0.0 plus 0.0 is 0.0.
      for (const double value : reader_.reals()) Put(OrderKeyOf(value + 0.0));
    }
    bytes_ = end;
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    std::string result;
    PutVarint(&result, bytes_);
    PutVarint(&result, piece_bytes_);
    context.SetResult(std::move(result += pieces_));
    return absl::OkStatus();
  }

 private:
  absl::Status Start(MapContext& context) {
    if (stretch_bytes_ > 0) return absl::OkStatus();
    std::string_view args = context.args();
    if (!GetVarint(&args, &stretch_bytes_) || stretch_bytes_ == 0 ||
        !GetVarint(&args, &most_bytes_)) {
      return Internal("quantiles: the arguments of the skim are malformed");
    }
    // Attempts see the same pieces, tasks others.
    random_ = Random(static_cast<uint64_t>(context.task()));
    next_ = random_.Below(stretch_bytes_);
    return absl::OkStatus();
  }

  void NextStretch() {
    ++stretches_;
    next_ = stretches_ * stretch_bytes_ + random_.Below(stretch_bytes_);
  }

  // Whole numbers: those that begin in the kilobyte from there, but for one that a
  // separator does not stand before.
  static std::string_view PieceAt(std::string_view block, uint64_t at, bool text) {
    if (!text) {
      return block.substr(at / kRecordBytes * kRecordBytes, kPieceBytes);
    }
    // Looks no further: a line without separators may be 64 MiB.
    const std::string_view near = block.substr(at, 2 * kPieceBytes);
    const size_t begin = at == 0 ? 0 : near.find_first_of(kSeparators);
    if (begin == near.npos) return {};
    const size_t end =
        near.find_first_of(kSeparators, std::min(near.size(), begin + kPieceBytes));
    if (end != near.npos) return near.substr(begin, end - begin);
    // Cut off, a number would be another one.
    return at + near.size() == block.size() ? near.substr(begin) : std::string_view();
  }

  void Put(OrderKey key) { PutOrderKey(&pieces_, key); }

  NumberReader reader_;
  Random random_{0};
  uint64_t stretch_bytes_ = 0;
  uint64_t most_bytes_ = 0;   // of pieces_, about
  uint64_t stretches_ = 0;    // that are done
  uint64_t next_ = 0;         // where the next piece is, in the split
  uint64_t bytes_ = 0;        // of the blocks before
  uint64_t piece_bytes_ = 0;  // that were parsed
  std::string pieces_;
};

// With m keys in the sample, windows of k quantiles among n numbers hold some
// k * 4 n / sqrt(m): as many as the sample when m = (2 k n)^(2/3), about.
double KeysFor(double numbers, size_t quantiles) {
  const double k = static_cast<double>(std::clamp<size_t>(quantiles, 1, 100));
  return std::clamp(std::cbrt(std::pow(2 * k * numbers, 2)), kFewestKeys, kMostKeys);
}

}  // namespace

void AddSkimStage(Job& job) {
  job.AddStage(kStage, {.mapper = [] { return std::make_unique<SkimNumbers>(); }});
}

PlanResult SkimStage(const std::vector<InputSplit>& splits, size_t quantiles) {
  uint64_t bytes = 0;
  for (const InputSplit& split : splits) bytes += split.length();
  const auto numbers = static_cast<double>(bytes / kNumberBytes);
  const double pieces =
      KeysFor(numbers, quantiles) * static_cast<double>(kNumberBytes) / kPieceBytes;
  StageSpec stage;
  stage.set_name(kStage);
  stage.set_job_input(true);
  std::string args;
  PutVarint(&args, std::max<uint64_t>(
                       2 * kPieceBytes,
                       static_cast<uint64_t>(static_cast<double>(bytes) / pieces)));
  PutVarint(&args,
            std::max<uint64_t>(kLeastBytesOfTask,
                               kMostBytes / std::max<uint64_t>(1, splits.size())));
  stage.set_args(std::move(args));
  return NextStage(std::move(stage));
}

bool IsSkim(const StageResult& stage) { return stage.spec().name() == kStage; }

absl::StatusOr<NumberSkim> NumberSkim::Of(const StageResult& stage) {
  NumberSkim skim;
  double bytes = 0, piece_bytes = 0;
  for (const std::string& result : stage.map_results()) {
    std::string_view rest = result;
    uint64_t task_bytes, task_piece_bytes;
    bool good = GetVarint(&rest, &task_bytes) && GetVarint(&rest, &task_piece_bytes);
    while (good && !rest.empty()) {
      uint64_t count;
      good = GetVarint(&rest, &count) && count <= rest.size() / kOrderKeyBytes;
      for (uint64_t i = 0; good && i < count; ++i) {
        good = GetOrderKey(&rest, &skim.keys_.emplace_back());
      }
      skim.pieces_.push_back(skim.keys_.size());
    }
    if (!good) return Internal("quantiles: a skim's result is malformed");
    bytes += static_cast<double>(task_bytes);
    piece_bytes += static_cast<double>(task_piece_bytes);
  }
  skim.stands_for_ = piece_bytes == 0 ? 1 : bytes / piece_bytes;
  skim.sorted_ = skim.keys_;
  std::sort(skim.sorted_.begin(), skim.sorted_.end());
  return skim;
}

double NumberSkim::DesignEffect(const std::vector<double>& quantiles) const {
  const auto all = static_cast<double>(keys_.size());
  double effect = 1;
  const size_t step = (quantiles.size() + kProbes - 1) / kProbes;
  for (size_t i = 0; i < quantiles.size(); i += step) {
    const double q = quantiles[i];
    const double alone = all * q * (1 - q);  // the variance of keys drawn one by one
    if (alone < 1) continue;
    const OrderKey key = sorted_[static_cast<size_t>(q * (all - 1))];
    double before = 0, squares = 0;
    size_t begin = 0;
    for (const size_t end : pieces_) {
      const auto below = std::count_if(keys_.begin() + static_cast<ptrdiff_t>(begin),
                                       keys_.begin() + static_cast<ptrdiff_t>(end),
                                       [key](OrderKey other) { return other < key; });
      const double off =
          static_cast<double>(below) - q * static_cast<double>(end - begin);
      if (begin > 0) squares += (off - before) * (off - before);
      before = off;
      begin = end;
    }
    effect = std::max(effect, squares / 2 / alone);
  }
  return effect;
}

std::vector<NumberSkim::Around> NumberSkim::WindowsAround(
    const std::vector<double>& quantiles) const {
  const double effect = DesignEffect(quantiles);
  const auto all = static_cast<double>(sorted_.size());
  // Sorted input jumps by a piece.
  const double piece = all / static_cast<double>(pieces_.size());
  std::vector<Around> windows;
  for (const double q : quantiles) {
    const double margin =
        kDeviations * std::sqrt(effect * all * q * (1 - q)) + 2 * piece + kDeviations;
    Around& around = windows.emplace_back();
    const double low = std::floor(q * all - margin), high = std::ceil(q * all + margin);
    if (low >= 0) around.window.low = sorted_[static_cast<size_t>(low)];
    if (high < all) around.window.high = sorted_[static_cast<size_t>(high)];
    around.numbers = stands_for_ * (std::min(high, all) - std::max(low, 0.0));
  }
  return windows;
}

}  // namespace skep
