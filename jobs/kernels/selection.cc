#include "jobs/kernels/selection.h"

#include <algorithm>

namespace skep {

int BucketShift(const KeyRange& range, uint64_t max_buckets) {
  const uint64_t width = range.last - range.first;  // one less than the number of keys
  int shift = 0;
  while (shift < 64 && width >> shift >= max_buckets) ++shift;
  return shift;
}

size_t BucketCount(const KeyRange& range, int shift) {
  if (shift >= 64) return 1;
  return static_cast<size_t>((range.last - range.first) >> shift) + 1;
}

KeyRange BucketRange(const KeyRange& range, int shift, size_t index) {
  if (shift >= 64) return range;
  const uint64_t first = range.first + (static_cast<uint64_t>(index) << shift);
  const uint64_t to_end = range.last - first;
  const uint64_t width = (uint64_t{1} << shift) - 1;
  return {first, first + std::min(width, to_end)};
}

void CountBuckets(std::span<const uint64_t> keys, const KeyRange& range, int shift,
                  std::span<uint64_t> counts) {
  const uint64_t width = range.last - range.first;
  if (shift >= 64) {  // a single bucket; the shift below would be undefined
    counts[0] += keys.size();
    return;
  }
  for (const uint64_t key : keys) {
    const uint64_t offset = key - range.first;
    if (offset <= width) ++counts[offset >> shift];
  }
}

Bucket FindBucket(std::span<const uint64_t> counts, uint64_t rank) {
  size_t index = 0;
  while (rank > counts[index]) rank -= counts[index++];
  return {index, rank, counts[index]};
}

// Written without a branch: every key is stored, and kept by moving the end past it.
void CollectRange(std::span<const uint64_t> keys, const KeyRange& range,
                  std::vector<uint64_t>* out) {
  constexpr size_t kChunk = 4096;
  uint64_t kept[kChunk];
  while (!keys.empty()) {
    const std::span<const uint64_t> chunk = keys.first(std::min(kChunk, keys.size()));
    size_t count = 0;
    for (const uint64_t key : chunk) {
      kept[count] = key;
      count += range.Contains(key);
    }
    out->insert(out->end(), kept, kept + count);
    keys = keys.subspan(chunk.size());
  }
}

uint64_t SelectRank(std::span<uint64_t> keys, uint64_t rank) {
  const auto nth = keys.begin() + static_cast<ptrdiff_t>(rank - 1);
  std::nth_element(keys.begin(), nth, keys.end());
  return *nth;
}

RankCounts CountAround(std::span<const uint64_t> keys, uint64_t guess) {
  RankCounts counts;
  for (const uint64_t key : keys) {
    counts.smaller += key < guess;
    counts.same += key == guess;
  }
  return counts;
}

}  // namespace skep
