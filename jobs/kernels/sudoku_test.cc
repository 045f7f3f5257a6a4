#include "jobs/kernels/sudoku.h"

#include <algorithm>
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

struct Solver {
  std::string name;
  SudokuMethod method;
  CpuPath path;

  SudokuOptions Options(uint64_t limit) const {
    return {.limit = limit, .stop = {}, .method = method, .path = path};
  }
};

std::vector<Solver> Solvers() {
  std::vector<Solver> solvers = {{"bands", SudokuMethod::kBands, CpuPath::kScalar}};
  for (const CpuPath path : SupportedCpuPaths()) {
    solvers.push_back(
        {"boxes_" + std::string(CpuPathName(path)), SudokuMethod::kBoxes, path});
  }
  return solvers;
}

class SudokuSolver : public testing::TestWithParam<Solver> {
 protected:
  static SudokuResult Solve(std::string_view puzzle, uint64_t limit = 1) {
    return SolveSudoku(puzzle, GetParam().Options(limit));
  }
};

INSTANTIATE_TEST_SUITE_P(All, SudokuSolver, testing::ValuesIn(Solvers()),
                         [](const auto& info) { return info.param.name; });

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

TEST_P(SudokuSolver, SolvesAPuzzleOfSeventeenClues) {
  const SudokuResult result = Solve(kPuzzle, 2);
  EXPECT_EQ(result.outcome, SudokuOutcome::kSolved);
  EXPECT_EQ(result.solutions, 1u);
  EXPECT_EQ(result.solution(), kSolution);
  EXPECT_TRUE(IsSudokuSolution(kPuzzle, result.solution()));
}

TEST_P(SudokuSolver, ASolvedGridIsItsOwnSolution) {
  const SudokuResult result = Solve(kSolution, 2);
  EXPECT_EQ(result.outcome, SudokuOutcome::kSolved);
  EXPECT_EQ(result.solution(), kSolution);
  EXPECT_EQ(result.guesses, 0u);
}

TEST_P(SudokuSolver, DotsAreBlanksUnlessRefused) {
  std::string dotted(kPuzzle);
  for (char& c : dotted) c = c == '0' ? '.' : c;
  EXPECT_EQ(Solve(dotted).solution(), kSolution);
  SudokuOptions strict = GetParam().Options(1);
  strict.dots = false;
  EXPECT_EQ(SolveSudoku(dotted, strict).outcome, SudokuOutcome::kMalformed);
  EXPECT_EQ(SolveSudoku(kPuzzle, strict).solution(), kSolution);
}

TEST_P(SudokuSolver, MalformedPuzzles) {
  const std::string blank(81, '0');
  for (const std::string& puzzle :
       {std::string(), std::string("1"), blank + "0", blank.substr(1),
        "x" + blank.substr(1), blank.substr(1) + "\n", blank.substr(1) + '\0',
        blank.substr(1) + '\xff', " " + blank.substr(1), blank.substr(1) + ":"}) {
    const SudokuResult result = Solve(puzzle);
    EXPECT_EQ(result.outcome, SudokuOutcome::kMalformed) << puzzle;
    EXPECT_EQ(result.solution(), "");
  }
}

TEST_P(SudokuSolver, ContradictionsHaveNoSolution) {
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
    const SudokuResult result = Solve(puzzle);
    EXPECT_EQ(result.outcome, SudokuOutcome::kNoSolution) << puzzle;
    EXPECT_EQ(result.solution(), "");
    EXPECT_EQ(result.solutions, 0u);
  }
}

TEST_P(SudokuSolver, BlankGridAndManySolutions) {
  const std::string blank(81, '0');
  const SudokuResult one = Solve(blank);
  EXPECT_EQ(one.outcome, SudokuOutcome::kSolved);
  EXPECT_TRUE(IsSudokuSolution(blank, one.solution()));
  for (const uint64_t limit : {2, 100, 54321}) {
    const SudokuResult many = Solve(blank, limit);
    EXPECT_EQ(many.solutions, limit);
    EXPECT_EQ(many.solution(), one.solution());
  }
}

TEST_P(SudokuSolver, CountsExactlyWhenSolutionsAreFew) {
  // Two digits that can be exchanged all over the grid give at least two solutions; a
  // third one more. The count is held against the solver that only tries.
  for (const std::string_view removed : {"12", "123", "1234"}) {
    std::string puzzle(kSolution);
    for (char& c : puzzle) {
      if (removed.find(c) != std::string_view::npos) c = '0';
    }
    const uint64_t expected = CountByTrying(puzzle, ~uint64_t{0});
    EXPECT_GE(expected, 2u);
    const SudokuResult result = Solve(puzzle, 1'000'000);
    EXPECT_EQ(result.solutions, expected) << puzzle;
  }
}

// Random grids with few blanks or with random clues, most of them contradictory or of
// several solutions, against the solver that only tries.
TEST_P(SudokuSolver, AgreesWithTryingOnRandomPuzzles) {
  Random random(17);
  for (int round = 0; round < 1000; ++round) {
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
    const SudokuResult result = Solve(puzzle, 50);
    ASSERT_EQ(result.solutions, expected) << puzzle;
    ASSERT_EQ(IsSudokuSolution(puzzle, result.solution()), expected > 0) << puzzle;
  }
}

TEST_P(SudokuSolver, StopsWhenToldTo) {
  std::stop_source source;
  source.request_stop();
  SudokuOptions options = GetParam().Options(~uint64_t{0});
  options.stop = source.get_token();
  const SudokuResult result = SolveSudoku(std::string(81, '0'), options);
  EXPECT_EQ(result.outcome, SudokuOutcome::kStopped);
}

// Random boards of every kind: few clues and many solutions, proper puzzles, boards
// without a solution, each once as it is and once with a clue changed.
std::vector<std::string> RandomBoards() {
  std::vector<std::string> boards;
  Random random(4);
  for (int round = 0; round < 400; ++round) {
    std::string puzzle(kSolution);
    const int clues = 5 + static_cast<int>(random.Below(60));
    for (int left = 81; left > clues;) {
      char& cell = puzzle[random.Below(81)];
      left -= cell != '0';
      cell = '0';
    }
    boards.push_back(puzzle);
    puzzle[random.Below(81)] = static_cast<char>('1' + random.Below(9));
    boards.push_back(puzzle);
  }
  return boards;
}

TEST(Sudoku, AllMethodsAndPathsAgree) {
  int with_none = 0, with_one = 0, with_more = 0;
  for (const std::string& board : RandomBoards()) {
    const SudokuResult bands =
        SolveSudoku(board, {.limit = 300, .stop = {}, .method = SudokuMethod::kBands});
    ++(bands.solutions == 0 ? with_none : bands.solutions == 1 ? with_one : with_more);
    const SudokuResult boxes =
        SolveSudoku(board, {.limit = 300, .stop = {}, .method = SudokuMethod::kBoxes});
    for (const Solver& solver : Solvers()) {
      for (const uint64_t limit : {1, 2, 7, 300}) {
        const SudokuResult result = SolveSudoku(board, solver.Options(limit));
        ASSERT_EQ(result.solutions, std::min(limit, bands.solutions))
            << solver.name << " " << limit << " " << board;
        ASSERT_EQ(result.outcome, bands.outcome) << solver.name << " " << board;
        ASSERT_EQ(IsSudokuSolution(board, result.solution()), bands.solutions > 0);
        // The answer is the same on every machine, and so is the rating by boxes.
        if (solver.method == SudokuMethod::kBands) continue;
        ASSERT_EQ(result.solution(), boxes.solution()) << solver.name << " " << board;
        if (limit != 300) continue;
        ASSERT_EQ(result.guesses, boxes.guesses) << solver.name << " " << board;
        ASSERT_EQ(result.depth, boxes.depth) << solver.name << " " << board;
      }
    }
  }
  EXPECT_GT(with_none, 100);
  EXPECT_GT(with_one, 100);
  EXPECT_GT(with_more, 100);
}

TEST_P(SudokuSolver, CountsGuessesAndTheirDepth) {
  const SudokuResult easy = Solve(kSolution, 2);
  EXPECT_EQ(easy.guesses, 0u);
  EXPECT_EQ(easy.depth, 0u);
  const SudokuResult hard = Solve(std::string(81, '0'), 1000);
  EXPECT_GT(hard.guesses, 500u);
  EXPECT_GT(hard.depth, 5u);
  EXPECT_LT(hard.depth, 81u);
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
    for (const Solver& solver : Solvers()) {
      const SudokuResult result = SolveSudoku(line, solver.Options(2));
      ASSERT_EQ(result.solutions, 1u) << solver.name << " " << line;
      ASSERT_TRUE(IsSudokuSolution(line, result.solution())) << line;
    }
  }
  EXPECT_EQ(puzzles, GetParam().second);
}

INSTANTIATE_TEST_SUITE_P(Files, SudokuData,
                         testing::Values(std::pair{"sudoku17_20k.txt", 20000},
                                         std::pair{"magictour_1465.txt", 1465},
                                         std::pair{"hardest_1000.txt", 1000}));

}  // namespace
}  // namespace skep
