#include "jobs/kernels/queens_boards.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "gtest/gtest.h"
#include "jobs/kernels/n_queens.h"

namespace skep {
namespace {

uint64_t CountAll(int n) {
  uint64_t total = 0;
  for (const QueensPrefix& prefix : QueensPrefixes(n, 1)) {
    total += prefix.weight * CountQueens(prefix, {}).value();
  }
  return total;
}

QueensBoard Turn(const QueensBoard& board) {
  QueensBoard turned(board.size());
  for (size_t row = 0; row < board.size(); ++row) {
    turned[board[row]] = static_cast<int>(board.size() - 1 - row);
  }
  return turned;
}

QueensBoard Mirror(QueensBoard board) {
  std::reverse(board.begin(), board.end());
  return board;
}

TEST(QueensBoards, SymmetricOnesAreTheKnownSequences) {
  // OEIS A032522 and A033148 from n = 1.
  const uint64_t half[] = {1,  0,  0,   2,   2,    4,    8,    4,     16,    12,
                           48, 80, 136, 420, 1240, 3000, 8152, 18104, 44184, 144620};
  const uint64_t quarter[] = {1, 0, 0, 2, 2, 0,  0,   0, 0, 0,
                              0, 8, 8, 0, 0, 64, 128, 0, 0, 480};
  for (int n = 1; n <= 20; ++n) {
    const QueensSymmetries found = CountSymmetricQueens(n, {}).value();
    EXPECT_EQ(found.half_turn, half[n - 1]) << n;
    EXPECT_EQ(found.quarter_turn, quarter[n - 1]) << n;
  }
}

TEST(QueensBoards, FundamentalOnesAreTheKnownSequence) {
  const uint64_t known[] = {1,  0,  0,  1,   2,    1,    6,
                            12, 46, 92, 341, 1787, 9233, 45752};  // OEIS A002562
  for (int n = 1; n <= 13; ++n) {
    const auto kept = CountSymmetricQueens(n, {}).value();
    EXPECT_EQ(FundamentalQueens(n, CountAll(n), kept), known[n - 1]) << n;
  }
}

// The unrelated way: list all boards, and strike the images of each.
TEST(QueensBoards, ListsEveryBoardOnceAndOneOfEachClass) {
  for (int n = 1; n <= 9; ++n) {
    const auto all = FirstQueensBoards(n, 1000, false, {}).value();
    EXPECT_EQ(all.size(), CountAll(n));
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
    std::set<QueensBoard> left(all.begin(), all.end());
    EXPECT_EQ(left.size(), all.size());
    std::vector<QueensBoard> classes;
    while (!left.empty()) {
      QueensBoard board = *left.begin();
      classes.push_back(board);
      for (int turns = 0; turns < 4; ++turns, board = Turn(board)) {
        left.erase(board);
        left.erase(Mirror(board));
      }
    }
    EXPECT_EQ(FirstQueensBoards(n, 1000, true, {}).value(), classes) << n;
  }
}

TEST(QueensBoards, TheFirstOfALargeBoardIsASolution) {
  const QueensBoard board = FirstQueensBoards(18, 1, true, {}).value().at(0);
  for (int a = 0; a < 18; ++a) {
    for (int b = 0; b < a; ++b) {
      EXPECT_NE(board[a], board[b]);
      EXPECT_NE(std::abs(board[a] - board[b]), a - b);
    }
  }
}

TEST(QueensBoards, StopsAtTheLimitAndWhenToldTo) {
  EXPECT_EQ(FirstQueensBoards(8, 3, false, {}).value().size(), 3u);
  EXPECT_TRUE(FirstQueensBoards(8, 0, false, {}).value().empty());
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(FirstQueensBoards(14, 1u << 30, false, source.get_token()).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(CountSymmetricQueens(22, source.get_token()).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_FALSE(CountSymmetricQueens(28, {}).ok());
  EXPECT_FALSE(FirstQueensBoards(0, 1, false, {}).ok());
}

}  // namespace
}  // namespace skep
