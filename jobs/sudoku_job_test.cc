#include "base/strings.h"
#include "gtest/gtest.h"
#include "jobs/job_testing.h"
#include "jobs/kernels/sudoku.h"

namespace skep {

void Sudoku(Job& job);

namespace {

constexpr char kPuzzle[] =
    "000000010400000000020000000000050407008000300001090000300400200050100000000806000";
constexpr char kSolution[] =
    "693784512487512936125963874932651487568247391741398625319475268856129743274836159";

TEST(Sudoku, WritesALineForEachLineInOrder) {
  std::string no_solution = kPuzzle;
  no_solution[1] = no_solution[0] = '1';
  std::string dots = kPuzzle;
  for (char& c : dots) c = c == '0' ? '.' : c;
  const auto result = RunJob(
      Sudoku, {}, StrCat(kPuzzle, "\nnonsense\n", no_solution, "\r\n\n", dots, "\r\n"));
  EXPECT_EQ(OutputOf(result),
            StrCat(kSolution, "\nBadPuzzle\nNoSolution\nBadPuzzle\n", kSolution, "\n"));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->answer.text(), "");
  EXPECT_EQ(result->answer.json(),
            "{\"puzzles\":5,\"solved\":2,\"no_solution\":1,\"malformed\":2}");
  EXPECT_EQ(result->answer.notes(0),
            "5 puzzles: 2 solved, 1 without a solution, 2 malformed");
}

TEST(Sudoku, APuzzleWithManySolutionsGetsOne) {
  const std::string blank(81, '0');
  const std::string output = OutputOf(RunJob(Sudoku, {}, blank));
  ASSERT_EQ(output.size(), 82);
  EXPECT_TRUE(IsSudokuSolution(blank, output.substr(0, 81)));
}

TEST(Sudoku, UniqueTellsPuzzlesWithSeveralSolutions) {
  const auto result = RunJob(Sudoku, {{"unique", "true"}},
                             StrCat(std::string(81, '0'), "\n", kPuzzle, "\n11\n"));
  EXPECT_EQ(OutputOf(result), StrCat("SeveralSolutions\n", kSolution, "\nBadPuzzle\n"));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->answer.json(),
            "{\"puzzles\":3,\"solved\":1,\"several\":1,\"no_solution\":0,"
            "\"malformed\":1}");
  EXPECT_EQ(result->answer.notes(0),
            "3 puzzles: 1 solved, 1 with several solutions, 0 without a solution, "
            "1 malformed");
}

TEST(Sudoku, BandsFindTheSameSolution) {
  EXPECT_EQ(OutputOf(RunJob(Sudoku, {{"algorithm", "bands"}, {"unique", "true"}},
                            StrCat(kPuzzle, "\n", std::string(81, '0'), "\n"))),
            StrCat(kSolution, "\nSeveralSolutions\n"));
}

TEST(Sudoku, RatesByGuesses) {
  // Arto Inkala's of 2010.
  constexpr char kHard[] =
      "80000000000360000007009020005000700000004570000010003000100006800850001009000040"
      "0";
  const auto result =
      RunJob(Sudoku, {{"rate", "true"}},
             StrCat(kSolution, "\n", kHard, "\n", std::string(81, '0'), "\nx\n"));
  const SudokuResult hard =
      SolveSudoku(kHard, {.limit = 2, .method = SudokuMethod::kBoxes});
  const std::string output = OutputOf(result);
  EXPECT_TRUE(output.starts_with("0\t0\t0\n")) << output;
  EXPECT_TRUE(output.ends_with(
      StrCat("\t", hard.guesses, "\t", hard.depth, "\nSeveralSolutions\nBadPuzzle\n")))
      << output;
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->answer.json().find("\"levels\":{\"0\":1,\"7\":1}") !=
              std::string::npos)
      << result->answer.json();
}

TEST(Sudoku, NoPuzzlesNoLines) { EXPECT_EQ(OutputOf(RunJob(Sudoku, {}, "")), ""); }

TEST(Sudoku, SolvesEveryPublicPuzzle) {
  for (const char* name :
       {"sudoku17_20k.txt", "magictour_1465.txt", "hardest_1000.txt"}) {
    const std::string puzzles = TestDataFile(name);
    if (puzzles.empty()) GTEST_SKIP() << "set SKEP_TEST_DATA to a folder with " << name;
    const auto result = RunLocally(MakeJob(Sudoku), {.files = {{name, puzzles}}});
    ASSERT_TRUE(result.ok()) << result.status();
    const std::string output = result->output();
    ASSERT_EQ(output.size(), puzzles.size());
    for (size_t at = 0; at < puzzles.size(); at += 82) {
      ASSERT_TRUE(IsSudokuSolution(puzzles.substr(at, 81), output.substr(at, 81)))
          << name << " line " << at / 82 + 1;
    }
  }
}

}  // namespace
}  // namespace skep
