#include "tools/load/puzzle_file.h"

#include <errno.h>

#include <fstream>

#include "base/status.h"
#include "jobs/kernels/sudoku.h"

namespace skep {
namespace {

constexpr char kEasyPuzzle[] =
    "530070000600195000098000060800060003400803001700020006060000280000419005000080079";

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadPuzzleFile(const std::string& path) {
  if (path.empty()) return std::vector<std::string>{kEasyPuzzle};
  std::ifstream in(path);
  if (!in) return ErrnoToStatus(errno, "open " + path);
  std::vector<std::string> puzzles;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    line.resize(kSudokuCells, ' ');
    for (char& cell : line) {
      if (cell == '.') cell = '0';
      if (cell < '0' || cell > '9') {
        return InvalidArgument(path, ": puzzle ", puzzles.size() + 1,
                               " is not 81 digits or dots");
      }
    }
    puzzles.push_back(line);
  }
  if (puzzles.empty()) return InvalidArgument(path, " holds no puzzle");
  return puzzles;
}

}  // namespace skep
