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
#include "jobs/kernels/ranked_masks.h"

namespace skep {
namespace {

static_assert(kQueensHalvesNeed == kPairTablesNeed);

uint32_t Reverse(uint32_t rows, int n) {
  const auto swap = [&rows](int distance, uint32_t mask) {
    rows = (rows >> distance & mask) | (rows & mask) << distance;
  };
  swap(1, 0x55555555);
  swap(2, 0x33333333);
  swap(4, 0x0f0f0f0f);
  return __builtin_bswap32(rows) >> (32 - n);
}

}  // namespace

// Counts one choice of western rows after the other.
class QueensHalves::Worker {
 public:
  Worker(const QueensHalves& board, const std::stop_token& stop)
      : board_(board),
        stop_(stop),
        n_(board.n_),
        side_(board.quarter_.side()),
        west_half_(board.quarter_, board.splits_, board.n_, board.path_),
        east_half_(board.quarter_, board.splits_, board.n_, board.path_),
        west_({Shared(), 0, Rising()}, false, board.path_),
        east_({Shared(), Rising(), 0}, true, board.path_),
        tables_(2 * Shared(), board.path_) {}

  // Of no use if a stop was requested meanwhile.
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
      if (row < n_ - 1) clash |= uint64_t{1} << (32 + row + side_ - QueensHalf::Rising(n_));
    }
    const uint32_t limit =
        std::max(QuarterRank(west_rows), QuarterRank(family.east_rows));
    const size_t placements = east_half_.placements().size();
    const int key_bits =
        placements < board_.sort_from_ ? 0 : RankedMasks::KeyBitsFor(placements);
    west_.Take(west_half_, clash, limit, key_bits);
    east_.Take(east_half_, clash, limit, key_bits);
    // Pairs with a placement that ranks above the limit count twice.
    return Pairs(RankedMasks::kBelow, {0, 1, 2}) +
           Pairs(RankedMasks::kEqual, {1, 1, 2}) +
           Pairs(RankedMasks::kAbove, {2, 2, 2});
  }

  // Disjoint pairs of the eastern masks of a section and the western ones, with the
  // weights of the latter's sections.
  uint64_t Pairs(RankedMasks::Section section, std::array<uint32_t, 3> weights) {
    uint64_t total = 0;
    uint32_t bucket = 0;  // that of `begin`
    const size_t end = east_.begin(section, east_.buckets());
    for (size_t begin = east_.begin(section, 0); begin < end && !stop_.stop_requested();) {
      const size_t group_end = std::min(begin + PairTables::kGroup, end);
      // The bits that all keys of the group have: western masks with one of them are
      // disjoint from nothing in it.
      uint32_t common = ~0u;
      while (east_.begin(section, bucket + 1) <= begin) ++bucket;
      for (uint32_t b = bucket; east_.begin(section, b) < group_end; ++b) {
        common &= east_.Key(b);
        if (b + 1 == east_.buckets()) break;
      }
      tables_.Fill({east_.all() + begin, group_end - begin});
      for (const auto west :
           {RankedMasks::kBelow, RankedMasks::kEqual, RankedMasks::kAbove}) {
        if (weights[west] != 0) total += weights[west] * CountAgainst(west, common);
      }
      begin = group_end;
    }
    return total;
  }

  // The pairs of the tables and a section of the western masks.
  uint64_t CountAgainst(RankedMasks::Section section, uint32_t common) const {
    uint64_t total = 0;
    // A western bucket is its key, and those that the common bits leave are sums of the
    // other bits: runs of the lowest of these, behind each sum of the rest.
    const uint32_t free = (west_.buckets() - 1) & ~common;
    const uint32_t run = 1u << std::countr_one(free);
    const uint32_t rest = free & ~(run - 1);
    uint32_t bucket = 0;
    do {
      const size_t begin = west_.begin(section, bucket);
      const size_t end = west_.begin(section, bucket + run);
      if (begin < end) total += tables_.Count({west_.all() + begin, end - begin});
      bucket = (bucket - rest) & rest;  // the next sum
    } while (bucket != 0);
    return total;
  }

  // The greater of the sets of rows that a half takes in the north and in the south,
  // each read from its corner of the board.
  uint32_t QuarterRank(uint32_t rows) const {
    const uint32_t north = rows & ((uint32_t{1} << side_) - 1);
    return std::max(north, Reverse(rows >> (n_ - side_), side_));
  }

  // The diagonals of each direction that cross both halves, and where those that rise
  // begin. Seen from the east, falling ones rise and rising ones fall.
  int Shared() const { return 2 * side_ - 1; }
  int Rising() const { return 32 + n_ - side_ - QueensHalf::Rising(n_); }

  const QueensHalves& board_;
  const std::stop_token& stop_;
  const int n_;
  const int side_;
  QueensHalf west_half_, east_half_;
  RankedMasks west_, east_;
  PairTables tables_;
};

absl::StatusOr<std::unique_ptr<QueensHalves>> QueensHalves::Create(
    int n, CpuPath path, size_t sort_from) {
  if (n < kMinHalvesQueens || n > kMaxHalvesQueens) {
    return InvalidArgument("a board of ", n,
                           " queens: counting by halves needs a side of ",
                           kMinHalvesQueens, " to ", kMaxHalvesQueens);
  }
  return std::unique_ptr<QueensHalves>(new QueensHalves(n, path, sort_from));
}

QueensHalves::QueensHalves(int n, CpuPath path, size_t sort_from)
    : n_(n), path_(path), sort_from_(sort_from), quarter_(n / 2), splits_(n / 2) {
  const uint32_t end = uint32_t{1} << n;
  for (uint32_t west = (uint32_t{1} << n / 2) - 1; west < end;) {
    // One that is turned upside down to a smaller one has no families.
    if (west <= Reverse(west, n) && !FamiliesOf(west).empty()) sets_.push_back(west);
    // The next set of as many bits (Warren, Hacker's Delight, section 2-1).
    const uint32_t lowest = west & -west, carried = west + lowest;
    west = carried | (west ^ carried) / lowest >> 2;
  }
  // Scattered, so that ranges are alike: of sets that follow one another many are hard
  // or many are easy.
  std::sort(sets_.begin(), sets_.end(), [](uint32_t a, uint32_t b) {
    constexpr uint32_t kScatter = 0x9e3779b1;
    return a * kScatter < b * kScatter;
  });
}

std::vector<QueensHalves::Family> QueensHalves::FamiliesOf(uint32_t west_rows) const {
  std::vector<Family> families;
  const uint32_t rest = ((uint32_t{1} << n_) - 1) & ~west_rows;
  const auto add = [&](uint32_t east_rows, int middle_row) {
    const uint32_t weight = Weight(west_rows, east_rows);
    if (weight > 0) families.push_back({east_rows, middle_row, weight});
  };
  if (n_ % 2 == 0) {
    add(rest, -1);
  } else {
    for (uint32_t rows = rest; rows != 0; rows &= rows - 1) {
      add(rest & ~(rows & -rows), std::countr_zero(rows));
    }
  }
  return families;
}

// The images of a choice, itself included; 0 if one of them comes before it.
uint32_t QueensHalves::Weight(uint32_t west_rows, uint32_t east_rows) const {
  if (east_rows < west_rows) return 0;  // as are most
  const uint32_t west_turned = Reverse(west_rows, n_);
  const uint32_t east_turned = Reverse(east_rows, n_);
  std::array<std::pair<uint32_t, uint32_t>, 4> images = {
      {{west_rows, east_rows},
       {east_rows, west_rows},
       {west_turned, east_turned},
       {east_turned, west_turned}}};
  const auto own = images[0];
  std::sort(images.begin(), images.end());
  if (images[0] != own) return 0;
  return static_cast<uint32_t>(std::unique(images.begin(), images.end()) -
                               images.begin());
}

size_t QueensHalves::memory_used() const {
  return quarter_.memory_used() + sets_.size() * sizeof(uint32_t);
}

absl::StatusOr<uint64_t> QueensHalves::Count(size_t first, size_t last,
                                             std::stop_token stop) const {
  if (first > last || last > sets_.size()) {
    return OutOfRange("row sets ", first, " to ", last, " of a board of ", n_,
                      " queens, which has ", sets_.size());
  }
  Worker worker(*this, stop);
  uint64_t total = 0;
  for (size_t i = first; i < last && !stop.stop_requested(); ++i) {
    total += worker.Count(sets_[i], FamiliesOf(sets_[i]));
  }
  if (stop.stop_requested()) return Cancelled("counting the queens was told to stop");
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
