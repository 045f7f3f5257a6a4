// All placements of queens in the western half of a board with a queen in each of given
// rows, as products of two quarters.

#ifndef SKEP_JOBS_KERNELS_QUEENS_HALF_H_
#define SKEP_JOBS_KERNELS_QUEENS_HALF_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "jobs/kernels/queens_quarter.h"

namespace skep {

// The western columns of a board of n rows: half of them, without the middle one of an
// odd board. The eastern half is its mirror image, so this serves both.
//
// A placement has a rank, which it shares with those that take the same columns in the
// north and in the south: the greater of these two sets, read as numbers. Placements of
// the same rank stand together.
class QueensHalf {
 public:
  struct Block {
    uint32_t rank;
    size_t end;  // in placements(); it begins where the one before ends
  };

  // `quarter` has the side n / 2 and is borrowed.
  QueensHalf(const QueensQuarter& quarter, int n) : quarter_(quarter), n_(n) {}

  // Makes the placements with queens in exactly these rows, a set of n / 2 bits.
  void Place(uint32_t rows);

  std::span<const QueensDiagonals> placements() const {
    return {placements_.data(), size_};
  }
  std::span<const Block> blocks() const { return blocks_; }

 private:
  void AddProducts(std::span<const QueensDiagonals> north,
                   std::span<const QueensDiagonals> south, QueensDiagonals middle);

  const QueensQuarter& quarter_;
  const int n_;
  std::vector<QueensDiagonals> placements_;  // the first size_ of them
  size_t size_ = 0;
  std::vector<Block> blocks_;
  std::vector<QueensDiagonals> shifted_;  // the southern quarter, where it stands
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUEENS_HALF_H_
