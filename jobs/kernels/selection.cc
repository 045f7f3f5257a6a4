#include "jobs/kernels/selection.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>

#include "jobs/kernels/prefetch.h"

namespace skep {
namespace {

// Each filter copies the keys of the range to `kept`, which has room for all of them,
// and returns how many there are.
//
// Written without a branch: every key is stored, and kept by moving the end past it.
size_t FilterScalar(std::span<const uint64_t> keys, const KeyRange& range,
                    uint64_t* kept) {
  size_t count = 0;
  for (const uint64_t key : keys) {
    kept[count] = key;
    count += range.Contains(key);
  }
  return count;
}

__attribute__((target("avx512f,avx512vl,popcnt"))) size_t FilterAvx512(
    std::span<const uint64_t> keys, const KeyRange& range, uint64_t* kept) {
  const __m512i first = _mm512_set1_epi64(static_cast<int64_t>(range.first));
  const __m512i width =
      _mm512_set1_epi64(static_cast<int64_t>(range.last - range.first));
  size_t count = 0;
  for (; keys.size() >= 8; keys = keys.subspan(8)) {
    PrefetchAhead(keys.data());
    const __m512i eight = _mm512_loadu_si512(keys.data());
    const __mmask8 inside =
        _mm512_cmple_epu64_mask(_mm512_sub_epi64(eight, first), width);
    // Compressed in the register and stored whole: stores under a compressing mask are
    // slow on some machines. There is room, since count keys were read before.
    _mm512_storeu_si512(kept + count, _mm512_maskz_compress_epi64(inside, eight));
    count += static_cast<size_t>(std::popcount(static_cast<unsigned>(inside)));
  }
  return count + FilterScalar(keys, range, kept + count);
}

// Each counts keys as they compare after the bits of `turn` are turned over: none for
// unsigned numbers, the highest for signed ones.
RankCounts CountScalar(std::span<const uint64_t> keys, uint64_t guess, uint64_t turn) {
  RankCounts counts;
  for (const uint64_t key : keys) {
    counts.smaller += (key ^ turn) < (guess ^ turn);
    counts.same += key == guess;
  }
  return counts;
}

// AVX2 compares signed numbers only: the highest bit is turned over.
__attribute__((target("avx2"))) RankCounts CountAvx2(std::span<const uint64_t> keys,
                                                     uint64_t guess, uint64_t turn) {
  const __m256i high =
      _mm256_set1_epi64x(static_cast<int64_t>(turn ^ uint64_t{1} << 63));
  const __m256i wanted = _mm256_set1_epi64x(static_cast<int64_t>(guess));
  const __m256i signed_wanted = _mm256_xor_si256(wanted, high);
  __m256i smaller = _mm256_setzero_si256(), same = _mm256_setzero_si256();
  for (; keys.size() >= 4; keys = keys.subspan(4)) {
    PrefetchAhead(keys.data());
    const __m256i four =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(keys.data()));
    // A lane that compares as true is -1.
    smaller = _mm256_sub_epi64(
        smaller, _mm256_cmpgt_epi64(signed_wanted, _mm256_xor_si256(four, high)));
    same = _mm256_sub_epi64(same, _mm256_cmpeq_epi64(four, wanted));
  }
  alignas(32) uint64_t lanes[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), smaller);
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes + 4), same);
  RankCounts counts = CountScalar(keys, guess, turn);
  for (int i = 0; i < 4; ++i) {
    counts.smaller += lanes[i];
    counts.same += lanes[4 + i];
  }
  return counts;
}

// Two vectors a step: one chain of additions would wait for itself.
__attribute__((target("avx512f"))) RankCounts CountAvx512(
    std::span<const uint64_t> keys, uint64_t guess, uint64_t turn) {
  const __m512i turned = _mm512_set1_epi64(static_cast<int64_t>(turn));
  const __m512i wanted = _mm512_set1_epi64(static_cast<int64_t>(guess ^ turn));
  const __m512i one = _mm512_set1_epi64(1);
  __m512i smaller[2] = {}, same[2] = {};
  for (; keys.size() >= 16; keys = keys.subspan(16)) {
    for (int i = 0; i < 2; ++i) {
      PrefetchAhead(keys.data() + 8 * i);
      const __m512i eight =
          _mm512_xor_si512(_mm512_loadu_si512(keys.data() + 8 * i), turned);
      smaller[i] = _mm512_mask_add_epi64(
          smaller[i], _mm512_cmplt_epu64_mask(eight, wanted), smaller[i], one);
      same[i] = _mm512_mask_add_epi64(same[i], _mm512_cmpeq_epu64_mask(eight, wanted),
                                      same[i], one);
    }
  }
  alignas(64) uint64_t lanes[16];
  _mm512_store_si512(lanes, _mm512_add_epi64(smaller[0], smaller[1]));
  _mm512_store_si512(lanes + 8, _mm512_add_epi64(same[0], same[1]));
  RankCounts counts = CountScalar(keys, guess, turn);
  for (int i = 0; i < 8; ++i) {
    counts.smaller += lanes[i];
    counts.same += lanes[8 + i];
  }
  return counts;
}

RankCounts CountTurned(std::span<const uint64_t> keys, uint64_t guess, uint64_t turn,
                       CpuPath path) {
  switch (path) {
    case CpuPath::kAvx512:
      return CountAvx512(keys, guess, turn);
    case CpuPath::kAvx2:
      return CountAvx2(keys, guess, turn);
    case CpuPath::kScalar:
      break;
  }
  return CountScalar(keys, guess, turn);
}

}  // namespace

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

void CollectRange(std::span<const uint64_t> keys, const KeyRange& range,
                  std::vector<uint64_t>* out, CpuPath path) {
  // In pieces that stay in the first-level cache.
  constexpr size_t kPiece = 2048;
  uint64_t kept[kPiece];
  while (!keys.empty()) {
    const std::span<const uint64_t> piece = keys.first(std::min(kPiece, keys.size()));
    const size_t count = path == CpuPath::kAvx512 ? FilterAvx512(piece, range, kept)
                                                  : FilterScalar(piece, range, kept);
    out->insert(out->end(), kept, kept + count);
    keys = keys.subspan(piece.size());
  }
}

uint64_t SelectRank(std::span<uint64_t> keys, uint64_t rank) {
  const auto nth = keys.begin() + static_cast<ptrdiff_t>(rank - 1);
  std::nth_element(keys.begin(), nth, keys.end());
  return *nth;
}

RankCounts CountAround(std::span<const uint64_t> keys, uint64_t guess, CpuPath path) {
  return CountTurned(keys, guess, 0, path);
}

RankCounts CountAround(std::span<const int64_t> values, int64_t guess, CpuPath path) {
  return CountTurned({reinterpret_cast<const uint64_t*>(values.data()), values.size()},
                     static_cast<uint64_t>(guess), uint64_t{1} << 63, path);
}

}  // namespace skep
