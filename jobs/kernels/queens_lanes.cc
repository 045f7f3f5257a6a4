#include "jobs/kernels/queens_lanes.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

// What _mm512_undefined_epi32() is made of, in the intrinsics of g++ 12, looks
// uninitialized to it (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace skep {
namespace {

constexpr int kMaxRows = 32;
// Vectors between looks at the stop token: less than a millisecond.
constexpr int kVectorsBetweenLooks = 1 << 14;

// Boards in a pile at most: those of less than a vector, the children of a vector, and
// what is written behind the last of them, a vector again.
constexpr size_t PileSize(size_t lanes) { return lanes - 1 + kMaxRows * lanes + lanes; }

// A pile with an array for each word, for paths that pack the lanes of a vector. Not
// initialized but for its size.
template <size_t kLanes>
struct WordPile {
  WordPile() {}  // NOLINT(modernize-use-equals-default): `= default` would zero it all
  void Add(const LanesBoard& board) {
    open[size] = board.open;
    rising[size] = board.rising;
    falling[size++] = board.falling;
  }
  void Close(size_t i) { open[i] = 0; }

  size_t size = 0;
  alignas(64) uint32_t open[PileSize(kLanes)];
  alignas(64) uint32_t rising[PileSize(kLanes)];
  alignas(64) uint32_t falling[PileSize(kLanes)];
};

namespace plain {
#define SKEP_TARGET
constexpr size_t kLanes = 4;
typedef uint32_t Vec __attribute__((vector_size(16)));
struct Boards {
  Vec open, rising, falling;
};
inline Vec Free(Vec open, Vec rising, Vec falling) {
  return open & ~(rising | falling);
}
inline uint32_t NotZero(Vec x) {
  return 15u ^ static_cast<uint32_t>(_mm_movemask_ps((__m128)(x == 0)));
}
inline uint64_t CountLanes(uint32_t lanes) {
  return 0x4332322132212110 >> (4 * lanes) & 15;
}
// Board by board, since SSE2 packs nothing: every child is stored, and kept by moving
// the end past it.
struct Pile {
  Pile() {}  // NOLINT(modernize-use-equals-default)
  void Add(const LanesBoard& board) {
    boards[size++] = Vec{board.open, board.rising, board.falling, 0};
  }
  void Close(size_t i) { boards[i] = Vec{}; }
  Boards Load(size_t at) const {
    const Vec *b = boards + at, low01 = Low(b[0], b[1]), low23 = Low(b[2], b[3]);
    return {LowPairs(low01, low23), HighPairs(low01, low23),
            LowPairs(High(b[0], b[1]), High(b[2], b[3]))};
  }
  size_t Store(size_t at, uint32_t keep, const Boards& b) {
    const Vec low = Low(b.open, b.rising), high = High(b.open, b.rising);
    Vec* out = boards + at;
    *out = LowPairs(low, Low(b.falling, b.falling));
    out += keep & 1;
    *out = HighPairs(low, Low(b.falling, b.falling));
    out += keep >> 1 & 1;
    *out = LowPairs(high, High(b.falling, b.falling));
    out += keep >> 2 & 1;
    *out = HighPairs(high, High(b.falling, b.falling));
    out += keep >> 3;
    return static_cast<size_t>(out - (boards + at));
  }

  size_t size = 0;
  Vec boards[PileSize(kLanes)];  // open, rising, falling, any

 private:
  static Vec Low(Vec a, Vec b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
  static Vec High(Vec a, Vec b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
  static Vec LowPairs(Vec a, Vec b) {
    return __builtin_shufflevector(a, b, 0, 1, 4, 5);
  }
  static Vec HighPairs(Vec a, Vec b) {
    return __builtin_shufflevector(a, b, 2, 3, 6, 7);
  }
};
#include "jobs/kernels/queens_lanes.inc"
#undef SKEP_TARGET
}  // namespace plain

namespace avx2 {
#define SKEP_TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))
constexpr size_t kLanes = 8;
typedef uint32_t Vec __attribute__((vector_size(32)));
struct Boards {
  Vec open, rising, falling;
};
// kPacked[keep]: the lanes of `keep`, the lowest first; then any.
constexpr std::array<std::array<uint8_t, 8>, 256> MakePacked() {
  std::array<std::array<uint8_t, 8>, 256> packed{};
  for (int keep = 0; keep < 256; ++keep) {
    int size = 0;
    for (int lane = 0; lane < 8; ++lane) {
      if ((keep >> lane & 1) != 0) packed[keep][size++] = static_cast<uint8_t>(lane);
    }
  }
  return packed;
}
constexpr auto kPacked = MakePacked();

SKEP_TARGET inline Vec Free(Vec open, Vec rising, Vec falling) {
  return open & ~(rising | falling);
}
SKEP_TARGET inline uint32_t NotZero(Vec x) {
  return 255u ^ static_cast<uint32_t>(_mm256_movemask_ps((__m256)(x == 0)));
}
SKEP_TARGET inline uint64_t CountLanes(uint32_t lanes) {
  return static_cast<uint64_t>(__builtin_popcount(lanes));
}
SKEP_TARGET inline Vec LoadWords(const uint32_t* words) {
  return (Vec)_mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
}
struct Pile : WordPile<kLanes> {
  SKEP_TARGET Boards Load(size_t at) const {
    return {LoadWords(open + at), LoadWords(rising + at), LoadWords(falling + at)};
  }
  SKEP_TARGET size_t Store(size_t at, uint32_t keep, const Boards& b) {
    const __m256i order = _mm256_cvtepu8_epi32(
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kPacked[keep].data())));
    Put(open + at, b.open, order);
    Put(rising + at, b.rising, order);
    Put(falling + at, b.falling, order);
    return CountLanes(keep);
  }

 private:
  SKEP_TARGET static void Put(uint32_t* words, Vec x, __m256i order) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words),
                        _mm256_permutevar8x32_epi32((__m256i)x, order));
  }
};
#include "jobs/kernels/queens_lanes.inc"
#undef SKEP_TARGET
}  // namespace avx2

namespace avx512 {
#define SKEP_TARGET __attribute__((target("avx512f,bmi,bmi2,popcnt")))
constexpr size_t kLanes = 16;
typedef uint32_t Vec __attribute__((vector_size(64)));
struct Boards {
  Vec open, rising, falling;
};
SKEP_TARGET inline Vec Free(Vec open, Vec rising, Vec falling) {
  // 0x10: the first without the others.
  return (Vec)_mm512_ternarylogic_epi32((__m512i)open, (__m512i)rising,
                                        (__m512i)falling, 0x10);
}
SKEP_TARGET inline uint32_t NotZero(Vec x) {
  return _mm512_test_epi32_mask((__m512i)x, (__m512i)x);
}
SKEP_TARGET inline uint64_t CountLanes(uint32_t lanes) {
  return static_cast<uint64_t>(__builtin_popcount(lanes));
}
struct Pile : WordPile<kLanes> {
  SKEP_TARGET Boards Load(size_t at) const {
    return {(Vec)_mm512_loadu_si512(open + at), (Vec)_mm512_loadu_si512(rising + at),
            (Vec)_mm512_loadu_si512(falling + at)};
  }
  SKEP_TARGET size_t Store(size_t at, uint32_t keep, const Boards& b) {
    Put(open + at, keep, b.open);
    Put(rising + at, keep, b.rising);
    Put(falling + at, keep, b.falling);
    return CountLanes(keep);
  }

 private:
  // Whole vectors: the lanes behind those kept are overwritten by the next.
  SKEP_TARGET static void Put(uint32_t* words, uint32_t keep, Vec x) {
    _mm512_storeu_si512(
        words, _mm512_maskz_compress_epi32(static_cast<__mmask16>(keep), (__m512i)x));
  }
};
#include "jobs/kernels/queens_lanes.inc"
#undef SKEP_TARGET
}  // namespace avx512

}  // namespace

uint64_t CountQueensInLanes(const LanesBoard& board, const std::stop_token& stop,
                            bool* stopped, CpuPath path) {
  // The piles stand on the stack.
  static_assert(sizeof(avx512::Pile) * (kMaxRows + 1) < 256 << 10);
  switch (path) {
    case CpuPath::kAvx512:
      return avx512::Count(board, stop, stopped);
    case CpuPath::kAvx2:
      return avx2::Count(board, stop, stopped);
    case CpuPath::kScalar:
      break;
  }
  return plain::Count(board, stop, stopped);
}

}  // namespace skep
