#include "jobs/kernels/queens_half.h"

#include <algorithm>
#include <bit>

namespace skep {

void QueensHalf::Place(uint32_t rows) {
  size_ = 0;
  blocks_.clear();
  const int side = quarter_.side();
  const uint32_t all = (uint32_t{1} << side) - 1;
  const uint32_t north_rows = rows & all;
  const uint32_t south_rows = rows >> (n_ - side);
  const bool middle_row = n_ % 2 == 1 && (rows >> side & 1) != 0;
  for (uint32_t north = 0; north <= all; ++north) {
    if (std::popcount(north) != std::popcount(north_rows)) continue;
    const auto above = quarter_.Find(north_rows, north);
    if (above.empty()) continue;
    const uint32_t rest = all & ~north;
    if (!middle_row) {
      AddProducts(above, quarter_.Find(south_rows, rest), 0);
      blocks_.push_back({std::max(north, rest), size_});
      continue;
    }
    for (uint32_t columns = rest; columns != 0; columns &= columns - 1) {
      const int column = std::countr_zero(columns);
      const uint32_t south = rest & ~(1u << column);
      const QueensDiagonals middle = uint64_t{1} << (2 * side - 1 - column) |
                                     uint64_t{1} << (32 + side + column);
      AddProducts(above, quarter_.Find(south_rows, south), middle);
      blocks_.push_back({std::max(north, south), size_});
    }
  }
}

// Appends the placements of both quarters and of the queen in the middle row, if there
// is one, that do not clash.
void QueensHalf::AddProducts(std::span<const QueensDiagonals> north,
                             std::span<const QueensDiagonals> south,
                             QueensDiagonals middle) {
  const size_t most = size_ + north.size() * south.size();
  if (placements_.size() < most) placements_.resize(2 * most);
  if (shifted_.size() < south.size()) shifted_.resize(2 * south.size());
  size_t count = 0;
  for (const QueensDiagonals placement : south) {
    const QueensDiagonals moved = placement << (n_ - quarter_.side());
    shifted_[count] = moved;
    count += (moved & middle) == 0;
  }
  // Without a branch: every pair is stored, and kept by moving the end past it.
  for (const QueensDiagonals above : north) {
    if ((above & middle) != 0) continue;
    const QueensDiagonals upper = above | middle;
    for (size_t i = 0; i < count; ++i) {
      placements_[size_] = upper | shifted_[i];
      size_ += (upper & shifted_[i]) == 0;
    }
  }
}

}  // namespace skep
