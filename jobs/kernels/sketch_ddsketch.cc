#include "jobs/kernels/sketch_ddsketch.h"

#include <bit>
#include <limits>

#include "absl/strings/str_format.h"
#include "base/coding.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Buckets in bytes are numbered from here, to be unsigned; far beyond those of doubles.
constexpr int kLowestBucket = -(1 << 28);

void PutBuckets(std::string* out, const std::map<int, uint64_t>& buckets) {
  PutVarint(out, buckets.size());
  for (const auto& [bucket, count] : buckets) {
    PutVarint(out, static_cast<uint64_t>(bucket - kLowestBucket));
    PutVarint(out, count);
  }
}

bool GetBuckets(std::string_view* in, std::map<int, uint64_t>* buckets,
                uint64_t* total) {
  uint64_t size;
  if (!GetVarint(in, &size) || size > in->size()) return false;
  for (uint64_t i = 0; i < size; ++i) {
    uint64_t bucket, count;
    if (!GetVarint(in, &bucket) || !GetVarint(in, &count) || bucket > 1 << 29) {
      return false;
    }
    (*buckets)[static_cast<int>(bucket) + kLowestBucket] += count;
    *total += count;
  }
  return true;
}

}  // namespace

DdSketch::DdSketch(double error)
    : error_(error), log_base_(std::log((1 + error) / (1 - error))) {}

void DdSketch::Add(double value) {
  ++count_;
  if (value == 0) {
    ++zeros_;
  } else if (std::isinf(value)) {
    ++(value > 0 ? highest_ : lowest_);
  } else {
    const double place = std::ceil(std::log(std::fabs(value)) / log_base_);
    ++(value > 0 ? positive_ : negative_)[static_cast<int>(place)];
  }
}

void DdSketch::Merge(const QuantileSketch& other) {
  const auto& theirs = static_cast<const DdSketch&>(other);
  count_ += theirs.count_;
  lowest_ += theirs.lowest_;
  zeros_ += theirs.zeros_;
  highest_ += theirs.highest_;
  for (const auto& [bucket, count] : theirs.negative_) negative_[bucket] += count;
  for (const auto& [bucket, count] : theirs.positive_) positive_[bucket] += count;
}

// The bucket holds (base^(b - 1), base^b]: this is within the error of both ends. By
// two factors, since base^b may be beyond the doubles where its values are not.
double DdSketch::ValueOfBucket(int bucket) const {
  const double half = std::exp(log_base_ * (bucket - 1) / 2);
  return half * (half * (1 + error_));
}

double DdSketch::ValueOfRank(uint64_t rank) {
  if (rank <= lowest_) return -kInfinity;
  rank -= lowest_;
  for (auto it = negative_.rbegin(); it != negative_.rend(); ++it) {
    if (rank <= it->second) return -ValueOfBucket(it->first);
    rank -= it->second;
  }
  if (rank <= zeros_) return 0;
  rank -= zeros_;
  for (const auto& [bucket, count] : positive_) {
    if (rank <= count) return ValueOfBucket(bucket);
    rank -= count;
  }
  return kInfinity;
}

std::string DdSketch::Bound() const {
  return absl::StrFormat("value within %.2g %% of itself", 100 * error_);
}

size_t DdSketch::memory_used() const {
  // A node of a map: three pointers, a colour, the pair.
  return (negative_.size() + positive_.size()) * 48;
}

std::string DdSketch::Serialize() const {
  std::string bytes;
  PutBig64(&bytes, std::bit_cast<uint64_t>(error_));
  for (const uint64_t n : {lowest_, zeros_, highest_}) PutVarint(&bytes, n);
  PutBuckets(&bytes, negative_);
  PutBuckets(&bytes, positive_);
  return bytes;
}

absl::StatusOr<std::unique_ptr<DdSketch>> DdSketch::Parse(std::string_view bytes) {
  uint64_t bits = 0;
  const bool headed = GetBig64(&bytes, &bits);
  const double error = std::bit_cast<double>(bits);
  if (!headed || !(error > 0 && error < 1)) {
    return DataLoss("a DDSketch is damaged or of another version");
  }
  auto sketch = std::make_unique<DdSketch>(error);
  uint64_t total = 0;
  if (!GetVarint(&bytes, &sketch->lowest_) || !GetVarint(&bytes, &sketch->zeros_) ||
      !GetVarint(&bytes, &sketch->highest_) ||
      !GetBuckets(&bytes, &sketch->negative_, &total) ||
      !GetBuckets(&bytes, &sketch->positive_, &total) || !bytes.empty()) {
    return DataLoss("a DDSketch is damaged or of another version");
  }
  sketch->count_ = total + sketch->lowest_ + sketch->zeros_ + sketch->highest_;
  return sketch;
}

}  // namespace skep
