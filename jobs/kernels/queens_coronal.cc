#include "jobs/kernels/queens_coronal.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace skep {
namespace {

// The columns of the queens in the first and in the last row, the rows of those in the
// first and in the last column.
using Ring = std::array<int, 4>;
struct Queen {
  int row, column;
};

std::array<Queen, 4> QueensOf(int n, const Ring& ring) {
  return {{{0, ring[0]}, {n - 1, ring[1]}, {ring[2], 0}, {ring[3], n - 1}}};
}

bool Same(const Queen& a, const Queen& b) {
  return a.row == b.row && a.column == b.column;
}

// Whether each outer line holds one queen and none attacks another.
bool Fits(int n, const Ring& ring) {
  const std::array<Queen, 4> queens = QueensOf(n, ring);
  for (size_t i = 0; i < queens.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const int rows = std::abs(queens[i].row - queens[j].row);
      const int columns = std::abs(queens[i].column - queens[j].column);
      if (Same(queens[i], queens[j])) continue;  // a corner, by both its lines
      if (rows == 0 || columns == 0 || rows == columns) return false;
    }
  }
  return true;
}

// How many images a ring has under the symmetries of the square; 0 if one of them is
// less than it: that one stands for them all.
int ImagesIfLeast(int n, const Ring& ring) {
  int same = 0;
  Ring image = ring;
  for (int turn = 0; turn < 8; ++turn) {
    if (image < ring) return 0;
    same += image == ring;
    image = turn % 2 == 0
                ? Ring{image[2], image[3], image[0], image[1]}  // along the diagonal
                : Ring{n - 1 - image[0], n - 1 - image[1], image[3], image[2]};
  }
  return 8 / same;
}

// The rows inside a ring.
class Inside {
 public:
  Inside(int n, const Ring& ring) : n_(n) {
    const uint32_t board = (1u << n) - 1;
    free_.fill(board >> 2 << 1);  // not the outer columns
    for (const Queen& queen : QueensOf(n, ring)) {
      for (int row = 1; row < n - 1; ++row) {
        for (const int column : {queen.column - (row - queen.row), queen.column,
                                 queen.column + (row - queen.row)}) {
          if (column >= 0 && column < n) free_[row] &= ~(1u << column);
        }
      }
      done_[queen.row] = true;
    }
  }

  uint64_t Count() const { return CountFrom(1, 0, 0, 0); }

 private:
  uint64_t CountFrom(int row, uint32_t columns, uint32_t left, uint32_t right) const {
    while (row < n_ - 1 && done_[row]) {
      ++row;
      left <<= 1;
      right >>= 1;
    }
    if (row == n_ - 1) return 1;
    uint64_t count = 0;
    for (uint32_t free = free_[row] & ~(columns | left | right); free != 0;
         free &= free - 1) {
      const uint32_t queen = free & -free;
      count += CountFrom(row + 1, columns | queen, (left | queen) << 1,
                         (right | queen) >> 1);
    }
    return count;
  }

  int n_;
  std::array<uint32_t, 32> free_;  // by row, what the ring leaves
  std::array<bool, 32> done_ = {};
};

}  // namespace

uint64_t CountQueensByRing(int n) {
  uint64_t total = 0;
  for (int top = 0; top < n; ++top) {
    for (int bottom = 0; bottom < n; ++bottom) {
      for (int first = 0; first < n; ++first) {
        for (int last = 0; last < n; ++last) {
          const Ring ring = {top, bottom, first, last};
          const int images = ImagesIfLeast(n, ring);
          if (images > 0 && Fits(n, ring)) {
            total += static_cast<uint64_t>(images) * Inside(n, ring).Count();
          }
        }
      }
    }
  }
  return total;
}

}  // namespace skep
