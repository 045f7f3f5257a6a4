// N-Queens by coronal preplacement: the queens of the outermost ring first, then the
// rest by backtracking.
//
// Every solution has one queen in each of the four outer lines (one in a corner is in
// two of them). The placements of these queens are enumerated up to the eight
// symmetries of the square, each with the number of its images as weight, and the rows
// inside are filled by bit masks: an eighth of the boards of plain backtracking. T.
// Preusser and M. Engelhardt, Putting Queens in Carry Chains, No. 27 (2017) count n =
// 27 in this way, with a ring of two lines.
//
// It is here as a second way to a count, unlike those of n_queens.h and
// queens_halves.h.

#ifndef SKEP_JOBS_KERNELS_QUEENS_CORONAL_H_
#define SKEP_JOBS_KERNELS_QUEENS_CORONAL_H_

#include <cstdint>

namespace skep {

// The number of solutions. Requires 4 <= n <= kMaxQueens of n_queens.h.
uint64_t CountQueensByRing(int n);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUEENS_CORONAL_H_
