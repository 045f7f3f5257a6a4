#include "jobs/kernels/sketch_ddsketch.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "absl/strings/str_format.h"
#include "base/coding.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Beyond the buckets of all doubles, whatever the error.
constexpr int kMostBuckets = 1 << 22;

}  // namespace

void DdSketch::Buckets::Add(int bucket, uint64_t count) {
  if (counts.empty()) first = bucket;
  if (bucket < first) {
    counts.insert(counts.begin(), static_cast<size_t>(first - bucket), 0);
    first = bucket;
  }
  const auto index = static_cast<size_t>(bucket - first);
  if (index >= counts.size()) counts.resize(index + 1);
  counts[index] += count;
}

bool DdSketch::Buckets::Find(uint64_t* rank, bool from_last, int* bucket) const {
  for (size_t i = 0; i < counts.size(); ++i) {
    const size_t index = from_last ? counts.size() - 1 - i : i;
    if (*rank <= counts[index]) {
      *bucket = first + static_cast<int>(index);
      return true;
    }
    *rank -= counts[index];
  }
  return false;
}

void DdSketch::PutBuckets(std::string* out, const Buckets& buckets) {
  PutVarint(out, static_cast<uint64_t>(buckets.first + kMostBuckets));
  PutVarint(out, buckets.counts.size());
  for (const uint64_t count : buckets.counts) PutVarint(out, count);
}

bool DdSketch::GetBuckets(std::string_view* in, Buckets* buckets, uint64_t* total) {
  uint64_t first, size;
  if (!GetVarint(in, &first) || !GetVarint(in, &size) || first > 2 * kMostBuckets ||
      size > in->size()) {
    return false;
  }
  buckets->first = static_cast<int>(first) - kMostBuckets;
  buckets->counts.resize(size);
  for (uint64_t& count : buckets->counts) {
    if (!GetVarint(in, &count)) return false;
    *total += count;
  }
  return true;
}

DdSketch::DdSketch(double error)
    : error_(error), log_base_(std::log((1 + error) / (1 - error))) {}

void DdSketch::Add(double value) {
  ++count_;
  range_.Add(value);
  if (value == 0) {
    ++zeros_;
  } else if (std::isinf(value)) {
    ++(value > 0 ? highest_ : lowest_);
  } else {
    const double place = std::ceil(std::log(std::fabs(value)) / log_base_);
    (value > 0 ? positive_ : negative_).Add(static_cast<int>(place), 1);
  }
}

void DdSketch::Merge(const QuantileSketch& other) {
  const auto& theirs = static_cast<const DdSketch&>(other);
  count_ += theirs.count_;
  range_.Merge(theirs.range_);
  lowest_ += theirs.lowest_;
  zeros_ += theirs.zeros_;
  highest_ += theirs.highest_;
  const auto add = [](const Buckets& from, Buckets* to) {
    for (size_t i = 0; i < from.counts.size(); ++i) {
      if (from.counts[i] > 0) to->Add(from.first + static_cast<int>(i), from.counts[i]);
    }
  };
  add(theirs.negative_, &negative_);
  add(theirs.positive_, &positive_);
}

// The bucket holds (base^(b - 1), base^b]: this is within the error of both ends. By
// two factors, since base^b may be beyond the doubles where its values are not.
double DdSketch::ValueOfBucket(int bucket) const {
  const double half = std::exp(log_base_ * (bucket - 1) / 2);
  return half * (half * (1 + error_));
}

double DdSketch::ValueOfRank(uint64_t rank) {
  if (rank == 1) return range_.least;
  if (rank == count_) return range_.greatest;
  // The middle of an outer bucket may lie beyond all its values.
  return std::clamp(MiddleOfRank(rank), range_.least, range_.greatest);
}

double DdSketch::MiddleOfRank(uint64_t rank) const {
  if (rank <= lowest_) return -kInfinity;
  rank -= lowest_;
  int bucket;
  if (negative_.Find(&rank, true, &bucket)) return -ValueOfBucket(bucket);
  if (rank <= zeros_) return 0;
  rank -= zeros_;
  return positive_.Find(&rank, false, &bucket) ? ValueOfBucket(bucket) : kInfinity;
}

std::string DdSketch::Bound() const {
  return absl::StrFormat("value within %.2g %% of itself", 100 * error_);
}

size_t DdSketch::memory_used() const {
  return (negative_.counts.capacity() + positive_.counts.capacity()) * sizeof(uint64_t);
}

std::string DdSketch::Serialize() const {
  std::string bytes;
  PutBig64(&bytes, std::bit_cast<uint64_t>(error_));
  for (const uint64_t n : {lowest_, zeros_, highest_}) PutVarint(&bytes, n);
  range_.AppendTo(&bytes);
  PutBuckets(&bytes, negative_);
  PutBuckets(&bytes, positive_);
  return bytes;
}

absl::StatusOr<std::unique_ptr<DdSketch>> DdSketch::Parse(std::string_view bytes) {
  uint64_t bits = 0;
  const bool headed = GetBig64(&bytes, &bits);
  const double error = std::bit_cast<double>(bits);
  if (!headed || !(error >= kLeastError && error < 1)) {
    return DataLoss("a DDSketch is damaged or of another version");
  }
  auto sketch = std::make_unique<DdSketch>(error);
  uint64_t total = 0;
  if (!GetVarint(&bytes, &sketch->lowest_) || !GetVarint(&bytes, &sketch->zeros_) ||
      !GetVarint(&bytes, &sketch->highest_) || !sketch->range_.ReadFrom(&bytes) ||
      !GetBuckets(&bytes, &sketch->negative_, &total) ||
      !GetBuckets(&bytes, &sketch->positive_, &total) || !bytes.empty()) {
    return DataLoss("a DDSketch is damaged or of another version");
  }
  sketch->count_ = total + sketch->lowest_ + sketch->zeros_ + sketch->highest_;
  if (!sketch->range_.IsOf(sketch->count_)) {
    return DataLoss("a DDSketch is damaged: its range is not one of its values");
  }
  return sketch;
}

}  // namespace skep
