// The puzzles that a sudoku server is asked.

#ifndef SKEP_TOOLS_LOAD_PUZZLE_FILE_H_
#define SKEP_TOOLS_LOAD_PUZZLE_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace skep {

// Lines of 81 digits, 0 or . for an empty cell; empty lines and those that begin with #
// are passed over. Without a path: one that is solved by logic alone, in a few
// microseconds. InvalidArgument: a line is no puzzle, or there is none.
absl::StatusOr<std::vector<std::string>> ReadPuzzleFile(const std::string& path);

}  // namespace skep

#endif  // SKEP_TOOLS_LOAD_PUZZLE_FILE_H_
