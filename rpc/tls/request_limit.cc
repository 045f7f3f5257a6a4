#include "rpc/tls/request_limit.h"

#include <algorithm>

namespace skep {

void RequestLimit::Refill(Bucket& bucket, absl::Time now) const {
  // A clock that was set back gives nothing, and takes nothing.
  const absl::Duration passed = std::max(now - bucket.last, absl::ZeroDuration());
  bucket.left = std::min(
      rate_.burst, bucket.left + absl::ToDoubleSeconds(passed) * rate_.per_second);
  bucket.last = std::max(bucket.last, now);
}

RequestLimit::Bucket& RequestLimit::BucketOf(std::string_view who, absl::Time now) {
  const auto known = buckets_.find(who);
  if (known != buckets_.end()) return known->second;
  if (buckets_.size() >= most_) {
    std::erase_if(buckets_, [&](const auto& entry) {
      Bucket bucket = entry.second;
      Refill(bucket, now);
      return bucket.left >= rate_.burst;
    });
  }
  if (buckets_.size() >= most_) return others_;
  return buckets_.emplace(who, Bucket{rate_.burst, now}).first->second;
}

absl::Duration RequestLimit::Take(std::string_view who, absl::Time now) {
  MutexLock lock(mutex_);
  Bucket& bucket = BucketOf(who, now);
  Refill(bucket, now);
  if (bucket.left >= 1) {
    bucket.left -= 1;
    return absl::ZeroDuration();
  }
  if (rate_.per_second <= 0) return absl::InfiniteDuration();
  return absl::Seconds((1 - bucket.left) / rate_.per_second);
}

size_t RequestLimit::known() const {
  MutexLock lock(mutex_);
  return buckets_.size();
}

}  // namespace skep
