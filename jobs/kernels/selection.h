// Selection: the k-th smallest of many keys that lie on many machines, in few passes.
//
// Numbers become 64-bit keys whose unsigned order is theirs (OrderedFromInt64 and
// OrderedFromDouble of base/coding.h). A pass looks at the keys of one range, cut into
// equal buckets: each machine counts its keys by bucket, the counts are added, the
// bucket that holds the wanted rank is the next range. When few enough keys are left in
// the range they are collected and the k-th selected.
//
//   KeyRange range;                               // all keys
//   uint64_t rank = k;                            // within the range, from 1
//   while (true) {
//     const int shift = BucketShift(range, 1 << 16);
//     std::vector<uint64_t> counts(BucketCount(range, shift));   // summed over parts
//     CountBuckets(keys, range, shift, counts);
//     const Bucket bucket = FindBucket(counts, rank);
//     range = BucketRange(range, shift, bucket.index);
//     rank = bucket.rank;
//     if (range.first == range.last) return range.first;
//     if (bucket.count <= kFewKeys) break;
//   }
//   std::vector<uint64_t> few;
//   CollectRange(keys, range, &few);              // from all parts
//   return SelectRank(few, rank);
//
// 2^16 buckets a pass end after at most four, whatever the keys; equal keys cost
// nothing.

#ifndef SKEP_JOBS_KERNELS_SELECTION_H_
#define SKEP_JOBS_KERNELS_SELECTION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/cpu_path.h"

namespace skep {

// Both ends included.
struct KeyRange {
  uint64_t first = 0;
  uint64_t last = UINT64_MAX;

  bool Contains(uint64_t key) const { return key - first <= last - first; }
  bool operator==(const KeyRange&) const = default;
};

// The width of a bucket is 2^shift keys; the smallest shift that cuts the range into at
// most max_buckets. Requires first <= last, max_buckets >= 1. 64 for a single bucket of
// all keys.
int BucketShift(const KeyRange& range, uint64_t max_buckets);
size_t BucketCount(const KeyRange& range, int shift);
// The keys of bucket `index`; the last one ends with the range.
KeyRange BucketRange(const KeyRange& range, int shift, size_t index);

// Adds to counts[i] the number of keys of the range that fall into bucket i. counts has
// BucketCount(range, shift) elements.
void CountBuckets(std::span<const uint64_t> keys, const KeyRange& range, int shift,
                  std::span<uint64_t> counts);

struct Bucket {
  size_t index = 0;
  uint64_t rank = 0;   // the wanted rank, within the bucket
  uint64_t count = 0;  // keys in the bucket
};
// The bucket that holds the key of that rank, counted from 1. Requires 1 <= rank <= the
// sum of the counts.
Bucket FindBucket(std::span<const uint64_t> counts, uint64_t rank);

// Appends the keys of the range, in their order.
void CollectRange(std::span<const uint64_t> keys, const KeyRange& range,
                  std::vector<uint64_t>* out, CpuPath path = BestCpuPath());

// The key of that rank, from 1; reorders the keys. Requires 1 <= rank <= keys.size().
uint64_t SelectRank(std::span<uint64_t> keys, uint64_t rank);

// How many keys are less than `guess`, and how many equal it.
struct RankCounts {
  uint64_t smaller = 0;
  uint64_t same = 0;
};
RankCounts CountAround(std::span<const uint64_t> keys, uint64_t guess,
                       CpuPath path = BestCpuPath());
RankCounts CountAround(std::span<const int64_t> values, int64_t guess,
                       CpuPath path = BestCpuPath());

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_SELECTION_H_
