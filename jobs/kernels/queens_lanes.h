// N-Queens by backtracking, sixteen boards at a time: what n_queens.h does where there
// is AVX-512.
//
// A lane is a board whose first rows are filled: three words of attacks. For a vector
// of boards with the same number of rows left, each takes the lowest free square of its
// next row, all at once, again and again until none has one; children that still have a
// free square in the rows ahead are compressed into the pile of boards with one row
// less. Of the piles that hold a whole vector the deepest is next, so that lanes are
// full nearly always and piles stay small enough for the innermost cache.

#ifndef SKEP_JOBS_KERNELS_QUEENS_LANES_H_
#define SKEP_JOBS_KERNELS_QUEENS_LANES_H_

#include <cstdint>
#include <stop_token>

namespace skep {

// Fewer rows are not worth it.
inline constexpr int kMinLaneRows = 6;

// Solutions of a board whose columns are the bits of `board` and of which the last
// `rows` rows, kMinLaneRows to 32, are open; `columns`, `rising` and `falling` are
// attacked in the first of them, as in n_queens.cc. *stopped: a stop was requested,
// looked at every millisecond or so, and the count is of no use. Wants AVX-512 F.
uint64_t CountQueensInLanes(uint32_t board, int rows, uint32_t columns, uint32_t rising,
                            uint32_t falling, const std::stop_token& stop,
                            bool* stopped);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUEENS_LANES_H_
