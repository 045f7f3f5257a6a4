#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>

#include "jobs/kernels/prefetch.h"
#include "jobs/kernels/rank_selection.h"

namespace skep {
namespace {

// Every key is stored, and kept by moving the end past it.
WindowCounts PassScalar(std::span<const uint64_t> keys, uint64_t low, uint64_t high,
                        uint64_t* inside) {
  const uint64_t first = low + 1, width = high - low - 1;
  WindowCounts counts;
  for (const uint64_t key : keys) {
    inside[counts.inside] = key;
    counts.inside += key - first < width;
    counts.up_to_low += key <= low;
  }
  return counts;
}

// For each mask of four lanes the permutation of 32-bit words that moves the chosen
// lanes to the front.
struct MoveToFront {
  alignas(32) int32_t words[16][8];
  constexpr MoveToFront() : words{} {
    for (int mask = 0; mask < 16; ++mask) {
      int to = 0;
      for (int lane = 0; lane < 4; ++lane) {
        if ((mask >> lane & 1) == 0) continue;
        words[mask][to++] = 2 * lane;
        words[mask][to++] = 2 * lane + 1;
      }
    }
  }
};
constexpr MoveToFront kMoveToFront;

// AVX2 compares signed numbers only: the highest bit is turned over.
__attribute__((target("avx2,popcnt"))) WindowCounts PassAvx2(
    std::span<const uint64_t> keys, uint64_t low, uint64_t high, uint64_t* inside) {
  const __m256i turn = _mm256_set1_epi64x(INT64_MIN);
  const __m256i lower =
      _mm256_xor_si256(_mm256_set1_epi64x(static_cast<int64_t>(low)), turn);
  // Turned by itself: key - low - 1 - 2^63.
  const __m256i first = _mm256_set1_epi64x(static_cast<int64_t>(low + 1) ^ INT64_MIN);
  const __m256i width =
      _mm256_set1_epi64x(static_cast<int64_t>(high - low - 1) ^ INT64_MIN);
  __m256i above_low = _mm256_setzero_si256();
  WindowCounts counts;
  const size_t whole = keys.size() / 4 * 4;
  for (size_t i = 0; i < whole; i += 4) {
    const __m256i four =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(keys.data() + i));
    PrefetchAhead(keys.data() + i);
    // A lane that compares as true is -1.
    const __m256i above = _mm256_cmpgt_epi64(_mm256_xor_si256(four, turn), lower);
    above_low = _mm256_sub_epi64(above_low, above);
    const __m256i within = _mm256_cmpgt_epi64(width, _mm256_sub_epi64(four, first));
    const int mask = _mm256_movemask_pd(_mm256_castsi256_pd(within));
    const __m256i order =
        _mm256_load_si256(reinterpret_cast<const __m256i*>(kMoveToFront.words[mask]));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(inside + counts.inside),
                        _mm256_permutevar8x32_epi32(four, order));
    counts.inside += static_cast<unsigned>(std::popcount(static_cast<unsigned>(mask)));
  }
  alignas(32) uint64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), above_low);
  counts.up_to_low = whole - (lanes[0] + lanes[1] + lanes[2] + lanes[3]);
  const WindowCounts rest =
      PassScalar(keys.subspan(whole), low, high, inside + counts.inside);
  return {counts.up_to_low + rest.up_to_low, counts.inside + rest.inside};
}

__attribute__((target("avx512f,avx512vl,popcnt"))) WindowCounts PassAvx512(
    std::span<const uint64_t> keys, uint64_t low, uint64_t high, uint64_t* inside) {
  const __m512i lower = _mm512_set1_epi64(static_cast<int64_t>(low));
  const __m512i first = _mm512_set1_epi64(static_cast<int64_t>(low + 1));
  const __m512i width = _mm512_set1_epi64(static_cast<int64_t>(high - low - 1));
  const __m512i one = _mm512_set1_epi64(1);
  __m512i up_to_low = _mm512_setzero_si512();
  WindowCounts counts;
  const size_t whole = keys.size() / 8 * 8;
  for (size_t i = 0; i < whole; i += 8) {
    const __m512i eight = _mm512_loadu_si512(keys.data() + i);
    PrefetchAhead(keys.data() + i);
    up_to_low = _mm512_mask_add_epi64(up_to_low, _mm512_cmple_epu64_mask(eight, lower),
                                      up_to_low, one);
    const __mmask8 within =
        _mm512_cmplt_epu64_mask(_mm512_sub_epi64(eight, first), width);
    // Compressed in the register and stored whole: stores under a compressing mask are
    // slow on some machines.
    _mm512_storeu_si512(inside + counts.inside,
                        _mm512_maskz_compress_epi64(within, eight));
    counts.inside +=
        static_cast<unsigned>(std::popcount(static_cast<unsigned>(within)));
  }
  alignas(64) uint64_t lanes[8];
  _mm512_store_si512(lanes, up_to_low);
  for (const uint64_t lane : lanes) counts.up_to_low += lane;
  const WindowCounts rest =
      PassScalar(keys.subspan(whole), low, high, inside + counts.inside);
  return {counts.up_to_low + rest.up_to_low, counts.inside + rest.inside};
}

WindowCounts Pass(std::span<const uint64_t> keys, uint64_t low, uint64_t high,
                  uint64_t* inside, CpuPath path) {
  switch (path) {
    case CpuPath::kAvx512:
      return PassAvx512(keys, low, high, inside);
    case CpuPath::kAvx2:
      return PassAvx2(keys, low, high, inside);
    case CpuPath::kScalar:
      break;
  }
  return PassScalar(keys, low, high, inside);
}

}  // namespace

WindowCounts CountAndCollect(std::span<const uint64_t> keys, uint64_t low,
                             uint64_t high, uint64_t* inside, size_t capacity,
                             CpuPath path) {
  constexpr size_t kPiece = 1024;
  constexpr size_t kSlack = 8;  // a vector is stored whole
  WindowCounts counts;
  while (!keys.empty()) {
    const std::span<const uint64_t> piece = keys.first(std::min(kPiece, keys.size()));
    keys = keys.subspan(piece.size());
    WindowCounts here;
    if (counts.inside + piece.size() <= capacity) {
      here = Pass(piece, low, high, inside + counts.inside, path);
    } else {
      std::array<uint64_t, kPiece + kSlack> aside;
      here = Pass(piece, low, high, aside.data(), path);
      const size_t room = capacity - std::min<size_t>(capacity, counts.inside);
      std::copy_n(aside.begin(), std::min<size_t>(room, here.inside),
                  inside + std::min<size_t>(capacity, counts.inside));
    }
    counts.up_to_low += here.up_to_low;
    counts.inside += here.inside;
  }
  return counts;
}

}  // namespace skep
