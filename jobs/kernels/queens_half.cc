#include "jobs/kernels/queens_half.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>

namespace skep {
namespace {

// What is stored at once, and so may lie behind the last placement.
constexpr size_t kLanes = 8;

constexpr QueensDiagonals kAllRising = ~uint64_t{0} << 32;

// The diagonals of a quarter as those of the half that it is the north or the south of.
QueensDiagonals InNorth(QueensDiagonals quarter, int n) {
  return (quarter & ~kAllRising) | (quarter >> QueensHalf::Rising(n) & kAllRising);
}
QueensDiagonals InSouth(QueensDiagonals quarter, int n) {
  const int side = n / 2;
  const QueensDiagonals falling = (uint64_t{1} << (2 * side)) - 1;
  return (quarter << (n - side) & falling) | (quarter & kAllRising)
                                                 << (n - side - QueensHalf::Rising(n));
}

// Writes the placements of both quarters that do not clash, with the queen of the
// middle row, which clashes with none of the south; returns their number. Without a
// branch: every pair is stored, and kept by moving the end past it.
size_t AddProductsPlain(std::span<const QueensDiagonals> north,
                        std::span<const QueensDiagonals> south, QueensDiagonals middle,
                        QueensDiagonals* out) {
  size_t size = 0;
  for (const QueensDiagonals above : north) {
    if ((above & middle) != 0) continue;
    const QueensDiagonals upper = above | middle;
    for (const QueensDiagonals lower : south) {
      out[size] = upper | lower;
      size += (upper & lower) == 0;
    }
  }
  return size;
}

__attribute__((target("avx512f,popcnt"))) size_t AddProductsAvx512(
    std::span<const QueensDiagonals> north, std::span<const QueensDiagonals> south,
    QueensDiagonals middle, QueensDiagonals* out) {
  size_t size = 0;
  for (const QueensDiagonals above : north) {
    if ((above & middle) != 0) continue;
    const __m512i upper = _mm512_set1_epi64(static_cast<int64_t>(above | middle));
    for (size_t i = 0; i < south.size(); i += kLanes) {
      const size_t left = std::min(kLanes, south.size() - i);
      const auto some = static_cast<__mmask8>((1u << left) - 1);
      const __m512i lower = _mm512_maskz_loadu_epi64(some, south.data() + i);
      const __mmask8 good = _mm512_mask_testn_epi64_mask(some, upper, lower);
      _mm512_storeu_si512(
          out + size, _mm512_maskz_compress_epi64(good, _mm512_or_si512(upper, lower)));
      size += __builtin_popcount(good);
    }
  }
  return size;
}

}  // namespace

QueensHalfSplits::QueensHalfSplits(int side) {
  for (auto& by_queens : splits_) by_queens.resize(side + 1);
  const uint32_t all = (uint32_t{1} << side) - 1;
  for (uint32_t north = 0; north <= all; ++north) {
    const uint32_t rest = all & ~north;
    const int queens = std::popcount(north);
    splits_[false][queens].push_back({std::max(north, rest), north, rest, -1});
    for (uint32_t columns = rest; columns != 0; columns &= columns - 1) {
      const uint32_t south = rest & ~(columns & -columns);
      splits_[true][queens].push_back({std::max(north, south), north, south,
                                       static_cast<int8_t>(std::countr_zero(columns))});
    }
  }
  for (auto& by_queens : splits_) {
    for (auto& splits : by_queens) {
      std::stable_sort(splits.begin(), splits.end(),
                       [](const Split& a, const Split& b) { return a.rank < b.rank; });
    }
  }
}

QueensHalf::QueensHalf(const QueensQuarter& quarter, const QueensHalfSplits& splits,
                       int n, CpuPath path)
    : quarter_(quarter),
      splits_(splits),
      n_(n),
      add_products_(path == CpuPath::kAvx512 ? AddProductsAvx512 : AddProductsPlain) {}

void QueensHalf::Place(uint32_t rows) {
  size_ = 0;
  blocks_.clear();
  const int side = quarter_.side();
  const uint32_t north_rows = rows & ((uint32_t{1} << side) - 1);
  const uint32_t south_rows = rows >> (n_ - side);
  const bool middle_queen = n_ % 2 == 1 && (rows >> side & 1) != 0;
  const auto& north_rows_of = quarter_.Find(north_rows, &made_north_);
  const auto& south_rows_of = quarter_.Find(south_rows, &made_south_);
  for (const auto& split : splits_.Find(std::popcount(north_rows), middle_queen)) {
    const auto north = north_rows_of.Find(split.north);
    const auto south = south_rows_of.Find(split.south);
    if (north.empty() || south.empty()) continue;
    const size_t most = size_ + north.size() * south.size() + kLanes;
    if (placements_.size() < most) placements_.resize(most + most / 2);
    QueensDiagonals middle = 0;
    if (middle_queen) {
      middle = uint64_t{1} << (2 * side - 1 - split.middle_column) |
               uint64_t{1} << (32 + side + split.middle_column - Rising(n_));
    }
    if (north_.size() < north.size()) north_.resize(2 * north.size());
    if (south_.size() < south.size()) south_.resize(2 * south.size());
    for (size_t i = 0; i < north.size(); ++i) north_[i] = InNorth(north[i], n_);
    size_t count = 0;
    for (const QueensDiagonals placement : south) {
      south_[count] = InSouth(placement, n_);
      count += (south_[count] & middle) == 0;
    }
    if (blocks_.empty() || blocks_.back().rank != split.rank) {
      blocks_.push_back({split.rank, size_});
    }
    size_ += add_products_({north_.data(), north.size()}, {south_.data(), count},
                           middle, placements_.data() + size_);
  }
}

size_t QueensHalf::CountBelow(uint32_t limit) const {
  const auto block =
      std::lower_bound(blocks_.begin(), blocks_.end(), limit,
                       [](const Block& b, uint32_t rank) { return b.rank < rank; });
  return block == blocks_.end() ? size_ : block->begin;
}

}  // namespace skep
