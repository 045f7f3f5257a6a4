// All placements of queens in the western half of a board with a queen in each of given
// rows, as products of two quarters.

#ifndef SKEP_JOBS_KERNELS_QUEENS_HALF_H_
#define SKEP_JOBS_KERNELS_QUEENS_HALF_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/cpu_path.h"
#include "jobs/kernels/queens_quarter.h"

namespace skep {

// How the columns of a half can be shared out between its north, its south and the
// middle row of an odd board: in the order of their rank, the greater of the sets of
// columns of north and south, read as numbers. Immutable.
class QueensHalfSplits {
 public:
  struct Split {
    uint32_t rank;
    uint32_t north, south;
    int8_t middle_column;  // -1: no queen in the middle row
  };

  // A half has `side` columns.
  explicit QueensHalfSplits(int side);
  // Those with so many queens in the north, and one or none in the middle row.
  std::span<const Split> Find(int north_queens, bool middle_queen) const {
    return splits_[middle_queen][north_queens];
  }

 private:
  std::array<std::vector<std::vector<Split>>, 2> splits_;
};

// The western columns of a board of n rows: half of them, without the middle one of an
// odd board. The eastern half is its mirror image, so this serves both.
//
// Of its diagonals only those are told that may cross the middle row or column: others
// lie in one quarter, whose queens are known not to clash. Rows and columns counted
// from the corner of the board, the falling ones are row - column + side - 1, below
// 2 side; the rising ones row + column - Rising(n), below 2 side as well.
//
// The rank of a placement is that of its columns' split.
class QueensHalf {
 public:
  static constexpr int Rising(int n) { return n - n / 2 - 1; }

  // `quarter` and `splits` have the side n / 2 and are borrowed.
  QueensHalf(const QueensQuarter& quarter, const QueensHalfSplits& splits, int n,
             CpuPath path);

  // Makes the placements with queens in exactly these rows, a set of n / 2 bits.
  void Place(uint32_t rows);

  // In the order of their rank.
  std::span<const QueensDiagonals> placements() const {
    return {placements_.data(), size_};
  }
  // How many of them rank below the limit.
  size_t CountBelow(uint32_t limit) const;

 private:
  using AddProducts = size_t (*)(std::span<const QueensDiagonals> north,
                                 std::span<const QueensDiagonals> south,
                                 QueensDiagonals middle, QueensDiagonals* out);
  struct Block {
    uint32_t rank;
    size_t begin;
  };

  const QueensQuarter& quarter_;
  const QueensHalfSplits& splits_;
  const int n_;
  const AddProducts add_products_;
  std::vector<QueensDiagonals> placements_;  // the first size_ of them
  size_t size_ = 0;
  std::vector<Block> blocks_;
  QueensQuarter::Made made_north_, made_south_;
  std::vector<QueensDiagonals> north_, south_;  // quarters' placements, as the half's
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUEENS_HALF_H_
