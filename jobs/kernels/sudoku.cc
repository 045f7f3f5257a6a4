#include "jobs/kernels/sudoku.h"

#include <array>

#include "jobs/kernels/sudoku_search.h"

namespace skep {
namespace {

constexpr uint8_t kDot = 1, kNoCell = 2;
// What is not a digit.
constexpr std::array<uint8_t, 256> MakeFaults() {
  std::array<uint8_t, 256> faults{};
  for (int c = 0; c < 256; ++c) {
    if (c < '0' || c > '9') faults[c] = c == '.' ? kDot : kNoCell;
  }
  return faults;
}
constexpr auto kFaults = MakeFaults();

bool IsClue(char c) { return c >= '1' && c <= '9'; }

bool IsMalformed(std::string_view puzzle, bool dots) {
  if (puzzle.size() != kSudokuCells) return true;
  uint8_t faults = 0;
  for (const char c : puzzle) faults |= kFaults[static_cast<unsigned char>(c)];
  return (faults & (dots ? kNoCell : kNoCell | kDot)) != 0;
}

}  // namespace

SudokuResult SolveSudoku(std::string_view puzzle, const SudokuOptions& options) {
  SudokuResult result;
  if (IsMalformed(puzzle, options.dots)) return result;
  SudokuSearch search(options, &result);
  if (options.method == SudokuMethod::kBands) {
    SearchSudokuByBands(puzzle, search);
  } else {
    SearchSudokuByBoxes(puzzle, options.path, search);
  }
  result.outcome = search.stopped()       ? SudokuOutcome::kStopped
                   : result.solutions > 0 ? SudokuOutcome::kSolved
                                          : SudokuOutcome::kNoSolution;
  return result;
}

bool IsSudokuSolution(std::string_view puzzle, std::string_view solution) {
  if (puzzle.size() != kSudokuCells || solution.size() != kSudokuCells) return false;
  std::array<uint32_t, 9> rows{};
  std::array<uint32_t, 9> columns{};
  std::array<uint32_t, 9> boxes{};
  for (int cell = 0; cell < kSudokuCells; ++cell) {
    if (!IsClue(solution[cell])) return false;
    if (IsClue(puzzle[cell]) && puzzle[cell] != solution[cell]) return false;
    const uint32_t digit = 1u << (solution[cell] - '1');
    rows[cell / 9] |= digit;
    columns[cell % 9] |= digit;
    boxes[cell / 27 * 3 + cell % 9 / 3] |= digit;
  }
  for (int i = 0; i < 9; ++i) {
    if ((rows[i] & columns[i] & boxes[i]) != 0x1ff) return false;
  }
  return true;
}

}  // namespace skep
