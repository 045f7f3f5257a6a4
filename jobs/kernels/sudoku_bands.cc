// For each digit, the cells that may still hold it as three bands of 27 bits. One step
// looks at a digit on the whole board: a table maps the boxes' non-empty row segments
// to those that can be part of a placement of the digit, which covers hidden singles
// and locked candidates in rows, columns and boxes alike; cells with one candidate left
// are found for a band at a time by bitwise addition. When nothing more follows, the
// cell with the fewest candidates is guessed (the band representation is the one known
// from Zhouyundong's and Dobrichev's solvers; the doubly applied segment table is this
// file's).

#include <array>
#include <bit>

#include "jobs/kernels/sudoku_search.h"

namespace skep {
namespace {

constexpr uint32_t kAllCells =
    (1u << 27) - 1;  // of a band; bit = 9 * row in it + column

// A digit stands in a band of three rows and three boxes exactly once per row and per
// box. Number its nine row segments 3 * row + box: of 9 bits saying which segments
// still have candidates, kUsable keeps those that are part of one of the six possible
// placements, and is 0 if there is none. Turned by 90 degrees it serves a stack of
// three boxes and its column segments as well.
constexpr std::array<uint16_t, 512> MakeUsable() {
  constexpr int kPermutations[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                       {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  std::array<uint16_t, 512> usable{};
  for (int segments = 0; segments < 512; ++segments) {
    for (const auto& p : kPermutations) {
      const int placement = 1 << p[0] | 1 << (3 + p[1]) | 1 << (6 + p[2]);
      if ((segments & placement) == placement) usable[segments] |= placement;
    }
  }
  return usable;
}
constexpr auto kUsable = MakeUsable();

// The cells of a set of row segments.
constexpr std::array<uint32_t, 512> MakeUsableCells() {
  std::array<uint32_t, 512> cells{};
  for (int segments = 0; segments < 512; ++segments) {
    for (int i = 0; i < 9; ++i) {
      if (kUsable[segments] >> i & 1) cells[segments] |= 7u << (3 * i);
    }
  }
  return cells;
}
constexpr auto kUsableCells = MakeUsableCells();

// For the nine cells of a row: which of its three segments are not empty, and the row
// itself if it is a single cell.
struct RowFacts {
  uint16_t single;
  uint8_t segments;
};
constexpr std::array<RowFacts, 512> MakeRowFacts() {
  std::array<RowFacts, 512> facts{};
  for (int row = 0; row < 512; ++row) {
    facts[row].single = (row & (row - 1)) == 0 ? row : 0;
    for (int box = 0; box < 3; ++box) {
      if ((row >> (3 * box) & 7) != 0) facts[row].segments |= 1 << box;
    }
  }
  return facts;
}
constexpr auto kRowFacts = MakeRowFacts();

// kOthers[cell][band]: the cells that remain for a digit once it stands in `cell`
// (itself, and whatever shares no row, column or box with it).
constexpr std::array<std::array<uint32_t, 3>, kSudokuCells> MakeOthers() {
  std::array<std::array<uint32_t, 3>, kSudokuCells> others{};
  for (int cell = 0; cell < kSudokuCells; ++cell) {
    for (int other = 0; other < kSudokuCells; ++other) {
      const bool sees = cell / 9 == other / 9 || cell % 9 == other % 9 ||
                        (cell / 27 == other / 27 && cell % 9 / 3 == other % 9 / 3);
      if (cell == other || !sees) others[cell][other / 27] |= 1u << (other % 27);
    }
  }
  return others;
}
constexpr auto kOthers = MakeOthers();

// Swaps rows and columns of a 3 x 3 matrix of 3-bit fields.
constexpr uint32_t Transpose(uint32_t m) {
  return (m & 0700070007u) | (m & 0700070u) << 6 | (m & 0700u) << 12 |
         (m >> 6 & 0700070u) | (m >> 12 & 0700u);
}

class Board {
 public:
  // False if the clues contradict one another.
  bool Init(std::string_view puzzle) {
    std::array<std::array<uint32_t, 9>, 3> clues{};
    std::array<uint32_t, 3> filled{};
    for (auto& band : candidates_) band.fill(kAllCells);
    for (int cell = 0; cell < kSudokuCells; ++cell) {
      if (puzzle[cell] < '1' || puzzle[cell] > '9') continue;
      const int digit = puzzle[cell] - '1';
      clues[cell / 27][digit] |= 1u << (cell % 27);
      filled[cell / 27] |= 1u << (cell % 27);
      for (int band = 0; band < 3; ++band) {
        candidates_[band][digit] &= kOthers[cell][band];
      }
    }
    bool good = true;
    for (int band = 0; band < 3; ++band) {
      open_[band] = kAllCells & ~filled[band];
      for (int digit = 0; digit < 9; ++digit) {
        const uint32_t own = clues[band][digit];
        good &= (own & ~candidates_[band][digit]) == 0;
        candidates_[band][digit] &= own | open_[band];
      }
    }
    changed_ = 0x1ff;
    return good;
  }

  // Draws all conclusions. False if there is a contradiction.
  bool Propagate() {
    do {
      while (changed_ != 0) {
        const int digit = std::countr_zero(changed_);
        changed_ &= changed_ - 1;
        if (!Place(digit)) return false;
      }
      for (int band = 0; band < 3; ++band) {
        if (open_[band] != 0 && !TakeNakedSingles(band)) return false;
      }
    } while (changed_ != 0);
    return true;
  }

  bool IsSolved() const { return (open_[0] | open_[1] | open_[2]) == 0; }

  // An open cell with as few candidates as a quick look can find, and one of them.
  struct Choice {
    int cell;
    int digit;
  };
  Choice Choose() const {
    int best_cell = 0;
    int best_count = 10;
    for (int band = 0; band < 3 && best_count > 2; ++band) {
      if (open_[band] == 0) continue;
      const Counts counts = Count(band);
      uint32_t cells = counts.two & ~counts.three & open_[band];
      int count = 2;
      if (cells == 0) {
        cells = counts.three & ~counts.four & open_[band];
        count = 3;
      }
      if (cells == 0) {
        cells = open_[band];
        count = 4;
      }
      if (count < best_count) {
        best_count = count;
        best_cell = 27 * band + std::countr_zero(cells);
      }
    }
    int digit = 0;
    while ((candidates_[best_cell / 27][digit] >> (best_cell % 27) & 1) == 0) ++digit;
    return {best_cell, digit};
  }

  void Assume(const Choice& choice) { Set(choice.cell, choice.digit); }
  void Exclude(const Choice& choice) {
    candidates_[choice.cell / 27][choice.digit] &= ~(1u << (choice.cell % 27));
    changed_ |= 1u << choice.digit;
  }

  // Requires a solved board.
  void Write(char* out) const {
    for (int band = 0; band < 3; ++band) {
      for (int digit = 0; digit < 9; ++digit) {
        for (uint32_t cells = candidates_[band][digit]; cells != 0;
             cells &= cells - 1) {
          out[27 * band + std::countr_zero(cells)] = static_cast<char>('1' + digit);
        }
      }
    }
  }

 private:
  // The cells of a band with at least one, two, three, four candidates.
  struct Counts {
    uint32_t one = 0;
    uint32_t two = 0;
    uint32_t three = 0;
    uint32_t four = 0;
  };
  Counts Count(int band) const {
    Counts c;
    for (const uint32_t cells : candidates_[band]) {
      c.four |= c.three & cells;
      c.three |= c.two & cells;
      c.two |= c.one & cells;
      c.one |= cells;
    }
    return c;
  }

  // Puts a digit into an open cell, as far as that digit goes.
  void Set(int cell, int digit) {
    for (int band = 0; band < 3; ++band) {
      candidates_[band][digit] &= kOthers[cell][band];
    }
    changed_ |= 1u << digit;
  }

  // All that follows from one digit's cells alone; then takes the cells it is sure of
  // from the other digits.
  bool Place(int digit) {
    uint32_t bands[3] = {candidates_[0][digit], candidates_[1][digit],
                         candidates_[2][digit]};
    uint32_t columns;
    uint32_t usable;
    do {
      columns = 0;
      for (int i = 0; i < 3; ++i) {
        const uint32_t cells = bands[i];
        const uint32_t segments = kRowFacts[cells & 511].segments |
                                  kRowFacts[cells >> 9 & 511].segments << 3 |
                                  kRowFacts[cells >> 18].segments << 6;
        bands[i] &= kUsableCells[segments];
        columns |= ((bands[i] | bands[i] >> 9 | bands[i] >> 18) & 511) << (9 * i);
      }
      // columns is a matrix: band, then box, of three columns each. Turned, a row of it
      // is a stack: for each of its bands, the columns where the digit may stand.
      const uint32_t stacks = Transpose(columns);
      uint32_t turned = 0;
      for (int i = 0; i < 3; ++i) {
        const uint32_t stack = kUsable[stacks >> (9 * i) & 511];
        if (stack == 0) return false;
        turned |= stack << (9 * i);
      }
      usable = Transpose(turned);
      constexpr uint32_t kThreeRows = 1 | 1 << 9 | 1 << 18;
      for (int i = 0; i < 3; ++i) bands[i] &= (usable >> (9 * i) & 511) * kThreeRows;
    } while (usable != columns);

    for (int i = 0; i < 3; ++i) {
      candidates_[i][digit] = bands[i];
      const uint32_t singles = kRowFacts[bands[i] & 511].single |
                               kRowFacts[bands[i] >> 9 & 511].single << 9 |
                               kRowFacts[bands[i] >> 18].single << 18;
      const uint32_t found = singles & open_[i];
      if (found == 0) continue;
      open_[i] &= ~found;
      for (int other = 0; other < 9; ++other) {
        changed_ |= static_cast<uint32_t>((candidates_[i][other] & found) != 0)
                    << other;
        candidates_[i][other] &= ~found;
      }
      candidates_[i][digit] = bands[i];
      changed_ &= ~(1u << digit);
    }
    return true;
  }

  bool TakeNakedSingles(int band) {
    const Counts counts = Count(band);
    if (counts.one != kAllCells) return false;
    for (uint32_t naked = open_[band] & ~counts.two; naked != 0; naked &= naked - 1) {
      const uint32_t cell = naked & -naked;
      for (int digit = 0; digit < 9; ++digit) {
        if ((candidates_[band][digit] & cell) == 0) continue;
        Set(27 * band + std::countr_zero(cell), digit);
        open_[band] &= ~cell;
        break;
      }
    }
    return true;
  }

  std::array<std::array<uint32_t, 9>, 3> candidates_;  // [band][digit]
  std::array<uint32_t, 3> open_;  // cells that the other digits have not lost yet
  uint32_t changed_;              // digits to look at again, one bit each
};

// Counts the solutions of `board`: a guess, then the same board without it, so that no
// solution is met twice.
void Run(Board board, uint32_t depth, SudokuSearch& search) {
  while (board.Propagate()) {
    if (board.IsSolved()) {
      if (char* const out = search.AddSolution()) board.Write(out);
      return;
    }
    search.BeginGuess(depth);
    if (search.over()) return;
    const Board::Choice choice = board.Choose();
    Board assumed = board;
    assumed.Assume(choice);
    Run(assumed, depth + 1, search);
    if (search.over()) return;
    board.Exclude(choice);
  }
}

}  // namespace

void SearchSudokuByBands(std::string_view puzzle, SudokuSearch& search) {
  Board board;
  if (board.Init(puzzle)) Run(board, 0, search);
}

}  // namespace skep
