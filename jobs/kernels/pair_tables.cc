#include "jobs/kernels/pair_tables.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <utility>

// What _mm512_undefined_epi32() is made of, in the intrinsics of g++ 12, looks
// uninitialized to it (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace skep {
namespace {

using Row = PairTables::Row;
using Layout = PairTables::Layout;
constexpr int kBlocks = PairTables::kGroup / 64;

// Swaps the off-diagonal blocks of a 64 x 64 matrix of bits cut into blocks of
// kSize x kSize (Warren, Hacker's Delight, section 7-3).
template <int kSize>
void SwapBlocks(uint64_t* words) {
  constexpr uint64_t kMask = ~uint64_t{0} / ((uint64_t{1} << kSize) + 1);
  for (int base = 0; base < 64; base += 2 * kSize) {
    for (int i = base; i < base + kSize; ++i) {
      const uint64_t swap = ((words[i] >> kSize) ^ words[i + kSize]) & kMask;
      words[i] ^= swap << kSize;
      words[i + kSize] ^= swap;
    }
  }
}

// has[i] becomes the masks of the group that have bit i.
void TransposePlain(std::span<const uint64_t> group, int bits, Row* has) {
  for (int block = 0; block < kBlocks; ++block) {
    uint64_t words[64] = {};
    const size_t first = std::min<size_t>(64 * block, group.size());
    const size_t count = std::min<size_t>(64, group.size() - first);
    if (count > 0) {
      std::copy_n(group.begin() + static_cast<ptrdiff_t>(first), count, words);
      SwapBlocks<32>(words);
      SwapBlocks<16>(words);
      SwapBlocks<8>(words);
      SwapBlocks<4>(words);
      SwapBlocks<2>(words);
      SwapBlocks<1>(words);
    }
    for (int bit = 0; bit < bits; ++bit) has[bit].words[block] = words[bit];
  }
}

void FillRowsPlain(const Row* has, const Row& valid, Layout layout, Row* rows) {
  for (int chunk = 0; chunk < layout.chunks; ++chunk) {
    Row* const own = rows + layout.FirstRow(chunk);
    own[0] = valid;
    for (int value = 1; value < 1 << layout.Width(chunk); ++value) {
      const Row& rest = own[value & (value - 1)];
      const Row& bit = has[layout.Shift(chunk) + std::countr_zero<unsigned>(value)];
      for (int i = 0; i < kBlocks; ++i) {
        own[value].words[i] = rest.words[i] & ~bit.words[i];
      }
    }
  }
}

#define SKEP_PAIRS_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vpopcntdq")))

// Eight times eight words, turned: word i of vector j becomes word j of vector i.
SKEP_PAIRS_AVX512 inline void TurnWords(__m512i v[8]) {
  __m512i pairs[8], fours[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
  }
  for (int half = 0; half < 8; half += 4) {
    for (int i = 0; i < 2; ++i) {
      fours[half + i] =
          _mm512_shuffle_i64x2(pairs[half + i], pairs[half + i + 2], 0x88);
      fours[half + i + 2] =
          _mm512_shuffle_i64x2(pairs[half + i], pairs[half + i + 2], 0xdd);
    }
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_shuffle_i64x2(fours[i], fours[i + 4], 0x88);
    v[i + 4] = _mm512_shuffle_i64x2(fours[i], fours[i + 4], 0xdd);
  }
}

// Sixty-four masks at a time: their bytes are sorted by place, and the top bits of 64
// bytes make a word.
SKEP_PAIRS_AVX512 void TransposeAvx512(std::span<const uint64_t> group, int bits,
                                       Row* has) {
  // Byte 8 i + j of the result is byte 8 j + i: an 8 x 8 matrix of bytes, turned.
  alignas(64) uint8_t order[64];
  for (int i = 0; i < 64; ++i) order[i] = static_cast<uint8_t>(i % 8 * 8 + i / 8);
  const __m512i turn = _mm512_load_si512(order);
  for (int block = 0; block < kBlocks; ++block) {
    const size_t first = std::min<size_t>(64 * block, group.size());
    const size_t count = std::min<size_t>(64, group.size() - first);
    __m512i planes[8];
    for (int i = 0; i < 8; ++i) {
      const int left = std::clamp(static_cast<int>(count) - 8 * i, 0, 8);
      const auto some = static_cast<__mmask8>((1u << left) - 1);
      const __m512i words =
          _mm512_maskz_loadu_epi64(some, group.data() + first + 8 * i);
      planes[i] = _mm512_permutexvar_epi8(turn, words);
    }
    TurnWords(planes);
    for (int i = 0; 8 * i < bits; ++i) {
      __m512i bytes = planes[i];
      for (int bit = 7; bit >= 0; --bit) {
        has[8 * i + bit].words[block] = _mm512_movepi8_mask(bytes);
        bytes = _mm512_add_epi8(bytes, bytes);
      }
    }
  }
}

SKEP_PAIRS_AVX512 void FillRowsAvx512(const Row* has, const Row& valid, Layout layout,
                                      Row* rows) {
  for (int chunk = 0; chunk < layout.chunks; ++chunk) {
    Row* const own = rows + layout.FirstRow(chunk);
    _mm512_store_si512(own, _mm512_load_si512(&valid));
    for (int bit = 0; bit < layout.Width(chunk); ++bit) {
      const __m512i bad = _mm512_load_si512(&has[layout.Shift(chunk) + bit]);
      for (int value = 0; value < 1 << bit; ++value) {
        _mm512_store_si512(own + (1 << bit) + value,
                           _mm512_andnot_si512(bad, _mm512_load_si512(own + value)));
      }
    }
  }
}

}  // namespace

// The row of a mask's chunk. A macro's job, done by a function that is always inlined,
// so that it takes the instruction set of its caller.
template <int kBits, int kChunk>
__attribute__((always_inline)) inline const Row& RowOf(const Row* rows, uint64_t mask) {
  constexpr Layout kLayout = PairTables::LayoutOf(kBits);
  constexpr uint64_t kValues = (uint64_t{1} << kLayout.Width(kChunk)) - 1;
  return rows[kLayout.FirstRow(kChunk) +
              static_cast<int>(mask >> kLayout.Shift(kChunk) & kValues)];
}

// Counting, unrolled for each number of bits.
struct PairKernels {
  template <int kBits, int... kChunk>
  static uint64_t PlainOf(const PairTables& tables, std::span<const uint64_t> masks,
                          std::integer_sequence<int, kChunk...>) {
    const Row* const rows = tables.rows_.get();
    uint64_t count = 0;
    for (const uint64_t mask : masks) {
      for (int i = 0; i < kBlocks; ++i) {
        count += std::popcount((RowOf<kBits, kChunk>(rows, mask).words[i] & ...));
      }
    }
    return count;
  }

  template <int kBits, int... kChunk>
  __attribute__((target("avx2,popcnt"))) static uint64_t Avx2Of(
      const PairTables& tables, std::span<const uint64_t> masks,
      std::integer_sequence<int, kChunk...>) {
    const Row* const rows = tables.rows_.get();
    uint64_t count = 0;
    for (const uint64_t mask : masks) {
      __m256i low = _mm256_set1_epi8(-1), high = low;
      const auto take = [&low, &high ](const Row& row)
          __attribute__((always_inline, target("avx2,popcnt"))) {
        const auto* const halves = reinterpret_cast<const __m256i*>(&row);
        low = _mm256_and_si256(low, halves[0]);
        high = _mm256_and_si256(high, halves[1]);
      };
      (take(RowOf<kBits, kChunk>(rows, mask)), ...);
      alignas(32) uint64_t words[kBlocks];
      _mm256_store_si256(reinterpret_cast<__m256i*>(words), low);
      _mm256_store_si256(reinterpret_cast<__m256i*>(words) + 1, high);
      for (const uint64_t word : words) count += std::popcount(word);
    }
    return count;
  }

  template <int kBits, int... kChunk>
  SKEP_PAIRS_AVX512 static uint64_t Avx512Of(const PairTables& tables,
                                             std::span<const uint64_t> masks,
                                             std::integer_sequence<int, kChunk...>) {
    const Row* const rows = tables.rows_.get();
    __m512i count = _mm512_setzero_si512();
    for (const uint64_t mask : masks) {
      __m512i disjoint = _mm512_set1_epi8(-1);
      ((disjoint = _mm512_and_si512(
            disjoint, _mm512_load_si512(&RowOf<kBits, kChunk>(rows, mask)))),
       ...);
      count = _mm512_add_epi64(count, _mm512_popcnt_epi64(disjoint));
    }
    alignas(64) uint64_t lanes[kBlocks];
    _mm512_store_si512(lanes, count);
    return std::accumulate(lanes, lanes + kBlocks, uint64_t{0});
  }

  template <int kBits>
  using Chunks = std::make_integer_sequence<int, PairTables::LayoutOf(kBits).chunks>;
  template <int kBits>
  static uint64_t Plain(const PairTables& tables, std::span<const uint64_t> masks) {
    return PlainOf<kBits>(tables, masks, Chunks<kBits>{});
  }
  template <int kBits>
  static uint64_t Avx2(const PairTables& tables, std::span<const uint64_t> masks) {
    return Avx2Of<kBits>(tables, masks, Chunks<kBits>{});
  }
  template <int kBits>
  static uint64_t Avx512(const PairTables& tables, std::span<const uint64_t> masks) {
    return Avx512Of<kBits>(tables, masks, Chunks<kBits>{});
  }

  // [path][bits - 1]
  using Functions = std::array<PairTables::CountMasks, kMaxPairBits>;
  template <int... kBit>
  static constexpr std::array<Functions, 3> Make(std::integer_sequence<int, kBit...>) {
    return {Functions{Plain<kBit + 1>...}, Functions{Avx2<kBit + 1>...},
            Functions{Avx512<kBit + 1>...}};
  }
};

PairTables::PairTables(int bits, CpuPath path)
    : bits_(bits),
      layout_(LayoutOf(bits)),
      transpose_(TransposePlain),
      fill_rows_(FillRowsPlain),
      rows_(std::make_unique_for_overwrite<Row[]>(layout_.FirstRow(layout_.chunks))) {
  static constexpr auto kCount =
      PairKernels::Make(std::make_integer_sequence<int, kMaxPairBits>());
  path = TakenCpuPath(path, kPairTablesNeed);
  count_ = kCount[static_cast<size_t>(path)][bits - 1];
  if (path == CpuPath::kAvx512) {
    transpose_ = TransposeAvx512;
    fill_rows_ = FillRowsAvx512;
  }
}

PairTables::~PairTables() = default;

void PairTables::Fill(std::span<const uint64_t> group) {
  Row has[64];
  transpose_(group, bits_, has);
  Row valid;  // places without a mask are disjoint from nothing
  for (int block = 0; block < kBlocks; ++block) {
    const size_t before = 64 * block;
    const size_t count = group.size() - std::min(before, group.size());
    valid.words[block] = count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
  }
  fill_rows_(has, valid, layout_, rows_.get());
}

}  // namespace skep
