#include "jobs/kernels/ranked_masks.h"

#include <immintrin.h>

#include <algorithm>

#include "jobs/kernels/pair_tables.h"

// What _mm512_undefined_epi32() is made of, in the intrinsics of g++ 12, looks
// uninitialized to it (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace skep {
namespace {

constexpr size_t kLanes = 8;  // what is stored at once

// Without a branch: every mask is stored, and kept by moving the end past it.
size_t ProjectPlain(std::span<const QueensDiagonals> placements, QueensDiagonals clash,
                    RankedMasks::Projection projection, uint64_t* out) {
  const uint64_t field = (uint64_t{1} << projection.shared) - 1;
  size_t size = 0;
  for (const QueensDiagonals placement : placements) {
    out[size] = (placement >> projection.first & field) |
                (placement >> projection.second & field) << projection.shared;
    size += (placement & clash) == 0;
  }
  return size;
}

__attribute__((target("avx512f,popcnt"))) size_t ProjectAvx512(
    std::span<const QueensDiagonals> placements, QueensDiagonals clash,
    RankedMasks::Projection projection, uint64_t* out) {
  const __m512i field = _mm512_set1_epi64((int64_t{1} << projection.shared) - 1);
  const __m512i clashes = _mm512_set1_epi64(static_cast<int64_t>(clash));
  const __m128i first = _mm_cvtsi32_si128(projection.first);
  const __m128i second = _mm_cvtsi32_si128(projection.second);
  const __m128i shared = _mm_cvtsi32_si128(projection.shared);
  size_t size = 0;
  for (size_t i = 0; i < placements.size(); i += kLanes) {
    const size_t left = std::min(kLanes, placements.size() - i);
    const auto some = static_cast<__mmask8>((1u << left) - 1);
    const __m512i placement = _mm512_maskz_loadu_epi64(some, placements.data() + i);
    const __m512i low = _mm512_and_si512(_mm512_srl_epi64(placement, first), field);
    const __m512i high = _mm512_sll_epi64(
        _mm512_and_si512(_mm512_srl_epi64(placement, second), field), shared);
    const __mmask8 good = _mm512_mask_testn_epi64_mask(some, placement, clashes);
    _mm512_storeu_si512(out + size,
                        _mm512_maskz_compress_epi64(good, _mm512_or_si512(low, high)));
    size += __builtin_popcount(good);
  }
  return size;
}

}  // namespace

int RankedMasks::KeyBitsFor(size_t masks) {
  int bits = 2;
  while (bits + 2 <= kMaxKeyBits && masks >> (bits + 2) >= PairTables::kGroup) {
    bits += 2;
  }
  return bits;
}

RankedMasks::RankedMasks(Projection projection, bool gray, CpuPath path)
    : projection_(projection),
      gray_(gray),
      project_(path == CpuPath::kAvx512 ? ProjectAvx512 : ProjectPlain) {}

void RankedMasks::Take(const QueensHalf& half, QueensDiagonals clash, uint32_t limit,
                       int key_bits) {
  const auto placements = half.placements();
  if (masks_.size() < placements.size() + kLanes) {
    const size_t size = placements.size() + placements.size() / 4 + kLanes;
    unsorted_.resize(size);
    masks_.resize(size);
  }
  key_bits_ = key_bits;
  const size_t ends[] = {half.CountBelow(limit), half.CountBelow(limit + 1),
                         placements.size()};
  std::vector<uint64_t>& target = key_bits == 0 ? masks_ : unsorted_;
  size_t begin = 0, size = 0;
  for (const Section section : {kBelow, kEqual, kAbove}) {
    const size_t from = size;
    size += project_(placements.subspan(begin, ends[section] - begin), clash,
                     projection_, target.data() + size);
    begin = ends[section];
    if (key_bits == 0) {
      begins_[section] = {from, size};
    } else {
      Sort(section, from, size);
    }
  }
}

// Two passes: the sizes of the buckets, then the masks to their places.
void RankedMasks::Sort(Section section, size_t from, size_t to) {
  const int half = key_bits_ / 2;
  const uint64_t values = (1u << half) - 1;
  const int first = projection_.shared / 2 - (half - 1) / 2;
  const int second = projection_.shared + first;
  // By key; Key is a permutation, and of the order of Gray's code this is the inverse.
  bucket_of_.resize(buckets());
  for (uint32_t bucket = 0; bucket < buckets(); ++bucket) {
    bucket_of_[Key(bucket)] = bucket;
  }
  const auto bucket = [=, this](uint64_t mask) {
    return bucket_of_[(mask >> first & values) | (mask >> second & values) << half];
  };
  next_.assign(buckets(), 0);
  for (size_t i = from; i < to; ++i) ++next_[bucket(unsorted_[i])];
  auto& begins = begins_[section];
  begins.resize(buckets() + 1);
  begins[0] = from;
  for (uint32_t b = 0; b < buckets(); ++b) {
    begins[b + 1] = begins[b] + next_[b];
    next_[b] = static_cast<uint32_t>(begins[b]);
  }
  for (size_t i = from; i < to; ++i) {
    masks_[next_[bucket(unsorted_[i])]++] = unsorted_[i];
  }
}

}  // namespace skep
