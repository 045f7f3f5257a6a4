#include "jobs/kernels/queens_halves.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "jobs/kernels/pair_tables.h"
#include "jobs/kernels/queens_half.h"

namespace skep {
namespace {

uint32_t Reverse(uint32_t rows, int n) {
  uint32_t turned = 0;
  for (int i = 0; i < n; ++i) turned |= (rows >> i & 1) << (n - 1 - i);
  return turned;
}

// Masks of shared diagonals, those of placements that rank below a limit first, then
// those of that rank, then those above it.
class RankedMasks {
 public:
  std::span<const uint64_t> all() const { return {masks_.data(), above_end_}; }
  std::span<const uint64_t> below() const { return all().first(below_end_); }
  std::span<const uint64_t> equal() const {
    return all().subspan(below_end_, equal_end_ - below_end_);
  }
  std::span<const uint64_t> above() const { return all().subspan(equal_end_); }

  // Takes the placements that leave the diagonals of `clash` free. Of each direction
  // `shared` diagonals cross both halves; the masks hold those that start at bit
  // `first` and then those that start at `second`.
  void Take(const QueensHalf& half, QueensDiagonals clash, uint32_t limit, int shared,
            int first, int second) {
    const auto placements = half.placements();
    if (masks_.size() < placements.size()) masks_.resize(2 * placements.size());
    const size_t below = half.CountBelow(limit);
    const size_t not_above = half.CountBelow(limit + 1);
    const uint64_t mask = (uint64_t{1} << shared) - 1;
    size_t size = 0;
    const auto take = [&](std::span<const QueensDiagonals> some) {
      for (const QueensDiagonals placement : some) {
        masks_[size] =
            (placement >> first & mask) | (placement >> second & mask) << shared;
        size += (placement & clash) == 0;
      }
      return size;
    };
    below_end_ = take(placements.first(below));
    equal_end_ = take(placements.subspan(below, not_above - below));
    above_end_ = take(placements.subspan(not_above));
  }

 private:
  std::vector<uint64_t> masks_;
  size_t below_end_ = 0, equal_end_ = 0, above_end_ = 0;
};

}  // namespace

// Counts one choice of western rows after the other.
class QueensHalves::Worker {
 public:
  explicit Worker(const QueensHalves& board)
      : board_(board),
        n_(board.n_),
        side_(board.quarter_.side()),
        west_half_(board.quarter_, board.splits_, board.n_, board.path_),
        east_half_(board.quarter_, board.splits_, board.n_, board.path_),
        tables_(2 * (2 * side_ - 1), board.path_) {}

  uint64_t Count(uint32_t west_rows, std::span<const Family> families) {
    west_half_.Place(west_rows);
    if (west_half_.placements().empty()) return 0;
    uint64_t total = 0;
    for (const Family& family : families) {
      total += family.weight * Count(west_rows, family);
    }
    return total;
  }

 private:
  uint64_t Count(uint32_t west_rows, const Family& family) {
    east_half_.Place(family.east_rows);
    QueensDiagonals clash = 0;
    if (const int row = family.middle_row; row >= 0) {
      // The same from either side; the diagonals that leave the board at once are none
      // of a half's.
      if (row > 0) clash |= uint64_t{1} << (row - 1);
      if (row < n_ - 1) clash |= uint64_t{1} << (32 + row + side_);
    }
    // Seen from the east, falling diagonals rise and rising ones fall.
    const int shared = 2 * side_ - 1;
    const int rising = 32 + n_ - side_;
    const uint32_t limit =
        std::max(QuarterRank(west_rows), QuarterRank(family.east_rows));
    west_.Take(west_half_, clash, limit, shared, 0, rising);
    east_.Take(east_half_, clash, limit, shared, rising, 0);
    // Pairs with a placement that ranks above the limit count twice.
    return Pairs(east_.below(), {2, 1, 0}) + Pairs(east_.equal(), {2, 1, 1}) +
           Pairs(east_.above(), {2, 2, 2});
  }

  // Disjoint pairs of these eastern masks and the western ones that rank above the limit,
  // at it and below it, with the weights of the latter.
  uint64_t Pairs(std::span<const uint64_t> east, std::array<uint32_t, 3> weights) {
    uint64_t total = 0;
    while (!east.empty()) {
      const auto group = east.first(std::min(PairTables::kGroup, east.size()));
      tables_.Fill(group);
      total += weights[0] * tables_.Count(west_.above()) +
               weights[1] * tables_.Count(west_.equal());
      if (weights[2] != 0) total += weights[2] * tables_.Count(west_.below());
      east = east.subspan(group.size());
    }
    return total;
  }

  // The greater of the sets of rows that a half takes in the north and in the south,
  // each read from its corner of the board.
  uint32_t QuarterRank(uint32_t rows) const {
    const uint32_t north = rows & ((uint32_t{1} << side_) - 1);
    return std::max(north, Reverse(rows >> (n_ - side_), side_));
  }

  const QueensHalves& board_;
  const int n_;
  const int side_;
  QueensHalf west_half_, east_half_;
  RankedMasks west_, east_;
  PairTables tables_;
};

absl::StatusOr<std::unique_ptr<QueensHalves>> QueensHalves::Create(int n,
                                                                   CpuPath path) {
  if (n < kMinHalvesQueens || n > kMaxHalvesQueens) {
    return InvalidArgument("a board of ", n,
                           " queens: counting by halves needs a side of ",
                           kMinHalvesQueens, " to ", kMaxHalvesQueens);
  }
  return std::unique_ptr<QueensHalves>(new QueensHalves(n, path));
}

QueensHalves::QueensHalves(int n, CpuPath path)
    : n_(n), path_(path), quarter_(n / 2), splits_(n / 2) {
  const uint32_t all = (uint32_t{1} << n) - 1;
  for (uint32_t west = 0; west <= all; ++west) {
    if (std::popcount(west) != n / 2) continue;
    const size_t before = families_.size();
    if (n % 2 == 0) {
      AddFamily(west, all & ~west, -1);
    } else {
      for (uint32_t rest = all & ~west; rest != 0; rest &= rest - 1) {
        AddFamily(west, all & ~west & ~(rest & -rest), std::countr_zero(rest));
      }
    }
    if (families_.size() > before) sets_.push_back({west, families_.size()});
  }
}

// Adds the choice unless one of its images comes first.
void QueensHalves::AddFamily(uint32_t west_rows, uint32_t east_rows, int middle_row) {
  const uint32_t west_turned = Reverse(west_rows, n_);
  const uint32_t east_turned = Reverse(east_rows, n_);
  std::array<std::pair<uint32_t, uint32_t>, 4> images = {
      {{west_rows, east_rows},
       {east_rows, west_rows},
       {west_turned, east_turned},
       {east_turned, west_turned}}};
  const auto own = images[0];
  std::sort(images.begin(), images.end());
  if (images[0] != own) return;
  const auto end = std::unique(images.begin(), images.end());
  families_.push_back(
      {east_rows, middle_row, static_cast<uint32_t>(end - images.begin())});
}

size_t QueensHalves::memory_used() const {
  return quarter_.memory_used() + sets_.size() * sizeof(RowSet) +
         families_.size() * sizeof(Family);
}

absl::StatusOr<uint64_t> QueensHalves::Count(size_t first, size_t last,
                                             std::stop_token stop) const {
  if (first > last || last > sets_.size()) {
    return OutOfRange("row sets ", first, " to ", last, " of a board of ", n_,
                      " queens, which has ", sets_.size());
  }
  Worker worker(*this);
  uint64_t total = 0;
  for (size_t i = first; i < last; ++i) {
    if (stop.stop_requested()) return Cancelled("counting the queens was told to stop");
    const size_t begin = i == 0 ? 0 : sets_[i - 1].end;
    total += worker.Count(
        sets_[i].west_rows,
        std::span(families_).subspan(begin, sets_[i].end - begin));
  }
  return total;
}

absl::StatusOr<std::shared_ptr<const QueensHalves>> SharedQueensHalves(int n) {
  struct Last {
    Mutex mutex;
    int n ABSL_GUARDED_BY(mutex) = 0;
    std::shared_ptr<const QueensHalves> board ABSL_GUARDED_BY(mutex);
  };
  static Last& last = *new Last;  // never destroyed: threads may outlive main
  // Held while the board is made: whoever wants the same one would make it too.
  MutexLock lock(last.mutex);
  if (last.n != n) {
    SKEP_ASSIGN_OR_RETURN(last.board, QueensHalves::Create(n));
    last.n = n;
  }
  return last.board;
}

}  // namespace skep
