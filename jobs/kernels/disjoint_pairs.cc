#include "jobs/kernels/disjoint_pairs.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <numeric>

namespace skep {
namespace {

constexpr int kGroupMasks = 512;
constexpr int kGroupWords = kGroupMasks / 64;
constexpr int kChunkBits = 5;
constexpr int kChunkValues = 1 << kChunkBits;
constexpr int kMaxChunks = kMaxPairBits / kChunkBits;

// One bit for each of the 512 masks of a group.
struct alignas(64) Row {
  uint64_t words[kGroupWords];
};

struct Tables {
  Row rows[kMaxChunks][kChunkValues];
};

// Turns a 64 x 64 matrix of bits: afterwards bit j of word i is what bit i of word j
// was. Swaps blocks of halving size (Warren, Hacker's Delight, section 7-3).
void Transpose(uint64_t* words) {
  uint64_t mask = 0x00000000ffffffff;
  for (int size = 32; size != 0; size /= 2, mask ^= mask << size) {
    for (int i = 0; i < 64; i = ((i | size) + 1) & ~size) {
      const uint64_t swap = ((words[i] >> size) ^ words[i | size]) & mask;
      words[i] ^= swap << size;
      words[i | size] ^= swap;
    }
  }
}

// Prepares the tables for up to 512 masks. Places beyond them are disjoint from
// nothing.
void FillTables(std::span<const uint64_t> masks, int chunks, Tables* tables) {
  Row has[64];  // has[i]: the masks that have bit i
  Row valid;
  for (int block = 0; block < kGroupWords; ++block) {
    uint64_t words[64] = {};
    const size_t first = std::min<size_t>(64 * block, masks.size());
    const size_t count = std::min<size_t>(64, masks.size() - first);
    std::copy_n(masks.begin() + static_cast<ptrdiff_t>(first), count, words);
    Transpose(words);
    for (int bit = 0; bit < 64; ++bit) has[bit].words[block] = words[bit];
    valid.words[block] = count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
  }
  for (int chunk = 0; chunk < chunks; ++chunk) {
    Row* rows = tables->rows[chunk];
    rows[0] = valid;
    for (int value = 1; value < kChunkValues; ++value) {
      const Row& rest = rows[value & (value - 1)];
      const Row& bit = has[kChunkBits * chunk + std::countr_zero<unsigned>(value)];
      for (int i = 0; i < kGroupWords; ++i) {
        rows[value].words[i] = rest.words[i] & ~bit.words[i];
      }
    }
  }
}

uint64_t CountAgainstGroup(std::span<const uint64_t> masks, const Tables& tables,
                           int chunks) {
  uint64_t count = 0;
  for (uint64_t mask : masks) {
    Row disjoint = tables.rows[0][mask % kChunkValues];
    for (int chunk = 1; chunk < chunks; ++chunk) {
      mask /= kChunkValues;
      const Row& row = tables.rows[chunk][mask % kChunkValues];
      for (int i = 0; i < kGroupWords; ++i) disjoint.words[i] &= row.words[i];
    }
    for (const uint64_t word : disjoint.words) count += std::popcount(word);
  }
  return count;
}

const __m256i* LowHalf(const Row& row) {
  return reinterpret_cast<const __m256i*>(row.words);
}
const __m256i* HighHalf(const Row& row) { return LowHalf(row) + 1; }

__attribute__((target("avx2,popcnt"))) uint64_t CountAgainstGroupAvx2(
    std::span<const uint64_t> masks, const Tables& tables, int chunks) {
  uint64_t count = 0;
  for (uint64_t mask : masks) {
    const Row& first = tables.rows[0][mask % kChunkValues];
    __m256i low = *LowHalf(first);
    __m256i high = *HighHalf(first);
    for (int chunk = 1; chunk < chunks; ++chunk) {
      mask /= kChunkValues;
      const Row& row = tables.rows[chunk][mask % kChunkValues];
      low = _mm256_and_si256(low, *LowHalf(row));
      high = _mm256_and_si256(high, *HighHalf(row));
    }
    alignas(32) uint64_t words[kGroupWords];
    _mm256_store_si256(reinterpret_cast<__m256i*>(words), low);
    _mm256_store_si256(reinterpret_cast<__m256i*>(words) + 1, high);
    for (const uint64_t word : words) count += std::popcount(word);
  }
  return count;
}

__attribute__((target("avx512f,avx512vpopcntdq"))) uint64_t CountAgainstGroupAvx512(
    std::span<const uint64_t> masks, const Tables& tables, int chunks) {
  __m512i count = _mm512_setzero_si512();
  for (uint64_t mask : masks) {
    __m512i disjoint = _mm512_load_si512(&tables.rows[0][mask % kChunkValues]);
    for (int chunk = 1; chunk < chunks; ++chunk) {
      mask /= kChunkValues;
      disjoint = _mm512_and_si512(
          disjoint, _mm512_load_si512(&tables.rows[chunk][mask % kChunkValues]));
    }
    count = _mm512_add_epi64(count, _mm512_popcnt_epi64(disjoint));
  }
  alignas(64) uint64_t lanes[kGroupWords];
  _mm512_store_si512(lanes, count);
  return std::accumulate(lanes, lanes + kGroupWords, uint64_t{0});
}

using CountFunction = uint64_t (*)(std::span<const uint64_t>, const Tables&, int);

CountFunction ChooseCount(CpuPath path) {
  // The vector count of ones came later than the rest of AVX-512.
  static const bool has_vector_popcount = __builtin_cpu_supports("avx512vpopcntdq");
  if (path == CpuPath::kAvx512 && has_vector_popcount) return CountAgainstGroupAvx512;
  if (path != CpuPath::kScalar) return CountAgainstGroupAvx2;
  return CountAgainstGroup;
}

}  // namespace

uint64_t CountDisjointPairs(std::span<const uint64_t> a, std::span<const uint64_t> b,
                            int bits, CpuPath path) {
  const CountFunction count_against_group = ChooseCount(path);
  const int chunks = (bits + kChunkBits - 1) / kChunkBits;
  uint64_t count = 0;
  Tables tables;
  while (!b.empty()) {
    const std::span<const uint64_t> group =
        b.first(std::min<size_t>(kGroupMasks, b.size()));
    FillTables(group, chunks, &tables);
    count += count_against_group(a, tables, chunks);
    b = b.subspan(group.size());
  }
  return count;
}

}  // namespace skep
