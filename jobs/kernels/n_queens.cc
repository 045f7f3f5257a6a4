#include "jobs/kernels/n_queens.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "jobs/kernels/queens_lanes.h"

namespace skep {
namespace {

// What the queens so far attack in the row that comes next. Bit c is column c; from
// row to row the rising diagonals move one column up and the falling ones one down.
struct Attacks {
  uint32_t columns = 0;
  uint32_t rising = 0;
  uint32_t falling = 0;

  uint32_t All() const { return columns | rising | falling; }
  Attacks Place(uint32_t queen) const {
    return {columns | queen, (rising | queen) << 1, (falling | queen) >> 1};
  }
};

// Extends `prefix` by queens in the columns of `allowed` (this row only) until it has
// `depth` of them.
void Enumerate(const Attacks& attacks, uint32_t allowed, int depth,
               QueensPrefix* prefix, std::vector<QueensPrefix>* out) {
  const int row = static_cast<int>(prefix->columns.size());
  if (row == depth) {
    out->push_back(*prefix);
    return;
  }
  const uint32_t board = (uint32_t{1} << prefix->n) - 1;
  for (uint32_t free = board & allowed & ~attacks.All(); free != 0; free &= free - 1) {
    prefix->columns.push_back(__builtin_ctz(free));
    Enumerate(attacks.Place(free & -free), board, depth, prefix, out);
    prefix->columns.pop_back();
  }
}

}  // namespace

absl::Status CheckQueens(int n) {
  if (n >= kMinQueens && n <= kMaxQueens) return absl::OkStatus();
  return InvalidArgument("a board of ", n, " queens: the side must be ", kMinQueens,
                         " to ", kMaxQueens);
}

std::vector<QueensPrefix> QueensPrefixes(int n, int depth) {
  depth = std::clamp(depth, 1, n);
  std::vector<QueensPrefix> prefixes;
  const uint32_t left_half = (uint32_t{1} << (n / 2)) - 1;
  QueensPrefix prefix{.n = n, .weight = 2};
  Enumerate(Attacks{}, left_half, depth, &prefix, &prefixes);
  if (n % 2 == 1) {
    // With the first queen in the middle column the second one is in the left or the
    // right half, never in the middle; without a second row nothing can be doubled.
    const uint32_t middle = left_half + 1;
    prefix.columns = {n / 2};
    prefix.weight = depth == 1 ? 1 : 2;
    Enumerate(Attacks{}.Place(middle), left_half, depth, &prefix, &prefixes);
  }
  return prefixes;
}

absl::StatusOr<uint64_t> CountQueens(const QueensPrefix& prefix, std::stop_token stop,
                                     CpuPath path) {
  SKEP_RETURN_IF_ERROR(CheckQueens(prefix.n));
  Attacks attacks;
  for (size_t row = 0; row < prefix.columns.size(); ++row) {
    const int column = prefix.columns[row];
    if (row >= prefix.n || column < 0 || column >= prefix.n) {
      return InvalidArgument("a queen in row ", row, ", column ", column,
                             " is off a board of ", prefix.n);
    }
    const uint32_t queen = uint32_t{1} << column;
    if ((attacks.All() & queen) != 0) {
      return InvalidArgument("the queen in row ", row, ", column ", column,
                             " attacks one in a row before it");
    }
    attacks = attacks.Place(queen);
  }
  const int rows = prefix.n - static_cast<int>(prefix.columns.size());
  const uint32_t board = (uint32_t{1} << prefix.n) - 1;
  if (rows == 0) return 1;
  if (rows == 1) return (board & ~attacks.All()) != 0 ? 1 : 0;
  bool stopped = false;
  const uint64_t count = CountQueensInLanes(
      {rows, board & ~attacks.columns, attacks.rising, attacks.falling}, stop, &stopped,
      path);
  if (stopped) return Cancelled("counting the queens was told to stop");
  return count;
}

absl::StatusOr<uint64_t> CountQueensSubproblem(int n, int first, int second,
                                               std::stop_token stop) {
  SKEP_RETURN_IF_ERROR(CheckQueens(n));
  QueensPrefix prefix{.n = n, .columns = {first}};
  if (second != -1) {
    const bool off_board = second < 0 || second >= n;
    if (!off_board && second >= first - 1 && second <= first + 1) return 0;
    prefix.columns.push_back(second);
  }
  return CountQueens(prefix, std::move(stop));
}

}  // namespace skep
