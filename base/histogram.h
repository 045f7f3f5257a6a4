// Counts of values in buckets whose width grows with the value: percentiles with a
// bounded relative error, in constant memory (the idea of Tene's HdrHistogram).
//
// Values are integers, by custom nanoseconds. Below 256 each has a bucket of its own;
// above, each power of two is cut into 128, so that a percentile is within 1/256 of the
// exact one (0.4 %). Count, sum, least and greatest are exact. Values over kGreatest
// are counted in the last bucket.

#ifndef SKEP_BASE_HISTOGRAM_H_
#define SKEP_BASE_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace skep {

// Which bucket a value is in, and which values a bucket holds.
struct HistogramLayout {
  static constexpr int kPrecisionBits = 7;
  // 73 minutes in nanoseconds: more than the longest deadline that travels.
  static constexpr uint64_t kGreatest = (uint64_t{1} << 42) - 1;

  static constexpr size_t Bucket(uint64_t value) {
    if (value > kGreatest) value = kGreatest;
    const int width = std::bit_width(value);
    if (width <= kPrecisionBits + 1) return value;
    const int shift = width - (kPrecisionBits + 1);
    return (static_cast<size_t>(shift) << kPrecisionBits) + (value >> shift);
  }
  // The least value in the bucket, and the one after its greatest.
  static constexpr uint64_t Begin(size_t bucket) {
    if (bucket < (size_t{2} << kPrecisionBits)) return bucket;
    const size_t shift = (bucket >> kPrecisionBits) - 1;
    return (bucket - (shift << kPrecisionBits)) << shift;
  }
  static constexpr uint64_t End(size_t bucket) { return Begin(bucket + 1); }

  static constexpr size_t kBuckets = (42 - kPrecisionBits + 1) << kPrecisionBits;
};
static_assert(HistogramLayout::Bucket(HistogramLayout::kGreatest) ==
              HistogramLayout::kBuckets - 1);

// Not thread-safe. A copy is a snapshot.
class Histogram {
 public:
  void Record(uint64_t value) { Record(value, 1); }
  void Record(uint64_t value, uint64_t times);
  void Merge(const Histogram& other);
  // What was recorded since `before`, an earlier snapshot of the same counts. Least and
  // greatest are those of their buckets.
  Histogram Since(const Histogram& before) const;

  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }
  // Zero where nothing was recorded.
  uint64_t least() const { return count_ == 0 ? 0 : least_; }
  uint64_t greatest() const { return greatest_; }
  double mean() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }
  // By nearest rank: a value such that `percent` of all are no greater, the middle of
  // its bucket. 0 gives the least, 100 the greatest.
  uint64_t Percentile(double percent) const;
  // How many values are below `value`, which is rounded down to a bucket's begin.
  uint64_t CountBelow(uint64_t value) const;

  // For every bucket with values, ascending: Fn(begin, end, count).
  template <typename Fn>
  void ForEach(Fn&& fn) const {
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] == 0) continue;
      fn(HistogramLayout::Begin(i), HistogramLayout::End(i), counts_[i]);
    }
  }

 private:
  friend class AtomicHistogram;

  std::vector<uint64_t> counts_;  // as long as the greatest value needs
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t least_ = ~uint64_t{0};
  uint64_t greatest_ = 0;
};

// The same for many writers: Record is two relaxed additions and, when a new
// greatest value comes, a loop. 36 KiB each.
class AtomicHistogram {
 public:
  void Record(uint64_t value) {
    counts_[HistogramLayout::Bucket(value)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
    uint64_t greatest = greatest_.load(std::memory_order_relaxed);
    while (value > greatest && !greatest_.compare_exchange_weak(
                                   greatest, value, std::memory_order_relaxed)) {
    }
  }
  // What has been recorded, but for what is being recorded just now. `least` is that of
  // its bucket.
  Histogram Snapshot() const;

 private:
  std::array<std::atomic<uint64_t>, HistogramLayout::kBuckets> counts_{};
  std::atomic<uint64_t> sum_{0};
  std::atomic<uint64_t> greatest_{0};
};

}  // namespace skep

#endif  // SKEP_BASE_HISTOGRAM_H_
