// N-Queens boards themselves rather than their number: the first solutions in the order
// of their columns, and the solutions that a turn of the board maps to themselves.
//
// With the latter, solutions are counted up to symmetry (OEIS A002562) by Burnside's
// lemma: of the eight symmetries of the square no mirror keeps a solution of n > 1 (a
// queen and its image would share a line), so the number of classes is
// (all + turned by 180 degrees + 2 * turned by 90 degrees) / 8.

#ifndef SKEP_JOBS_KERNELS_QUEENS_BOARDS_H_
#define SKEP_JOBS_KERNELS_QUEENS_BOARDS_H_

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"

namespace skep {

// board[row] is the column of the row's queen, both from 0.
using QueensBoard = std::vector<int>;

struct QueensSymmetries {
  uint64_t half_turn = 0;     // solutions that a turn by 180 degrees keeps: A032522
  uint64_t quarter_turn = 0;  // those among them that one by 90 degrees keeps: A033148
};

// Searches the upper half of the board, the lower one being its image: milliseconds up
// to n = 20, minutes at 27. InvalidArgument for a bad n; Cancelled when a stop was
// requested.
absl::StatusOr<QueensSymmetries> CountSymmetricQueens(int n, std::stop_token stop);

// The solutions up to symmetry, given the number of all.
uint64_t FundamentalQueens(int n, uint64_t solutions, const QueensSymmetries& kept);

// The first `limit` solutions in the order of their columns, fewer if there are no
// more. With `fundamental` only those that come first among their mirror images and
// turns. Errors as CountSymmetricQueens.
absl::StatusOr<std::vector<QueensBoard>> FirstQueensBoards(int n, size_t limit,
                                                           bool fundamental,
                                                           std::stop_token stop);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUEENS_BOARDS_H_
