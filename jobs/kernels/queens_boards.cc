#include "jobs/kernels/queens_boards.h"

#include <bit>
#include <utility>

#include "base/status.h"
#include "jobs/kernels/n_queens.h"

namespace skep {
namespace {

// A search visits tens of millions of squares a second; this looks up from it every few
// milliseconds.
constexpr uint64_t kStepsBetweenLooks = 1 << 16;

// A board under construction. Falling diagonals are numbered column - row + n - 1,
// rising ones column + row.
class Search {
 public:
  Search(int n, std::stop_token stop)
      : n_(n), all_((uint32_t{1} << n) - 1), board_(n), stop_(std::move(stop)) {}

  bool stopped() const { return stopped_; }

 protected:
  uint32_t Free(int row) const {
    const auto falling = static_cast<uint32_t>(falling_ >> (n_ - 1 - row));
    const auto rising = static_cast<uint32_t>(rising_ >> row);
    return all_ & ~(columns_ | falling | rising);
  }

  // Puts a queen there, or takes it away.
  void Toggle(int row, int column) {
    columns_ ^= uint32_t{1} << column;
    falling_ ^= uint64_t{1} << (column - row + n_ - 1);
    rising_ ^= uint64_t{1} << (column + row);
    board_[row] = column;
  }

  bool GoOn() {
    if (++steps_ % kStepsBetweenLooks == 0) stopped_ = stop_.stop_requested();
    return !stopped_;
  }

  const int n_;
  const uint32_t all_;
  QueensBoard board_;

 private:
  uint32_t columns_ = 0;
  uint64_t falling_ = 0;
  uint64_t rising_ = 0;
  const std::stop_token stop_;
  uint64_t steps_ = 0;
  bool stopped_ = false;
};

class SymmetricSearch final : public Search {
 public:
  using Search::Search;

  QueensSymmetries Run() {
    if (n_ % 2 == 1) Toggle(n_ / 2, n_ / 2);  // the only square that stays in its row
    Place(0);
    return found_;
  }

 private:
  void Place(int row) {
    if (row == n_ / 2) {
      ++found_.half_turn;
      found_.quarter_turn += IsKeptByQuarterTurn();
      return;
    }
    const int last = n_ - 1;
    // On a long diagonal, or in the middle column, a queen would attack its image.
    uint32_t free = Free(row) & ~(uint32_t{1} << row | uint32_t{1} << (last - row));
    if (n_ % 2 == 1) free &= ~(uint32_t{1} << (n_ / 2));
    for (; free != 0 && GoOn(); free &= free - 1) {
      const int column = std::countr_zero(free);
      Toggle(row, column);
      Toggle(last - row, last - column);
      Place(row + 1);
      Toggle(last - row, last - column);
      Toggle(row, column);
    }
  }

  bool IsKeptByQuarterTurn() const {
    for (int row = 0; row < n_; ++row) {
      if (board_[board_[row]] != n_ - 1 - row) return false;
    }
    return true;
  }

  QueensSymmetries found_;
};

// Whether no mirror image or turn of the board comes before it.
bool IsFirstOfItsImages(const QueensBoard& board) {
  const int last = static_cast<int>(board.size()) - 1;
  QueensBoard turned = board, mirrored(board.size());
  for (int turns = 0; turns < 4; ++turns) {
    QueensBoard next(board.size());
    for (int row = 0; row <= last; ++row) {
      mirrored[row] = last - turned[row];
      next[turned[row]] = last - row;
    }
    if (turned < board || mirrored < board) return false;
    turned = std::move(next);
  }
  return true;
}

class BoardSearch final : public Search {
 public:
  BoardSearch(int n, size_t limit, bool fundamental, std::stop_token stop)
      : Search(n, std::move(stop)), limit_(limit), fundamental_(fundamental) {}

  std::vector<QueensBoard> Run() {
    Place(0);
    return std::move(found_);
  }

 private:
  void Place(int row) {
    if (row == n_) {
      if (!fundamental_ || IsFirstOfItsImages(board_)) found_.push_back(board_);
      return;
    }
    uint32_t free = Free(row);
    for (; free != 0 && found_.size() < limit_ && GoOn(); free &= free - 1) {
      const int column = std::countr_zero(free);
      Toggle(row, column);
      Place(row + 1);
      Toggle(row, column);
    }
  }

  const size_t limit_;
  const bool fundamental_;
  std::vector<QueensBoard> found_;
};

}  // namespace

absl::StatusOr<QueensSymmetries> CountSymmetricQueens(int n, std::stop_token stop) {
  SKEP_RETURN_IF_ERROR(CheckQueens(n));
  SymmetricSearch search(n, std::move(stop));
  const QueensSymmetries found = search.Run();
  if (search.stopped()) return Cancelled("searching the boards was told to stop");
  return found;
}

uint64_t FundamentalQueens(int n, uint64_t solutions, const QueensSymmetries& kept) {
  if (n == 1) return solutions;  // the one board that mirrors keep, too
  return (solutions + kept.half_turn + 2 * kept.quarter_turn) / 8;
}

absl::StatusOr<std::vector<QueensBoard>> FirstQueensBoards(int n, size_t limit,
                                                           bool fundamental,
                                                           std::stop_token stop) {
  SKEP_RETURN_IF_ERROR(CheckQueens(n));
  BoardSearch search(n, limit, fundamental, std::move(stop));
  std::vector<QueensBoard> boards = search.Run();
  if (search.stopped()) return Cancelled("searching the boards was told to stop");
  return boards;
}

}  // namespace skep
