// Sudoku: solves, counts and checks 9 x 9 puzzles.
//
// A puzzle is 81 characters in row order, '1'..'9' for the clues and '0' or '.' for an
// empty cell. The solver keeps, for each digit, the cells that may still hold it as
// three bands of 27 bits. One step looks at a digit on the whole board: a table maps
// the boxes' non-empty row segments to those that can be part of a placement of the
// digit, which covers hidden singles and locked candidates in rows, columns and boxes
// alike; cells with one candidate left are found for a band at a time by bitwise
// addition. When nothing more follows, the cell with the fewest candidates is guessed
// (the band representation is the one known from Zhouyundong's and Dobrichev's
// solvers; the doubly applied segment table is this file's).
//
// Everything here is thread-safe and allocates no memory.

#ifndef SKEP_JOBS_KERNELS_SUDOKU_H_
#define SKEP_JOBS_KERNELS_SUDOKU_H_

#include <array>
#include <cstdint>
#include <stop_token>
#include <string_view>

namespace skep {

inline constexpr int kSudokuCells = 81;

enum class SudokuOutcome {
  kSolved,      // `solution` holds one
  kNoSolution,  // 81 good characters, but no grid fits them
  kMalformed,   // not 81 characters, or one that is neither a digit nor a blank
  kStopped,     // a stop was requested before an answer was known
};

struct SudokuOptions {
  // Solutions are counted up to this many; the search ends there. 1 solves; 2 tells a
  // proper puzzle from one with several solutions. At least 1.
  uint64_t limit = 1;
  // Whether '.' is an empty cell too. The text protocol of SudokuService wants '0'
  // only.
  bool dots = true;
  // Looked at every few hundred guesses: a hostile puzzle can take seconds.
  std::stop_token stop;
};

struct SudokuResult {
  SudokuOutcome outcome = SudokuOutcome::kMalformed;
  uint64_t solutions = 0;  // found; min(limit, all there are) unless stopped
  uint64_t guesses = 0;    // the work it took; 0 for puzzles that logic alone solves
  std::array<char, kSudokuCells> cells;  // the first solution found, if any: '1'..'9'

  // The solution, valid as long as this object; empty if there is none.
  std::string_view solution() const {
    return {cells.data(), solutions > 0 ? cells.size() : 0};
  }
};

SudokuResult SolveSudoku(std::string_view puzzle, const SudokuOptions& options = {});

// Whether `solution` is a complete correct grid that keeps every clue of `puzzle`.
bool IsSudokuSolution(std::string_view puzzle, std::string_view solution);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_SUDOKU_H_
