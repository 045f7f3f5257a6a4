// N-Queens: the number of ways to put n queens on an n x n board, none attacking
// another (OEIS A000170), cut into independent subproblems.
//
// A subproblem is a prefix: the columns of the queens in the first rows. The mirror
// image of a solution is a solution, so only boards whose first queen stands in the
// left half are enumerated, and count twice. The middle column of an odd board is its
// own mirror image: there the second queen decides. Summing weight * count over the
// prefixes of one board, at any depth, gives the total:
//
//   uint64_t total = 0;
//   for (const QueensPrefix& prefix : QueensPrefixes(16, 2)) {
//     SKEP_ASSIGN_OR_RETURN(const uint64_t count, CountQueens(prefix, stop));
//     total += prefix.weight * count;
//   }
//
// Everything here is thread-safe; nothing is shared between calls.

#ifndef SKEP_JOBS_KERNELS_N_QUEENS_H_
#define SKEP_JOBS_KERNELS_N_QUEENS_H_

#include <cstdint>
#include <stop_token>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cpu_path.h"

namespace skep {

// The largest board whose total is known (2.3e17, it fits in 64 bits); the next one
// would take this algorithm millennia.
inline constexpr int kMinQueens = 1;
inline constexpr int kMaxQueens = 27;

struct QueensPrefix {
  int n = 0;                 // the side of the board
  int weight = 1;            // 2 when the mirror image is counted along, else 1
  std::vector<int> columns;  // 0-based; columns[i] is the queen of row i

  bool operator==(const QueensPrefix&) const = default;
};

// InvalidArgument unless kMinQueens <= n <= kMaxQueens.
absl::Status CheckQueens(int n);

// All prefixes of `depth` queens that do not attack one another, half of the board by
// mirror symmetry, in the order of their columns. Requires a valid n and
// 1 <= depth; a depth over n means n. At depth 2 a board of 16 has 98 prefixes, at
// depth 3 about 1,100; they differ in cost by a factor of about two.
std::vector<QueensPrefix> QueensPrefixes(int n, int depth);

// The number of solutions that continue the prefix, not multiplied by its weight.
// InvalidArgument for a bad n, a column off the board or queens that attack one
// another; Cancelled when a stop was requested (looked at every few milliseconds).
// Sixteen, eight or four boards go side by side, by the path (queens_lanes.h).
absl::StatusOr<uint64_t> CountQueens(const QueensPrefix& prefix, std::stop_token stop,
                                     CpuPath path = BestCpuPath());

// The subproblem of nqueens.NQueensService: the solutions whose queen in the first row
// stands in column `first` and, unless `second` is -1, that of the second row in column
// `second`. Nothing is doubled: a client sums columns 0 .. ceil(n/2) - 1 and doubles
// all but the middle one of an odd board. A pair of queens that attack one another has
// no solution: 0, not an error. Errors as CountQueens.
absl::StatusOr<uint64_t> CountQueensSubproblem(int n, int first, int second,
                                               std::stop_token stop);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_N_QUEENS_H_
