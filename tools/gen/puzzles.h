// Random Sudoku puzzles, one a line, '0' for an empty cell. The same for the same
// options on every machine.
//
// From 22 clues up, clues are taken from a random grid in random order, as long as the
// solution stays unique (if that is asked for); a try that ends with too many is given
// up. Below 22 that would take ages: puzzles of 17 clues, the fewest possible, are
// found among random images (digits renamed, rows and columns exchanged, the board
// turned over) of published ones, and those of 18 to 21 are such images with further
// clues of their solution.

#ifndef SKEP_TOOLS_GEN_PUZZLES_H_
#define SKEP_TOOLS_GEN_PUZZLES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/random.h"
#include "tools/gen/sink.h"

namespace skep {

inline constexpr int kMinUniqueClues = 17;  // McGuire, Tugemann, Civario, 2012

struct PuzzlesOptions {
  // Each puzzle has a number of clues in this range, all equally likely.
  int min_clues = 24;
  int max_clues = 30;
  bool unique = false;  // exactly one solution; else at least one
  uint64_t count = 1000;
  uint64_t seed = 1;
};

// InvalidArgument for a range outside 0 .. 81, or below 17 if unique.
absl::Status GeneratePuzzles(const PuzzlesOptions& options, const Sink& sink);

// A random complete grid.
std::string RandomGrid(Random& random);

}  // namespace skep

#endif  // SKEP_TOOLS_GEN_PUZZLES_H_
