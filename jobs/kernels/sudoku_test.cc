#include "jobs/kernels/sudoku.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

constexpr std::string_view kPuzzle =
    "000000010400000000020000000000050407008000300001090000"
    "300400200050100000000806000";
constexpr std::string_view kSolution =
    "693784512487512936125963874932651487568247391741398625"
    "319475268856129743274836159";

SudokuOptions WithLimit(uint64_t limit) {
  SudokuOptions options;
  options.limit = limit;
  return options;
}

bool Sees(size_t a, size_t b) {
  return a / 9 == b / 9 || a % 9 == b % 9 ||
         (a / 27 == b / 27 && a % 9 / 3 == b % 9 / 3);
}

// An unrelated solver: the first blank cell, every digit, nothing else. Counts up to
// `limit` solutions.
uint64_t CountByTrying(std::string& grid, uint64_t limit) {
  const size_t cell = grid.find('0');
  if (cell == std::string::npos) return 1;
  uint64_t found = 0;
  for (char digit = '1'; digit <= '9' && found < limit; ++digit) {
    bool free = true;
    for (size_t other = 0; other < grid.size() && free; ++other) {
      free = !Sees(cell, other) || grid[other] != digit;
    }
    if (!free) continue;
    grid[cell] = digit;
    found += CountByTrying(grid, limit - found);
    grid[cell] = '0';
  }
  return found;
}

TEST(Sudoku, SolvesAPuzzleOfSeventeenClues) {
  const SudokuResult result = SolveSudoku(kPuzzle, WithLimit(2));
  EXPECT_EQ(result.outcome, SudokuOutcome::kSolved);
  EXPECT_EQ(result.solutions, 1u);
  EXPECT_EQ(result.solution(), kSolution);
  EXPECT_TRUE(IsSudokuSolution(kPuzzle, result.solution()));
}

TEST(Sudoku, ASolvedGridIsItsOwnSolution) {
  const SudokuResult result = SolveSudoku(kSolution, WithLimit(2));
  EXPECT_EQ(result.outcome, SudokuOutcome::kSolved);
  EXPECT_EQ(result.solution(), kSolution);
  EXPECT_EQ(result.guesses, 0u);
}

TEST(Sudoku, DotsAreBlanksUnlessRefused) {
  std::string dotted(kPuzzle);
  for (char& c : dotted) c = c == '0' ? '.' : c;
  EXPECT_EQ(SolveSudoku(dotted).solution(), kSolution);
  SudokuOptions strict;
  strict.dots = false;
  EXPECT_EQ(SolveSudoku(dotted, strict).outcome, SudokuOutcome::kMalformed);
  EXPECT_EQ(SolveSudoku(kPuzzle, strict).solution(), kSolution);
}

TEST(Sudoku, MalformedPuzzles) {
  const std::string blank(81, '0');
  for (const std::string& puzzle :
       {std::string(), std::string("1"), blank + "0", blank.substr(1),
        "x" + blank.substr(1), blank.substr(1) + "\n", blank.substr(1) + '\0',
        blank.substr(1) + '\xff', " " + blank.substr(1), blank.substr(1) + ":"}) {
    const SudokuResult result = SolveSudoku(puzzle);
    EXPECT_EQ(result.outcome, SudokuOutcome::kMalformed) << puzzle;
    EXPECT_EQ(result.solution(), "");
  }
}

TEST(Sudoku, ContradictionsHaveNoSolution) {
  const std::string blank(81, '0');
  std::string row = blank, column = blank, box = blank;
  row[0] = row[8] = '1';
  column[4] = column[76] = '9';
  box[30] = box[50] = '5';
  std::string no_candidate = blank;  // cell 0 sees all nine digits
  no_candidate.replace(1, 8, "12345678");
  no_candidate[9] = '9';
  std::string no_place = blank;  // no cell of row 0 can be 1
  no_place.replace(0, 9, "234000567");
  no_place[13] = '1';
  std::string wrong(kSolution);
  std::swap(wrong[0], wrong[1]);
  for (const std::string& puzzle :
       {row, column, box, no_candidate, no_place, wrong, std::string(81, '1')}) {
    const SudokuResult result = SolveSudoku(puzzle);
    EXPECT_EQ(result.outcome, SudokuOutcome::kNoSolution) << puzzle;
    EXPECT_EQ(result.solution(), "");
    EXPECT_EQ(result.solutions, 0u);
  }
}

TEST(Sudoku, BlankGridAndManySolutions) {
  const std::string blank(81, '0');
  const SudokuResult one = SolveSudoku(blank);
  EXPECT_EQ(one.outcome, SudokuOutcome::kSolved);
  EXPECT_TRUE(IsSudokuSolution(blank, one.solution()));
  for (const uint64_t limit : {2, 100, 54321}) {
    const SudokuResult many = SolveSudoku(blank, WithLimit(limit));
    EXPECT_EQ(many.solutions, limit);
    EXPECT_EQ(many.solution(), one.solution());
  }
}

TEST(Sudoku, CountsExactlyWhenSolutionsAreFew) {
  // Two digits that can be exchanged all over the grid give at least two solutions; a
  // third one more. The count is held against the solver that only tries.
  for (const std::string_view removed : {"12", "123", "1234"}) {
    std::string puzzle(kSolution);
    for (char& c : puzzle) {
      if (removed.find(c) != std::string_view::npos) c = '0';
    }
    const uint64_t expected = CountByTrying(puzzle, ~uint64_t{0});
    EXPECT_GE(expected, 2u);
    const SudokuResult result = SolveSudoku(puzzle, WithLimit(1'000'000));
    EXPECT_EQ(result.solutions, expected) << puzzle;
  }
}

// Random grids with few blanks or with random clues, most of them contradictory or of
// several solutions, against the solver that only tries.
TEST(Sudoku, AgreesWithTryingOnRandomPuzzles) {
  Random random(17);
  for (int round = 0; round < 3000; ++round) {
    std::string puzzle(kSolution);
    const uint64_t blanks = 20 + random.Below(30);
    for (uint64_t i = 0; i < blanks; ++i) puzzle[random.Below(81)] = '0';
    if (round % 2 == 1) {
      // One clue changed: usually no solution, found deep down rather than at once.
      puzzle[random.Below(81)] = static_cast<char>('1' + random.Below(9));
    }
    // CountByTrying trusts its clues; leave those that clash to the other test.
    bool clash = false;
    for (size_t cell = 0; cell < 81 && !clash; ++cell) {
      for (size_t other = 0; other < cell && !clash; ++other) {
        clash =
            Sees(cell, other) && puzzle[cell] != '0' && puzzle[cell] == puzzle[other];
      }
    }
    const uint64_t expected = clash ? 0 : CountByTrying(puzzle, 50);
    const SudokuResult result = SolveSudoku(puzzle, WithLimit(50));
    ASSERT_EQ(result.solutions, expected) << puzzle;
    ASSERT_EQ(IsSudokuSolution(puzzle, result.solution()), expected > 0) << puzzle;
  }
}

TEST(Sudoku, StopsWhenToldTo) {
  std::stop_source source;
  source.request_stop();
  SudokuOptions options = WithLimit(~uint64_t{0});
  options.stop = source.get_token();
  const SudokuResult result = SolveSudoku(std::string(81, '0'), options);
  EXPECT_EQ(result.outcome, SudokuOutcome::kStopped);
}

TEST(Sudoku, ChecksSolutions) {
  EXPECT_TRUE(IsSudokuSolution(kPuzzle, kSolution));
  EXPECT_FALSE(IsSudokuSolution(kPuzzle, kPuzzle));
  EXPECT_FALSE(IsSudokuSolution(kPuzzle, ""));
  EXPECT_FALSE(IsSudokuSolution("", kSolution));
  std::string changed(kSolution);
  std::swap(changed[0], changed[1]);
  EXPECT_FALSE(IsSudokuSolution(kPuzzle, changed));
  std::string other_clue(kPuzzle);
  other_clue[0] = kSolution[0] == '1' ? '2' : '1';
  EXPECT_FALSE(IsSudokuSolution(other_clue, kSolution));
  // Every row and every column a permutation, the boxes not.
  std::string cyclic;
  for (int row = 0; row < 9; ++row) {
    for (int column = 0; column < 9; ++column) {
      cyclic += static_cast<char>('1' + (row + column) % 9);
    }
  }
  EXPECT_FALSE(IsSudokuSolution(std::string(81, '0'), cyclic));
}

class SudokuData : public testing::TestWithParam<std::pair<const char*, int>> {};

TEST_P(SudokuData, EveryPuzzleHasExactlyOneSolution) {
  const char* folder = std::getenv("SKEP_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "SKEP_TEST_DATA is not set";
  std::ifstream file(std::string(folder) + "/" + GetParam().first);
  ASSERT_TRUE(file) << GetParam().first;
  int puzzles = 0;
  for (std::string line; std::getline(file, line); ++puzzles) {
    const SudokuResult result = SolveSudoku(line, WithLimit(2));
    ASSERT_EQ(result.solutions, 1u) << line;
    ASSERT_TRUE(IsSudokuSolution(line, result.solution())) << line;
  }
  EXPECT_EQ(puzzles, GetParam().second);
}

INSTANTIATE_TEST_SUITE_P(Files, SudokuData,
                         testing::Values(std::pair{"sudoku17_20k.txt", 20000},
                                         std::pair{"magictour_1465.txt", 1465},
                                         std::pair{"hardest_1000.txt", 1000}));

}  // namespace
}  // namespace skep
