#include "jobs/kernels/rank_selection.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>

#include "base/random.h"
#include "jobs/kernels/selection.h"

namespace skep {
namespace {

// So few keys are sorted out by the library.
constexpr size_t kFew = 4096;
// Windows are looked at one after another in pieces that stay in the cache. With more
// of them, or wide ones, a copy of all keys is partitioned.
constexpr size_t kMaxWindows = 16;
constexpr double kMaxShare = 0.25;
constexpr size_t kPiece = 2048;
constexpr double kDeviations = 4;

// One rank of a sorted list, and where it should be.
struct Window {
  uint64_t low = 0, high = 0;
  double share = 0;            // of all keys, about
  std::vector<size_t> wanted;  // indices of ranks, which lie in it
  // Not zeroed before it is written.
  std::unique_ptr<uint64_t[]> inside;
  size_t capacity = 0;
  WindowCounts counts;
};

// A sample: one key at random out of each of so many equal parts.
std::vector<uint64_t> Sample(std::span<const uint64_t> keys, size_t size) {
  // Any seed does: a bad sample costs time, not the answer.
  Random random(keys.size());
  std::vector<uint64_t> sample(size);
  const size_t stride = keys.size() / size;
  for (size_t i = 0; i < size; ++i) sample[i] = keys[i * stride + random.Below(stride)];
  return sample;
}

// The key of that index, as if the sample were sorted.
uint64_t At(std::vector<uint64_t>& sample, double index) {
  const auto nth = sample.begin() + static_cast<ptrdiff_t>(index);
  std::nth_element(sample.begin(), nth, sample.end());
  return *nth;
}

// The keys between which a rank lies with all but certainty.
Window WindowOf(std::vector<uint64_t>& sample, uint64_t rank, uint64_t count) {
  const auto size = static_cast<double>(sample.size());
  const double q = static_cast<double>(rank) / static_cast<double>(count);
  const double place = q * size;
  const double margin = kDeviations * std::sqrt(size * q * (1 - q)) + kDeviations;
  const double last = size - 1;
  Window window;
  const double low = place - margin, high = place + margin;
  window.low = low < 0 ? 0 : At(sample, low);
  window.high = high > last ? UINT64_MAX : At(sample, high);
  window.share = 2 * margin / size;
  return window;
}

class Selector {
 public:
  Selector(std::span<const uint64_t> keys, std::span<const uint64_t> ranks,
           CpuPath path, SelectionCost* cost)
      : keys_(keys), ranks_(ranks), path_(path), cost_(*cost), values_(ranks.size()) {}

  // `ranks` are ascending and distinct.
  std::vector<uint64_t> Run() {
    if (keys_.size() <= kFew) {
      SelectInCopy();
    } else {
      std::vector<uint64_t> sample = Sample(keys_, SampleSize());
      cost_.keys_read += sample.size();
      MakeWindows(sample);
      double share = 0;
      for (const Window& window : windows_) share += window.share;
      if (windows_.size() > kMaxWindows || share > kMaxShare) {
        SelectInCopy();
      } else {
        PassOver(sample.size());
        for (Window& window : windows_) Finish(window);
      }
    }
    return std::move(values_);
  }

 private:
  // The window is 8 n / sqrt(sample) keys at most: sorting the sample and reading the
  // window again should cost about the same, and little.
  size_t SampleSize() const {
    const double size = 2 * std::pow(static_cast<double>(keys_.size()), 0.6);
    return std::clamp<size_t>(static_cast<size_t>(size), 512, keys_.size() / 4);
  }

  void SelectInCopy() {
    std::vector<uint64_t> copy(keys_.begin(), keys_.end());
    Partition(copy, 0, ranks_, values_);
  }

  // Selects the middle one of the ranks, then the others on its sides. `before` keys
  // are smaller than these.
  void Partition(std::span<uint64_t> keys, uint64_t before,
                 std::span<const uint64_t> ranks, std::span<uint64_t> values) {
    if (ranks.empty()) return;
    cost_.keys_read += keys.size();
    const size_t middle = ranks.size() / 2;
    const size_t nth = ranks[middle] - before - 1;
    std::nth_element(keys.begin(), keys.begin() + static_cast<ptrdiff_t>(nth),
                     keys.end());
    values[middle] = keys[nth];
    Partition(keys.first(nth), before, ranks.first(middle), values.first(middle));
    Partition(keys.subspan(nth + 1), before + nth + 1, ranks.subspan(middle + 1),
              values.subspan(middle + 1));
  }

  // Neighbours whose windows overlap share one.
  void MakeWindows(std::vector<uint64_t>& sample) {
    for (size_t i = 0; i < ranks_.size(); ++i) {
      Window window = WindowOf(sample, ranks_[i], keys_.size());
      if (windows_.empty() || window.low >= windows_.back().high) {
        windows_.push_back(std::move(window));
      } else {
        windows_.back().high = std::max(windows_.back().high, window.high);
        windows_.back().share += window.share;
      }
      windows_.back().wanted.push_back(i);
    }
  }

  void PassOver(size_t sample_size) {
    ++cost_.passes;
    cost_.keys_read += keys_.size();
    for (Window& window : windows_) {
      // Twice what is expected of the windows of so many ranks.
      const double expected = 4 * kDeviations * static_cast<double>(keys_.size()) /
                                  std::sqrt(static_cast<double>(sample_size)) *
                                  static_cast<double>(window.wanted.size()) +
                              kFew;
      window.capacity = std::min(keys_.size(), static_cast<size_t>(expected));
      window.inside =
          std::make_unique_for_overwrite<uint64_t[]>(window.capacity + kPiece + 8);
    }
    if (windows_.size() == 1) return PassPiece(keys_, windows_[0]);
    for (size_t at = 0; at < keys_.size(); at += kPiece) {
      const auto piece = keys_.subspan(at, std::min(kPiece, keys_.size() - at));
      for (Window& window : windows_) PassPiece(piece, window);
    }
  }

  void PassPiece(std::span<const uint64_t> piece, Window& window) {
    if (window.low >= window.high) {  // one key, many times over: it is counted below
      return;
    }
    const size_t kept = std::min<size_t>(window.counts.inside, window.capacity);
    const WindowCounts counts =
        CountAndCollect(piece, window.low, window.high, window.inside.get() + kept,
                        window.capacity - kept, path_);
    window.counts.up_to_low += counts.up_to_low;
    window.counts.inside += counts.inside;
  }

  void Finish(Window& window) {
    const WindowCounts& counts = window.counts;
    const bool whole = counts.inside <= window.capacity;
    std::vector<size_t> within;
    std::vector<uint64_t> ranks;
    for (const size_t i : window.wanted) {
      const uint64_t rank = ranks_[i];
      if (window.low < window.high && whole && rank > counts.up_to_low &&
          rank <= counts.up_to_low + counts.inside) {
        within.push_back(i);
        ranks.push_back(rank - counts.up_to_low);
      } else {
        values_[i] = AtTheEnds(window, rank);
      }
    }
    if (ranks.empty()) return;
    const std::span<const uint64_t> inside(window.inside.get(), counts.inside);
    const std::vector<uint64_t> values = Selector(inside, ranks, path_, &cost_).Run();
    for (size_t i = 0; i < within.size(); ++i) values_[within[i]] = values[i];
  }

  // Equal keys at an end of the window, or a window that missed.
  uint64_t AtTheEnds(const Window& window, uint64_t rank) {
    const bool low = window.low >= window.high || rank <= window.counts.up_to_low;
    const uint64_t guess = low ? window.low : window.high;
    ++cost_.passes;
    cost_.keys_read += keys_.size();
    const RankCounts counts = CountAround(keys_, guess, path_);
    if (rank > counts.smaller && rank <= counts.smaller + counts.same) return guess;
    return Count(rank);
  }

  uint64_t Count(uint64_t rank) {
    ++cost_.fallbacks;
    return SelectByRadix(keys_, rank, &cost_);
  }

  const std::span<const uint64_t> keys_;
  const std::span<const uint64_t> ranks_;
  const CpuPath path_;
  SelectionCost& cost_;
  std::vector<uint64_t> values_;
  std::vector<Window> windows_;
};

}  // namespace

std::vector<uint64_t> SelectRanks(std::span<const uint64_t> keys,
                                  std::span<const uint64_t> ranks, CpuPath path,
                                  SelectionCost* cost) {
  SelectionCost unused;
  std::vector<uint64_t> sorted(ranks.begin(), ranks.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  const std::vector<uint64_t> found =
      Selector(keys, sorted, path, cost != nullptr ? cost : &unused).Run();
  std::vector<uint64_t> values;
  for (const uint64_t rank : ranks) {
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), rank);
    values.push_back(found[at - sorted.begin()]);
  }
  return values;
}

uint64_t SelectByRadix(std::span<const uint64_t> keys, uint64_t rank,
                       SelectionCost* cost) {
  constexpr uint64_t kBuckets = 1 << 11;
  SelectionCost unused;
  SelectionCost& spent = cost != nullptr ? *cost : unused;
  KeyRange range;
  std::vector<uint64_t> few;
  while (range.first != range.last) {
    ++spent.passes;
    spent.keys_read += keys.size();
    const int shift = BucketShift(range, kBuckets);
    std::vector<uint64_t> counts(BucketCount(range, shift));
    CountBuckets(keys, range, shift, counts);
    const Bucket bucket = FindBucket(counts, rank);
    range = BucketRange(range, shift, bucket.index);
    rank = bucket.rank;
    if (bucket.count > keys.size() / 16) continue;
    // From now on few keys are looked at.
    ++spent.passes;
    spent.keys_read += keys.size();
    std::vector<uint64_t> left;
    CollectRange(keys, range, &left);
    few = std::move(left);
    keys = few;
    if (few.size() <= kFew) return SelectRank(few, rank);
  }
  return range.first;
}

namespace {

// One pass over the keys: true if `guess` has the rank, else the range that is left.
bool Narrow(std::span<const uint64_t> keys, uint64_t rank, uint64_t guess, CpuPath path,
            SelectionCost* cost, KeyRange* range) {
  const RankCounts counts = CountAround(keys, guess, path);
  if (cost != nullptr) {
    ++cost->passes;
    cost->keys_read += keys.size();
  }
  if (rank <= counts.smaller) {
    range->last = guess - 1;
  } else if (rank <= counts.smaller + counts.same) {
    return true;
  } else {
    range->first = guess + 1;
  }
  return false;
}

}  // namespace

uint64_t SelectByBisection(std::span<const uint64_t> keys, uint64_t rank, CpuPath path,
                           SelectionCost* cost) {
  KeyRange range;
  while (range.first != range.last) {
    const uint64_t guess = range.first + (range.last - range.first) / 2;
    if (Narrow(keys, rank, guess, path, cost, &range)) return guess;
  }
  return range.first;
}

uint64_t SelectByRandomPivot(std::span<const uint64_t> keys, uint64_t rank,
                             CpuPath path, SelectionCost* cost) {
  KeyRange range;
  Random random(keys.size());
  while (true) {
    // A key of the range, the first from a random place on.
    size_t at = random.Below(keys.size());
    while (!range.Contains(keys[at])) at = at + 1 == keys.size() ? 0 : at + 1;
    const uint64_t guess = keys[at];
    if (Narrow(keys, rank, guess, path, cost, &range)) return guess;
  }
}

}  // namespace skep
