// N-Queens by backtracking, many boards at a time: what n_queens.h does on all but the
// smallest.
//
// A lane is a board whose first rows are filled: its open columns and two words of
// attacks. For a vector of boards with the same number of rows left, each takes the
// lowest free square of its next row, all at once, again and again until none has one;
// children that still have a free square in the rows ahead are packed into the pile of
// boards with one row less, without a branch. Of the piles that hold a whole vector the
// deepest is next, so that lanes are full nearly always and piles stay small enough for
// the innermost cache. A vector has sixteen lanes with AVX-512, eight with AVX2 and
// four with the SSE2 that every x86-64 has.

#ifndef SKEP_JOBS_KERNELS_QUEENS_LANES_H_
#define SKEP_JOBS_KERNELS_QUEENS_LANES_H_

#include <cstdint>
#include <stop_token>

#include "base/cpu_path.h"

namespace skep {

// A board of which the last `rows` rows, 2 to 32, are open, and so are the columns in
// `open`, one for each of these rows; `rising` and `falling` are the diagonals that are
// attacked in the first of them, as in n_queens.cc.
struct LanesBoard {
  int rows;
  uint32_t open, rising, falling;
};

// Its solutions. *stopped: a stop was requested, looked at every millisecond or so, and
// the count is of no use.
uint64_t CountQueensInLanes(const LanesBoard& board, const std::stop_token& stop,
                            bool* stopped, CpuPath path);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUEENS_LANES_H_
