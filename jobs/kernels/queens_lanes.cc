#include "jobs/kernels/queens_lanes.h"

#include <immintrin.h>

#include <bit>
#include <cstddef>

// What _mm512_undefined_epi32() is made of, in the intrinsics of g++ 12, looks
// uninitialized to it (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace skep {
namespace {

#define SKEP_LANES __attribute__((target("avx512f,popcnt")))

constexpr int kLanes = 16;
constexpr int kMaxRows = 32;
// A vector of boards has at most 32 children a lane, and comes to a pile that lacks a
// vector; what is written behind the last of them is one vector more.
constexpr size_t kPile = kLanes - 1 + 32 * kLanes + kLanes;
// From this many rows up two more rows are looked at (see n_queens.cc).
constexpr int kLookAheadRows = 4;
// Vectors between looks at the stop token: less than a millisecond.
constexpr int kVectorsBetweenLooks = 1 << 14;

// Boards with the same number of rows left.
struct Pile {
  size_t size = 0;
  alignas(64) uint32_t columns[kPile];
  alignas(64) uint32_t rising[kPile];
  alignas(64) uint32_t falling[kPile];
};

class Lanes {
 public:
  SKEP_LANES Lanes(uint32_t board, int rows) : board_(board), rows_(rows) {}

  SKEP_LANES void Push(uint32_t columns, uint32_t rising, uint32_t falling) {
    Pile& pile = piles_[rows_];
    pile.columns[pile.size] = columns;
    pile.rising[pile.size] = rising;
    pile.falling[pile.size++] = falling;
  }

  SKEP_LANES uint64_t Count(const std::stop_token& stop, bool* stopped) {
    int vectors = 0;
    for (int rows = rows_; rows <= rows_;) {
      if (++vectors == kVectorsBetweenLooks) {
        vectors = 0;
        if (*stopped = stop.stop_requested(); *stopped) return 0;
      }
      if (rows == 2) {
        FinishTwo();
      } else if (rows >= kLookAheadRows) {
        Step<true>(rows);
      } else {
        Step<false>(rows);
      }
      // The children, if they fill a vector; else whoever does; else, from the top,
      // those whose children may fill one.
      if (rows > 2 && piles_[rows - 1].size >= kLanes) {
        --rows;
        continue;
      }
      while (rows <= rows_ && piles_[rows].size < kLanes) ++rows;
      if (rows > rows_) {
        rows = rows_;
        while (rows >= 2 && piles_[rows].size == 0) --rows;
        if (rows < 2) break;
      }
    }
    return count_;
  }

 private:
  struct Boards {
    __m512i columns, rising, falling;
    __mmask16 some;
  };

  // Takes the last boards of a pile, a vector at most.
  SKEP_LANES Boards Take(Pile& pile) {
    const size_t taken = pile.size < kLanes ? pile.size : kLanes;
    pile.size -= taken;
    const auto some = static_cast<__mmask16>((1u << taken) - 1);
    return {_mm512_loadu_si512(pile.columns + pile.size),
            _mm512_loadu_si512(pile.rising + pile.size),
            _mm512_loadu_si512(pile.falling + pile.size), some};
  }

  template <bool kLookAhead>
  SKEP_LANES void Step(int rows) {
    const __m512i board = _mm512_set1_epi32(static_cast<int>(board_));
    const Boards b = Take(piles_[rows]);
    Pile& children = piles_[rows - 1];
    size_t size = children.size;
    // 0x01: none of the three.
    __m512i free = _mm512_and_si512(
        board, _mm512_ternarylogic_epi32(b.columns, b.rising, b.falling, 0x01));
    __mmask16 live = _mm512_mask_test_epi32_mask(b.some, free, free);
    while (live != 0) {
      const __m512i rest =
          _mm512_and_si512(free, _mm512_sub_epi32(free, _mm512_set1_epi32(1)));
      const __m512i queen = _mm512_xor_si512(free, rest);
      free = rest;
      const __m512i c = _mm512_or_si512(b.columns, queen);
      const __m512i r = _mm512_slli_epi32(_mm512_or_si512(b.rising, queen), 1);
      const __m512i f = _mm512_srli_epi32(_mm512_or_si512(b.falling, queen), 1);
      __mmask16 keep = _mm512_mask_test_epi32_mask(
          live, board, _mm512_ternarylogic_epi32(c, r, f, 0x01));
      if constexpr (kLookAhead) {
        keep = _mm512_mask_test_epi32_mask(
            keep, board,
            _mm512_ternarylogic_epi32(c, _mm512_slli_epi32(r, 1),
                                      _mm512_srli_epi32(f, 1), 0x01));
        keep = _mm512_mask_test_epi32_mask(
            keep, board,
            _mm512_ternarylogic_epi32(c, _mm512_slli_epi32(r, 2),
                                      _mm512_srli_epi32(f, 2), 0x01));
      }
      // Whole vectors: the lanes behind those kept are overwritten by the next.
      _mm512_storeu_si512(children.columns + size,
                          _mm512_maskz_compress_epi32(keep, c));
      _mm512_storeu_si512(children.rising + size, _mm512_maskz_compress_epi32(keep, r));
      _mm512_storeu_si512(children.falling + size,
                          _mm512_maskz_compress_epi32(keep, f));
      size += static_cast<size_t>(std::popcount(static_cast<uint32_t>(keep)));
      live = _mm512_mask_test_epi32_mask(live, free, free);
    }
    children.size = size;
  }

  // Two rows and two columns are left: each queen of the first row leaves at most one
  // square for that of the second.
  SKEP_LANES void FinishTwo() {
    const __m512i board = _mm512_set1_epi32(static_cast<int>(board_));
    const Boards b = Take(piles_[2]);
    __m512i free = _mm512_and_si512(
        board, _mm512_ternarylogic_epi32(b.columns, b.rising, b.falling, 0x01));
    __mmask16 live = _mm512_mask_test_epi32_mask(b.some, free, free);
    while (live != 0) {
      const __m512i rest =
          _mm512_and_si512(free, _mm512_sub_epi32(free, _mm512_set1_epi32(1)));
      const __m512i queen = _mm512_xor_si512(free, rest);
      free = rest;
      const __mmask16 solved = _mm512_mask_test_epi32_mask(
          live, board,
          _mm512_ternarylogic_epi32(
              _mm512_or_si512(b.columns, queen),
              _mm512_slli_epi32(_mm512_or_si512(b.rising, queen), 1),
              _mm512_srli_epi32(_mm512_or_si512(b.falling, queen), 1), 0x01));
      count_ += static_cast<uint64_t>(std::popcount(static_cast<uint32_t>(solved)));
      live = _mm512_mask_test_epi32_mask(live, free, free);
    }
  }

  const uint32_t board_;
  const int rows_;
  uint64_t count_ = 0;
  Pile piles_[kMaxRows + 1];
};

}  // namespace

uint64_t CountQueensInLanes(uint32_t board, int rows, uint32_t columns, uint32_t rising,
                            uint32_t falling, const std::stop_token& stop,
                            bool* stopped) {
  static_assert(sizeof(Lanes) < 256 << 10, "it stands on the stack");
  Lanes lanes(board, rows);
  lanes.Push(columns, rising, falling);
  return lanes.Count(stop, stopped);
}

}  // namespace skep
