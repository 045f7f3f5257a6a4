#include "tools/gen/puzzles.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

#include "base/status.h"
#include "jobs/kernels/sudoku.h"

namespace skep {
namespace {

constexpr int kFewestByDigging = 22;
constexpr char kEmpty = '0';

// Of 17 clues and one solution each, from Gordon Royle's collection.
constexpr std::string_view kSeeds[] = {
    "000000012050400000000000030700600400001000000000080000920000800000510700000003000",
    "000002800010000000000300000400150000000000307800000200000680040270000000003000000",
    "000031000200000060400000000070000803600200000000000000038070100500600020000000000",
    "000078020100000500000000000028400000000500601070000000900600000000040080000000300",
    "000260000600000800050000000000000027400030000001000000002104000000600400070000300",
    "000501000090000800060000000401000000000070090000000030800000105000200400000360000",
    "000800030060000400009000000010065000700000080000400500803200000000000001000000600",
    "005400006000030700000000000000805040390000100700200000130000000000000085000000000",
};

template <size_t kSize>
std::array<int, kSize> Shuffled(Random& random) {
  std::array<int, kSize> order;
  std::iota(order.begin(), order.end(), 0);
  // Not std::shuffle: its use of random bits is up to the library.
  for (size_t i = kSize - 1; i > 0; --i)
    std::swap(order[i], order[random.Below(i + 1)]);
  return order;
}

// Lines 0 to 8 so exchanged that lines of one band stay together.
std::array<int, 9> ShuffledLines(Random& random) {
  const auto bands = Shuffled<3>(random);
  std::array<int, 9> lines;
  for (int band = 0; band < 3; ++band) {
    const auto within = Shuffled<3>(random);
    for (int i = 0; i < 3; ++i) lines[3 * band + i] = 3 * bands[band] + within[i];
  }
  return lines;
}

// A random one of the boards that are the same puzzle.
std::string RandomImage(std::string_view board, Random& random) {
  const auto rows = ShuffledLines(random);
  const auto columns = ShuffledLines(random);
  const auto digits = Shuffled<9>(random);
  const bool turned_over = random.Below(2) == 1;
  std::string image(kSudokuCells, kEmpty);
  for (int row = 0; row < 9; ++row) {
    for (int column = 0; column < 9; ++column) {
      const char cell = board[9 * rows[row] + columns[column]];
      if (cell == kEmpty) continue;
      image[turned_over ? 9 * column + row : 9 * row + column] =
          static_cast<char>('1' + digits[cell - '1']);
    }
  }
  return image;
}

bool HasOneSolution(std::string_view puzzle) {
  return SolveSudoku(puzzle, {.limit = 2}).solutions == 1;
}

// Takes clues away until `clues` are left. False if no more can go.
bool Dig(int clues, bool unique, Random& random, std::string* puzzle) {
  int left = kSudokuCells;
  for (const int cell : Shuffled<kSudokuCells>(random)) {
    if (left == clues) break;
    const char clue = std::exchange((*puzzle)[cell], kEmpty);
    if (!unique || HasOneSolution(*puzzle)) {
      --left;
    } else {
      (*puzzle)[cell] = clue;
    }
  }
  return left == clues;
}

std::string FewClues(int clues, Random& random) {
  std::string puzzle = RandomImage(kSeeds[random.Below(std::size(kSeeds))], random);
  const SudokuResult solved = SolveSudoku(puzzle);
  int have = kMinUniqueClues;
  for (const int cell : Shuffled<kSudokuCells>(random)) {
    if (have == clues) break;
    if (puzzle[cell] != kEmpty) continue;
    puzzle[cell] = solved.cells[cell];
    ++have;
  }
  return puzzle;
}

std::string MakePuzzle(int clues, bool unique, Random& random) {
  if (unique && clues < kFewestByDigging) return FewClues(clues, random);
  while (true) {
    std::string puzzle = RandomGrid(random);
    if (Dig(clues, unique, random, &puzzle)) return puzzle;
  }
}

}  // namespace

std::string RandomGrid(Random& random) {
  // The boxes on the diagonal share no line: any digits fit them.
  std::string board(kSudokuCells, kEmpty);
  for (int box = 0; box < 3; ++box) {
    const auto digits = Shuffled<9>(random);
    for (int i = 0; i < 9; ++i) {
      board[9 * (3 * box + i / 3) + 3 * box + i % 3] =
          static_cast<char>('1' + digits[i]);
    }
  }
  // The solver prefers some grids; an image makes up for it.
  return RandomImage(SolveSudoku(board).solution(), random);
}

absl::Status GeneratePuzzles(const PuzzlesOptions& options, const Sink& sink) {
  const int least = options.unique ? kMinUniqueClues : 0;
  if (options.min_clues < least || options.max_clues > kSudokuCells ||
      options.min_clues > options.max_clues) {
    return InvalidArgument("puzzles of ", options.min_clues, " to ", options.max_clues,
                           " clues: give a range within ", least, " to ", kSudokuCells,
                           options.unique ? " (fewer have no unique solution)" : "");
  }
  Random random(options.seed);
  const uint64_t choices = options.max_clues - options.min_clues + 1;
  for (uint64_t i = 0; i < options.count; ++i) {
    const int clues = options.min_clues + static_cast<int>(random.Below(choices));
    SKEP_RETURN_IF_ERROR(sink(MakePuzzle(clues, options.unique, random) + "\n"));
  }
  return absl::OkStatus();
}

}  // namespace skep
