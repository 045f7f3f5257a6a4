#include "jobs/kernels/sketch_kll.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/coding.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr size_t kLeastCapacity = 8;
// The bottom waits for so many, so that levels are sorted seldom.
constexpr size_t kLeastAtBottom = 512;
constexpr uint64_t kMaxLevels = 60;
constexpr int kMaxK = 1 << 16;

}  // namespace

KllSketch::KllSketch(uint64_t seed, int k)
    : k_(k), random_(seed), room_at_bottom_(std::max(kLeastAtBottom, CapacityOf(0))) {}

size_t KllSketch::CapacityOf(size_t level) const {
  const auto depth = static_cast<double>(levels_.size() - 1 - level);
  const double capacity = std::ceil(k_ * std::pow(2.0 / 3, depth));
  return std::max(kLeastCapacity, static_cast<size_t>(capacity));
}

// From the bottom up, each level that is full moves up half of itself.
void KllSketch::Compress() {
  for (size_t i = 0; i < levels_.size(); ++i) {
    if (levels_[i].size() < CapacityOf(i)) continue;
    if (i + 1 == levels_.size()) levels_.emplace_back();
    std::vector<double>& level = levels_[i];
    std::sort(level.begin(), level.end());
    // Of an odd number one stays.
    const size_t pairs = level.size() / 2;
    const size_t coin = random_.Below(2);
    for (size_t j = 0; j < pairs; ++j) levels_[i + 1].push_back(level[2 * j + coin]);
    level.erase(level.begin(), level.begin() + static_cast<ptrdiff_t>(2 * pairs));
  }
  room_at_bottom_ = std::max(kLeastAtBottom, CapacityOf(0));
}

void KllSketch::Merge(const QuantileSketch& other) {
  const auto& theirs = static_cast<const KllSketch&>(other);
  k_ = std::min(k_, theirs.k_);
  count_ += theirs.count_;
  range_.Merge(theirs.range_);
  while (levels_.size() < theirs.levels_.size()) levels_.emplace_back();
  for (size_t i = 0; i < theirs.levels_.size(); ++i) {
    levels_[i].insert(levels_[i].end(), theirs.levels_[i].begin(),
                      theirs.levels_[i].end());
  }
  Compress();
}

double KllSketch::ValueOfRank(uint64_t rank) {
  if (rank == 1) return range_.least;
  if (rank == count_) return range_.greatest;
  std::vector<std::pair<double, uint64_t>> values;
  for (size_t i = 0; i < levels_.size(); ++i) {
    for (const double value : levels_[i]) values.emplace_back(value, uint64_t{1} << i);
  }
  std::sort(values.begin(), values.end());
  uint64_t reached = 0;
  for (const auto& [value, weight] : values) {
    reached += weight;
    if (reached >= rank) return value;
  }
  return values.back().first;
}

// The constants are those that the Apache DataSketches library publishes for this shape
// of compactors; the test holds this code to them.
double KllSketch::RankError() const { return 2.296 / std::pow(k_, 0.9723); }

std::string KllSketch::Bound() const {
  return absl::StrFormat("rank within %.2g %% of all, with probability 0.99",
                         100 * RankError());
}

size_t KllSketch::memory_used() const {
  size_t values = 0;
  for (const auto& level : levels_) values += level.capacity();
  return values * sizeof(double);
}

std::string KllSketch::Serialize() const {
  std::string bytes;
  PutVarint(&bytes, static_cast<uint64_t>(k_));
  PutVarint(&bytes, count_);
  range_.AppendTo(&bytes);
  for (const auto& level : levels_) {
    PutVarint(&bytes, level.size());
    for (const double value : level) PutBig64(&bytes, std::bit_cast<uint64_t>(value));
  }
  return bytes;
}

absl::StatusOr<std::unique_ptr<KllSketch>> KllSketch::Parse(std::string_view bytes) {
  uint64_t k = 0, count = 0;
  bool good =
      GetVarint(&bytes, &k) && k >= 1 && k <= kMaxK && GetVarint(&bytes, &count);
  // What is random goes on from the contents.
  auto sketch = std::make_unique<KllSketch>(good ? count : 0,
                                            good ? static_cast<int>(k) : kDefaultK);
  uint64_t weighed = 0;
  good = good && sketch->range_.ReadFrom(&bytes) && sketch->range_.IsOf(count);
  sketch->levels_.clear();
  while (good && !bytes.empty()) {
    uint64_t size;
    good = GetVarint(&bytes, &size) && size <= bytes.size() / 8 &&
           sketch->levels_.size() < kMaxLevels;
    if (!good) break;
    weighed += size << sketch->levels_.size();
    std::vector<double>& level = sketch->levels_.emplace_back(size);
    for (double& value : level) {
      uint64_t bits = 0;
      GetBig64(&bytes, &bits);
      value = std::bit_cast<double>(bits);
      good = good && !std::isnan(value);
    }
  }
  if (!good || sketch->levels_.empty() || weighed != count) {
    return DataLoss("a KLL sketch is damaged or of another version");
  }
  sketch->count_ = count;
  sketch->room_at_bottom_ = std::max(kLeastAtBottom, sketch->CapacityOf(0));
  return sketch;
}

}  // namespace skep
