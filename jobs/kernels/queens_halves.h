// N-Queens by meeting in the middle: far fewer steps than any search.
//
// Cut the board into a western and an eastern half of columns (with the middle column of
// an odd board between them), and choose the rows W whose queens stand in the west and
// the row of the middle column's queen; the other rows E have theirs in the east. Then
// the halves share no row and no column, only diagonals: a solution is a placement of
// the western half and one of the eastern half whose masks of shared diagonals are
// disjoint, neither of them clashing with the middle column's queen. The placements of
// a half, for given rows, are the products of two quarters that do not clash
// (queens_half.h); disjoint pairs are counted 512 at a time (pair_tables.h).
//
// All eight symmetries of the board save work. Turning it upside down turns W and E
// around, and exchanging east and west exchanges them: of the up to four choices (W, E)
// that are images of one another one is counted, with its weight. Mirroring the board at
// its diagonal exchanges the choice of rows with the choice of columns whose queens
// stand in the north and in the south. Both have a rank, the greatest of the four sets
// of n / 2 bits that the four quarters take (each read from the corner of the board),
// which the other symmetries keep: so solutions whose columns rank above their rows
// count twice, those of equal rank once, and the others are never looked at. The rank
// of the columns is the greater of the ranks of the two placements, so that this leaves
// whole blocks of pairs.
//
// Of the pairs that are left most clash in one of the diagonals next to the middle, which
// are taken most often. So the masks of large halves are sorted by those (ranked_masks.h),
// and a group of 512 is tried only with masks that are free of the bits which all of the
// group have.
//
// The idea of quarters and of transposed groups is that of the fastest public programs;
// the symmetry by ranks, which serves odd boards as well, and the sorting are ours.

#ifndef SKEP_JOBS_KERNELS_QUEENS_HALVES_H_
#define SKEP_JOBS_KERNELS_QUEENS_HALVES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "base/cpu_path.h"
#include "jobs/kernels/queens_half.h"
#include "jobs/kernels/queens_quarter.h"

namespace skep {

inline constexpr int kMinHalvesQueens = 4;
inline constexpr int kMaxHalvesQueens = 27;

// Their CPU path is TakenCpuPath(path, kQueensHalvesNeed): that of pair_tables.h.
inline constexpr CpuExtra kQueensHalvesNeed = CpuExtra::kByteShuffles;

// The quarters of one board: built once, then shared by any number of threads. From 22
// on they are made as they are needed instead, which costs next to nothing there and
// keeps memory bounded: what a thread needs is the placements of two halves.
class QueensHalves {
 public:
  // Halves with fewer placements are not sorted: short runs of masks would cost more
  // than the pairs that are left out.
  static constexpr size_t kSortFrom = 16 << 10;

  // Takes milliseconds at n = 16, a tenth of a second at 20, seconds at 27.
  // InvalidArgument for an n out of range.
  static absl::StatusOr<std::unique_ptr<QueensHalves>> Create(
      int n, CpuPath path = BestCpuPath(), size_t sort_from = kSortFrom);

  // The work: choices of western rows, numbered from 0 in no order. They differ in cost;
  // ranges of a few hundred are even.
  size_t size() const { return sets_.size(); }
  uint32_t western_rows(size_t choice) const { return sets_[choice]; }

  // The solutions of the choices first .. last - 1 and of their images. The sum over
  // disjoint ranges that cover 0 .. size() - 1 is the total. OutOfRange for a bad range;
  // Cancelled when a stop was requested (looked at every few milliseconds, every
  // second at 27).
  absl::StatusOr<uint64_t> Count(size_t first, size_t last, std::stop_token stop) const;

  // Bytes that the tables take; each thread that counts takes more, for halves.
  size_t memory_used() const;

 private:
  // A choice of rows, up to symmetry.
  struct Family {
    uint32_t east_rows;
    int middle_row;   // of the middle column's queen; -1: there is no middle column
    uint32_t weight;  // images, itself included, but for the mirror at the diagonal
  };
  class Worker;

  QueensHalves(int n, CpuPath path, size_t sort_from);
  std::vector<Family> FamiliesOf(uint32_t west_rows) const;
  uint32_t Weight(uint32_t west_rows, uint32_t east_rows) const;

  const int n_;
  const CpuPath path_;
  const size_t sort_from_;
  const QueensQuarter quarter_;
  const QueensHalfSplits splits_;
  std::vector<uint32_t> sets_;  // western rows with families
};

// The board of that side, made at most once while it is the last one asked for: for
// tasks that each count a range. Thread-safe. shared_ptr, because the next side
// replaces a board that others may still be counting on.
absl::StatusOr<std::shared_ptr<const QueensHalves>> SharedQueensHalves(int n);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_QUEENS_HALVES_H_
