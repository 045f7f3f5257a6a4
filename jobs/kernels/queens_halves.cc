#include "jobs/kernels/queens_halves.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "jobs/kernels/disjoint_pairs.h"

namespace skep {

// All placements of queens that do not attack one another in a rectangle of rows and
// columns, some of its rows and columns empty, by the rows and columns that they take.
//
// A placement is a mask of the diagonals it takes within its part of the board: bits 0
// to 31 the falling ones (row - column + columns - 1), bits 32 to 63 the rising ones
// (row
// + column), rows counted from the top of the board and columns from the part's first.
class QueensHalves::Quarter {
 public:
  Quarter(int first_row, int rows, int columns)
      : first_row_(first_row),
        rows_(rows),
        columns_(columns),
        begins_((size_t{1} << (rows + columns)) + 1) {
    Enumerate(0, 0, 0, 0, [this](size_t key, uint64_t) { ++begins_[key + 1]; });
    for (size_t key = 1; key < begins_.size(); ++key) begins_[key] += begins_[key - 1];
    placements_.resize(begins_.back());
    std::vector<uint32_t> next(begins_.begin(), begins_.end() - 1);
    Enumerate(0, 0, 0, 0, [this, &next](size_t key, uint64_t diagonals) {
      placements_[next[key]++] = diagonals;
    });
  }

  int rows() const { return rows_; }
  int columns() const { return columns_; }

  std::span<const uint64_t> Find(uint32_t rows, uint32_t columns) const {
    const size_t key = Key(rows, columns);
    return {placements_.data() + begins_[key], begins_[key + 1] - begins_[key]};
  }

  size_t memory_used() const {
    return begins_.size() * sizeof(uint32_t) + placements_.size() * sizeof(uint64_t);
  }

 private:
  size_t Key(uint32_t rows, uint32_t columns) const {
    return static_cast<size_t>(rows) << columns_ | columns;
  }

  // Calls add(key, diagonals) for each way to go on from `row`.
  template <typename Add>
  void Enumerate(int row, uint32_t taken_rows, uint32_t taken_columns,
                 uint64_t diagonals, const Add& add) {
    if (row == rows_) {
      add(Key(taken_rows, taken_columns), diagonals);
      return;
    }
    Enumerate(row + 1, taken_rows, taken_columns, diagonals, add);
    for (int column = 0; column < columns_; ++column) {
      const int board_row = first_row_ + row;
      const uint64_t own = uint64_t{1} << (board_row - column + columns_ - 1) |
                           uint64_t{1} << (32 + board_row + column);
      if ((taken_columns >> column & 1) != 0 || (diagonals & own) != 0) continue;
      Enumerate(row + 1, taken_rows | 1u << row, taken_columns | 1u << column,
                diagonals | own, add);
    }
  }

  const int first_row_;
  const int rows_;
  const int columns_;
  std::vector<uint32_t> begins_;  // by key; into placements_
  std::vector<uint64_t> placements_;
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

QueensHalves::~QueensHalves() = default;

QueensHalves::QueensHalves(int n, CpuPath path) : n_(n), path_(path) {
  const int west = n / 2, east = n - west;
  const int north = n / 2, south = n - north;
  north_west_ = std::make_unique<Quarter>(0, north, west);
  north_east_ = std::make_unique<Quarter>(0, north, east);
  south_west_ = std::make_unique<Quarter>(north, south, west);
  south_east_ = std::make_unique<Quarter>(north, south, east);

  const uint32_t all = (uint32_t{1} << n) - 1;
  for (uint32_t rows = 0; rows <= all; ++rows) {
    if (std::popcount(rows) != west) continue;
    uint32_t turned = 0;
    for (int i = 0; i < n; ++i) turned |= (rows >> i & 1) << (n - 1 - i);
    std::array<uint32_t, 4> images = {rows, turned, rows, turned};
    if (n % 2 == 0) images = {rows, turned, all & ~rows, all & ~turned};
    std::sort(images.begin(), images.end());
    if (images[0] != rows) continue;
    const auto end = std::unique(images.begin(), images.end());
    sets_.push_back({rows, static_cast<uint32_t>(end - images.begin())});
  }
}

size_t QueensHalves::memory_used() const {
  return north_west_->memory_used() + north_east_->memory_used() +
         south_west_->memory_used() + south_east_->memory_used() +
         sets_.size() * sizeof(RowSet);
}

absl::StatusOr<uint64_t> QueensHalves::Count(size_t first, size_t last,
                                             std::stop_token stop) const {
  if (first > last || last > sets_.size()) {
    return OutOfRange("row sets ", first, " to ", last, " of a board of ", n_,
                      " queens, which has ", sets_.size());
  }
  Scratch scratch;
  uint64_t total = 0;
  for (size_t i = first; i < last; ++i) {
    if (stop.stop_requested()) return Cancelled("counting the queens was told to stop");
    total += sets_[i].weight * CountSet(sets_[i].west_rows, &scratch);
  }
  return total;
}

void QueensHalves::Combine(const Quarter& upper, const Quarter& lower, uint32_t rows,
                           std::vector<uint64_t>* out) {
  const uint32_t upper_rows = rows & ((uint32_t{1} << upper.rows()) - 1);
  const uint32_t lower_rows = rows >> upper.rows();
  const uint32_t all_columns = (uint32_t{1} << upper.columns()) - 1;
  size_t size = 0;
  for (uint32_t columns = 0; columns <= all_columns; ++columns) {
    if (std::popcount(columns) != std::popcount(upper_rows)) continue;
    const auto above = upper.Find(upper_rows, columns);
    const auto below = lower.Find(lower_rows, all_columns & ~columns);
    if (out->size() < size + above.size() * below.size()) {
      out->resize(2 * (size + above.size() * below.size()));
    }
    // Without a branch: every pair is stored, and kept by moving the end past it.
    for (const uint64_t a : above) {
      for (const uint64_t b : below) {
        (*out)[size] = a | b;
        size += (a & b) == 0;
      }
    }
  }
  out->resize(size);
}

uint64_t QueensHalves::CountSet(uint32_t west_rows, Scratch* scratch) const {
  const uint32_t all_rows = (uint32_t{1} << n_) - 1;
  Combine(*north_west_, *south_west_, west_rows, &scratch->west);
  if (scratch->west.empty()) return 0;
  Combine(*north_east_, *south_east_, all_rows & ~west_rows, &scratch->east);

  // Of each direction n - 1 diagonals cross both parts. Counted from the first column
  // of its part, a falling one has number d in the west and d + east in the east, a
  // rising one d + west in the west and d in the east.
  const int west = north_west_->columns(), east = north_east_->columns();
  const int shared = n_ - 1;
  const uint64_t mask = (uint64_t{1} << shared) - 1;
  for (uint64_t& placement : scratch->west) {
    placement = (placement & mask) | (placement >> (32 + west) & mask) << shared;
  }
  for (uint64_t& placement : scratch->east) {
    placement = (placement >> east & mask) | (placement >> 32 & mask) << shared;
  }
  return CountDisjointPairs(scratch->west, scratch->east, 2 * shared, path_);
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
