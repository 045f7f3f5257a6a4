// N-Queens by meeting in the middle: far fewer steps than any search.
//
// Cut the board into a west and an east part of columns. Choose the rows S whose queens
// stand in the west; the rest stand in the east. Then the two parts share no row and no
// column, only diagonals: a solution is a placement of the west part and one of the
// east part whose masks of shared diagonals are disjoint. The placements of a part, for
// given rows, are the products of two quarters (the rows of the upper and of the lower
// half of the board) that do not clash; all partial placements of a quarter are
// enumerated once and found by their rows and columns. Disjoint pairs are counted 512
// at a time: the masks of one side are turned into tables that tell, for each five bits
// of a mask of the other side, which of 512 are disjoint from them.
//
// Mirror images: turning the board upside down turns S around; for even n exchanging
// east and west complements it. Only one set of each such family is counted, with its
// weight. The idea of quarters and of transposed groups is that of the fastest public
// programs; that halves need not be equal, so that odd boards are no special case, is
// ours.

#ifndef SKEP_JOBS_KERNELS_QUEENS_HALVES_H_
#define SKEP_JOBS_KERNELS_QUEENS_HALVES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "base/cpu_path.h"

namespace skep {

// The diagonals of a half board must fit 32 bits, and the tables memory.
inline constexpr int kMinHalvesQueens = 4;
inline constexpr int kMaxHalvesQueens = 21;

// The quarters of one board: built once, then shared by any number of threads.
class QueensHalves {
 public:
  // Takes milliseconds at n = 16. InvalidArgument for an n out of range.
  static absl::StatusOr<std::unique_ptr<QueensHalves>> Create(
      int n, CpuPath path = BestCpuPath());
  ~QueensHalves();

  // The work: row sets, one for each family of mirror images, numbered from 0. They
  // differ in cost; ranges of a few hundred are even.
  size_t size() const { return sets_.size(); }

  // The solutions of the row sets first .. last - 1 and of their mirror images. The sum
  // over disjoint ranges that cover 0 .. size() - 1 is the total. OutOfRange for a bad
  // range; Cancelled when a stop was requested (looked at between row sets).
  absl::StatusOr<uint64_t> Count(size_t first, size_t last, std::stop_token stop) const;

  // Bytes that the tables take.
  size_t memory_used() const;

 private:
  class Quarter;
  struct RowSet {
    uint32_t west_rows;
    uint32_t weight;  // mirror images, itself included
  };
  struct Scratch {
    std::vector<uint64_t> west, east;
  };

  QueensHalves(int n, CpuPath path);

  uint64_t CountSet(uint32_t west_rows, Scratch* scratch) const;
  // All placements of a part (its upper and lower quarter) with queens in these rows,
  // as masks of the diagonals within the part.
  static void Combine(const Quarter& upper, const Quarter& lower, uint32_t rows,
                      std::vector<uint64_t>* out);

  const int n_;
  const CpuPath path_;
  std::unique_ptr<Quarter> north_west_, north_east_, south_west_, south_east_;
  std::vector<RowSet> sets_;
};

// The board of that side, made at most once while it is the last one asked for: for
// tasks that each count a range. Thread-safe. shared_ptr, because the next side
// replaces a board that others may still be counting on.
absl::StatusOr<std::shared_ptr<const QueensHalves>> SharedQueensHalves(int n);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUEENS_HALVES_H_
