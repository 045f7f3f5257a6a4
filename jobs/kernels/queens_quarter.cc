#include "jobs/kernels/queens_quarter.h"

namespace skep {

QueensQuarter::QueensQuarter(int side)
    : side_(side), begins_((size_t{1} << (2 * side)) + 1) {
  Enumerate(0, 0, 0, 0, [this](size_t key, QueensDiagonals) { ++begins_[key + 1]; });
  for (size_t key = 1; key < begins_.size(); ++key) begins_[key] += begins_[key - 1];
  placements_.resize(begins_.back());
  std::vector<uint32_t> next(begins_.begin(), begins_.end() - 1);
  Enumerate(0, 0, 0, 0, [this, &next](size_t key, QueensDiagonals diagonals) {
    placements_[next[key]++] = diagonals;
  });
}

// Calls add(key, diagonals) for each way to go on from `row`.
template <typename Add>
void QueensQuarter::Enumerate(int row, uint32_t taken_rows, uint32_t taken_columns,
                              QueensDiagonals diagonals, const Add& add) const {
  if (row == side_) {
    add(Key(taken_rows, taken_columns), diagonals);
    return;
  }
  Enumerate(row + 1, taken_rows, taken_columns, diagonals, add);
  for (int column = 0; column < side_; ++column) {
    const QueensDiagonals own =
        uint64_t{1} << (row - column + side_ - 1) | uint64_t{1} << (32 + row + column);
    if ((taken_columns >> column & 1) != 0 || (diagonals & own) != 0) continue;
    Enumerate(row + 1, taken_rows | 1u << row, taken_columns | 1u << column,
              diagonals | own, add);
  }
}

}  // namespace skep
