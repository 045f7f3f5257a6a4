// All placements of queens that do not attack one another in a quarter of a board, some
// of its rows and columns empty: the stock from which half boards are made.

#ifndef SKEP_JOBS_KERNELS_QUEENS_QUARTER_H_
#define SKEP_JOBS_KERNELS_QUEENS_QUARTER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skep {

// The diagonals that the queens of a part of a board take: bits 0 to 31 the falling
// ones, bits 32 to 63 the rising ones. In a quarter of `side` rows and columns, counted
// from its corner, row - column + side - 1 and row + column; in a half see
// queens_half.h.
using QueensDiagonals = uint64_t;

// The placements of one queen in each of given rows, by the columns that they take.
class QueensQuarterRows {
 public:
  // Of a square of `side` rows and columns, 1 to 13. Work space is the caller's.
  struct Placed {
    uint32_t columns;
    QueensDiagonals diagonals;
  };
  void Make(int side, uint32_t rows, std::vector<Placed>* work_space);

  // Those with a queen in each of these columns, as many as there are rows; empty if
  // there are none.
  std::span<const QueensDiagonals> Find(uint32_t columns) const {
    return {placements_.data() + begins_[columns],
            begins_[columns + 1] - begins_[columns]};
  }

  size_t memory_used() const {
    return begins_.capacity() * sizeof(uint32_t) +
           placements_.capacity() * sizeof(QueensDiagonals);
  }

 private:
  std::vector<uint32_t> begins_;  // by columns; into placements_
  std::vector<QueensDiagonals> placements_;
};

// The placements for all sets of rows: a table where that is small, else made when
// asked for. Immutable.
class QueensQuarter {
 public:
  // 57 MB; a table for the next side would take seven times as much, and what is made
  // instead costs a few hundredths of what is done with it.
  static constexpr int kMaxTableSide = 10;

  // The last rows that were asked for of a quarter without a table. One a thread and
  // place.
  struct Made {
    bool any = false;
    uint32_t rows = 0;
    QueensQuarterRows placements;
    std::vector<QueensQuarterRows::Placed> work_space;
  };

  // A square of `side` rows and columns, 1 to 13.
  explicit QueensQuarter(int side, int max_table_side = kMaxTableSide);

  int side() const { return side_; }

  // Valid until *made is used again.
  const QueensQuarterRows& Find(uint32_t rows, Made* made) const;

  size_t memory_used() const;

 private:
  const int side_;
  std::vector<QueensQuarterRows> table_;  // by rows; empty: none
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUEENS_QUARTER_H_
