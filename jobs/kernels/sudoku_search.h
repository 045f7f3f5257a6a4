// What the two methods of sudoku.h share, and the methods themselves. Internal to
// :sudoku.

#ifndef SKEP_JOBS_KERNELS_SUDOKU_SEARCH_H_
#define SKEP_JOBS_KERNELS_SUDOKU_SEARCH_H_

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/cpu_path.h"
#include "jobs/kernels/sudoku.h"

namespace skep {

// Counts guesses and solutions, and says when that is enough.
class SudokuSearch {
 public:
  // Both are borrowed.
  SudokuSearch(const SudokuOptions& options, SudokuResult* result)
      : options_(options), result_(*result) {}

  // Before a guess on top of `depth` others.
  void BeginGuess(uint32_t depth) {
    result_.depth = std::max(result_.depth, depth + 1);
    if (++result_.guesses % kGuessesBetweenStops == 0) {
      stopped_ = options_.stop.stop_requested();
    }
  }
  // Where to write the solution that was found; null unless it is the first.
  char* AddSolution() {
    return result_.solutions++ == 0 ? result_.cells.data() : nullptr;
  }
  bool over() const { return stopped_ || result_.solutions >= options_.limit; }
  bool stopped() const { return stopped_; }

 private:
  static constexpr uint64_t kGuessesBetweenStops = 256;

  const SudokuOptions& options_;
  SudokuResult& result_;
  bool stopped_ = false;
};

// Both take 81 characters of which '1' to '9' are clues, and search until all solutions
// are counted or the search is over.

// Bit boards by bands: see sudoku_bands.cc.
void SearchSudokuByBands(std::string_view puzzle, SudokuSearch& search);
// Vectors by boxes: see sudoku_boxes.cc. All paths search in the same order.
void SearchSudokuByBoxes(std::string_view puzzle, CpuPath path, SudokuSearch& search);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_SUDOKU_SEARCH_H_
