#include "tests/bench/baselines.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "jobs/kernels/sudoku.h"

namespace skep {
namespace {

TEST(Baselines, AreRight) {
  EXPECT_EQ(PlainWholeQueens(8), 92u);
  EXPECT_EQ(PlainQueens(8), 92u);
  EXPECT_EQ(PlainQueens(10), 724u);
  const std::string puzzle =
      "00000001040000000002000000000005040700800030000109000030040020005010000000080600"
      "0";
  const std::string solution = DancingLinksSolution(puzzle);
  EXPECT_TRUE(IsSudokuSolution(puzzle, solution)) << solution;
  EXPECT_EQ(NaiveSolution(puzzle), solution);
  const std::string empty(81, '0');
  EXPECT_TRUE(IsSudokuSolution(empty, DancingLinksSolution(empty)));
  EXPECT_TRUE(IsSudokuSolution(empty, NaiveSolution(empty)));
  std::string clash = puzzle;
  clash[0] = '1';
  EXPECT_EQ(DancingLinksSolution(clash), "");
  EXPECT_EQ(NaiveSolution(clash), "");
  std::string dead = std::string(81, '0');
  dead.replace(0, 9, "123456780");
  dead[17] = '9';  // the one digit that the last cell of the row could have
  EXPECT_EQ(DancingLinksSolution(dead), "");
  EXPECT_EQ(NaiveSolution(dead), "");
  const auto words = PlainWordCount(" a b\nb  c\n");
  EXPECT_EQ(words.size(), 3u);
  EXPECT_EQ(words.at("b"), 2u);
  const std::vector<std::pair<std::string_view, uint64_t>> sorted = {
      {"a", 1}, {"b", 2}, {"c", 1}};
  EXPECT_EQ(SortedWordCount(" a b\nb  c\n"), sorted);
  EXPECT_EQ(PlainUnicodeWordCount("Don't STRASSE\nstra\u00dfe."), 2u);
  EXPECT_EQ(PlainParse("1\n-3\n44\n"), 42);
  const std::vector<uint64_t> memory = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(ReadMemory(memory), 36u);
}

}  // namespace
}  // namespace skep
