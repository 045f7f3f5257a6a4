#include "base/histogram.h"

#include <algorithm>
#include <cmath>

namespace skep {

void Histogram::Record(uint64_t value, uint64_t times) {
  if (times == 0) return;
  const size_t bucket = HistogramLayout::Bucket(value);
  if (bucket >= counts_.size()) counts_.resize(bucket + 1);
  counts_[bucket] += times;
  count_ += times;
  sum_ += value * times;
  least_ = std::min(least_, value);
  greatest_ = std::max(greatest_, value);
}

void Histogram::Merge(const Histogram& other) {
  if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
  for (size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  least_ = std::min(least_, other.least_);
  greatest_ = std::max(greatest_, other.greatest_);
}

Histogram Histogram::Since(const Histogram& before) const {
  Histogram out;
  for (size_t i = 0; i < counts_.size(); ++i) {
    const uint64_t was = i < before.counts_.size() ? before.counts_[i] : 0;
    // Of one that counts again from zero, all is new.
    if (counts_[i] < was) return *this;
    if (counts_[i] == was) continue;
    const uint64_t middle =
        (HistogramLayout::Begin(i) + HistogramLayout::End(i) - 1) / 2;
    out.Record(std::min(middle, greatest_), counts_[i] - was);
  }
  // An atomic histogram's sum may lag behind its counts.
  out.sum_ = sum_ > before.sum_ ? sum_ - before.sum_ : 0;
  return out;
}

uint64_t Histogram::Percentile(double percent) const {
  if (count_ == 0) return 0;
  const double exact =
      std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_);
  const uint64_t rank =
      std::clamp<uint64_t>(static_cast<uint64_t>(std::ceil(exact)), 1, count_);
  if (rank == 1) return least_;
  if (rank == count_) return greatest_;
  uint64_t seen = 0;
  size_t bucket = 0;
  while ((seen += counts_[bucket]) < rank) ++bucket;
  const uint64_t begin = HistogramLayout::Begin(bucket);
  const uint64_t middle = begin + (HistogramLayout::End(bucket) - begin) / 2;
  return std::clamp(middle, least_, greatest_);
}

uint64_t Histogram::CountBelow(uint64_t value) const {
  const size_t end = std::min(HistogramLayout::Bucket(value), counts_.size());
  uint64_t below = 0;
  for (size_t i = 0; i < end; ++i) below += counts_[i];
  return below;
}

Histogram AtomicHistogram::Snapshot() const {
  Histogram out;
  size_t used = counts_.size();
  while (used > 0 && counts_[used - 1].load(std::memory_order_relaxed) == 0) --used;
  out.counts_.resize(used);
  for (size_t i = 0; i < used; ++i) {
    const uint64_t count = counts_[i].load(std::memory_order_relaxed);
    out.counts_[i] = count;
    out.count_ += count;
    if (count > 0) out.least_ = std::min(out.least_, HistogramLayout::Begin(i));
  }
  out.sum_ = sum_.load(std::memory_order_relaxed);
  out.greatest_ = greatest_.load(std::memory_order_relaxed);
  return out;
}

}  // namespace skep
