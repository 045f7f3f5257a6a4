#include "tools/services/sudoku_text.h"

#include "gtest/gtest.h"

namespace skep {
namespace {

using Kind = SudokuTextRequest::Kind;

const std::string kPuzzle(81, '0');

TEST(ParseSudokuText, JudgesNothingBefore83Bytes) {
  EXPECT_EQ(ParseSudokuText("").kind, Kind::kIncomplete);
  EXPECT_EQ(ParseSudokuText("b:x\r\n").kind, Kind::kIncomplete);
  EXPECT_EQ(ParseSudokuText(kPuzzle + "\r").kind, Kind::kIncomplete);
}

TEST(ParseSudokuText, TakesIdAndPuzzle) {
  const std::string line = "a7:" + kPuzzle + "\r\nnext";
  const SudokuTextRequest request = ParseSudokuText(line);
  EXPECT_EQ(request.kind, Kind::kPuzzle);
  EXPECT_EQ(request.id, "a7");
  EXPECT_EQ(request.puzzle, kPuzzle);
  EXPECT_EQ(request.size, line.size() - 4);
  EXPECT_EQ(ParseSudokuText(":" + kPuzzle + "\r\n").id, "");
  EXPECT_EQ(ParseSudokuText(kPuzzle + "\r\n").puzzle, kPuzzle);
}

TEST(ParseSudokuText, RefusesWhatIsNot81Bytes) {
  EXPECT_EQ(ParseSudokuText("c:" + kPuzzle + "0\r\n").kind, Kind::kBadRequest);
  EXPECT_EQ(ParseSudokuText("a:b:" + kPuzzle + "\r\n").kind, Kind::kBadRequest);
  EXPECT_EQ(ParseSudokuText("b:x\r\nc:" + kPuzzle + "\r\n").kind, Kind::kBadRequest);
}

TEST(ParseSudokuText, LimitsTheIdWithoutALineEnd) {
  EXPECT_EQ(ParseSudokuText(std::string(100, 'i')).kind, Kind::kIncomplete);
  EXPECT_EQ(ParseSudokuText(std::string(101, 'i')).kind, Kind::kIdTooLong);
  // A longer one is accepted if its line end has come.
  const std::string id(120, 'i');
  EXPECT_EQ(ParseSudokuText(id + ":" + kPuzzle + "\r\n").id, id);
}

}  // namespace
}  // namespace skep
