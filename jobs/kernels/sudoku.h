// Sudoku: solves, counts and checks 9 x 9 puzzles.
//
// A puzzle is 81 characters in row order, '1'..'9' for the clues and '0' or '.' for an
// empty cell. Two unrelated methods draw conclusions until nothing more follows, then
// guess: vectors of boxes (sudoku_boxes.cc), the faster one, and bit boards by bands
// (sudoku_bands.cc).
//
// Everything here is thread-safe and allocates no memory.

#ifndef SKEP_JOBS_KERNELS_SUDOKU_H_
#define SKEP_JOBS_KERNELS_SUDOKU_H_

#include <array>
#include <cstdint>
#include <stop_token>
#include <string_view>

#include "base/cpu_path.h"

namespace skep {

inline constexpr int kSudokuCells = 81;

enum class SudokuOutcome {
  kSolved,      // `solution` holds one
  kNoSolution,  // 81 good characters, but no grid fits them
  kMalformed,   // not 81 characters, or one that is neither a digit nor a blank
  kStopped,     // a stop was requested before an answer was known
};

enum class SudokuMethod {
  kBoxes,  // the fastest; guesses, and finds the first solution, alike on every path
  kBands,  // for comparison; of several solutions it may find another one first
};

// Of kBoxes, whose CPU path is TakenCpuPath(path, kSudokuBoxesNeed). kBands has none.
inline constexpr CpuExtra kSudokuBoxesNeed = CpuExtra::kBitCounts;

struct SudokuOptions {
  // Solutions are counted up to this many; the search ends there. 1 solves; 2 tells a
  // proper puzzle from one with several solutions. At least 1.
  uint64_t limit = 1;
  // Whether '.' is an empty cell too. The text protocol of SudokuService wants '0'
  // only.
  bool dots = true;
  // Looked at every few hundred guesses: a hostile puzzle can take seconds.
  std::stop_token stop;
  SudokuMethod method = SudokuMethod::kBoxes;
  CpuPath path = BestCpuPath();
};

struct SudokuResult {
  SudokuOutcome outcome = SudokuOutcome::kMalformed;
  uint64_t solutions = 0;  // found; min(limit, all there are) unless stopped
  // The work it took, which depends on the method: 0 for puzzles that its conclusions
  // alone solve. And how many guesses were made on top of each other at most.
  uint64_t guesses = 0;
  uint32_t depth = 0;
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
