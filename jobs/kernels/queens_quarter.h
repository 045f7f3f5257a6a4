// All placements of queens that do not attack one another in a quarter of a board, some
// of its rows and columns empty: the stock from which half boards are made.

#ifndef SKEP_JOBS_KERNELS_QUEENS_QUARTER_H_
#define SKEP_JOBS_KERNELS_QUEENS_QUARTER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skep {

// The diagonals that the queens of a part of a board take, rows and columns counted
// from its corner: bits 0 to 31 the falling ones (row - column + side - 1), bits 32 to
// 63 the rising ones (row + column), where `side` is that of a quarter.
using QueensDiagonals = uint64_t;

// Immutable.
class QueensQuarter {
 public:
  // A square of `side` rows and columns, at most 11: 60 MB at 10, 400 MB at 11.
  explicit QueensQuarter(int side);

  int side() const { return side_; }

  // The placements of one queen in each of these rows and each of these columns, given
  // as sets of bits of the same size; empty if there are none.
  std::span<const QueensDiagonals> Find(uint32_t rows, uint32_t columns) const {
    const size_t key = Key(rows, columns);
    return {placements_.data() + begins_[key], begins_[key + 1] - begins_[key]};
  }

  size_t memory_used() const {
    return begins_.size() * sizeof(uint32_t) +
           placements_.size() * sizeof(QueensDiagonals);
  }

 private:
  size_t Key(uint32_t rows, uint32_t columns) const {
    return static_cast<size_t>(rows) << side_ | columns;
  }
  template <typename Add>
  void Enumerate(int row, uint32_t taken_rows, uint32_t taken_columns,
                 QueensDiagonals diagonals, const Add& add) const;

  const int side_;
  std::vector<uint32_t> begins_;  // by key; into placements_
  std::vector<QueensDiagonals> placements_;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUEENS_QUARTER_H_
