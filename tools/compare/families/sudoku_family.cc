// Solving Sudoku puzzles.

#include <memory>
#include <sstream>

#include "base/status.h"
#include "base/strings.h"
#include "jobs/kernels/sudoku.h"
#include "tests/bench/baselines.h"
#include "tools/compare/family.h"
#include "tools/gen/puzzles.h"

namespace skep {
namespace {

using Puzzles = std::vector<std::string>;

// How many of the puzzles have a solution; adds the guesses that it took, if counted.
using SolveAll = uint64_t (*)(const Puzzles& puzzles, uint64_t* guesses);

template <SudokuMethod kMethod, uint64_t kLimit>
uint64_t SolveBy(const Puzzles& puzzles, uint64_t* guesses) {
  uint64_t solved = 0;
  for (const std::string& puzzle : puzzles) {
    const SudokuResult result =
        SolveSudoku(puzzle, {.limit = kLimit, .method = kMethod});
    solved += result.outcome == SudokuOutcome::kSolved &&
              IsSudokuSolution(puzzle, result.solution());
    *guesses += result.guesses;
  }
  return solved;
}

struct SudokuAlgorithm {
  const char* name;
  const char* what;
  SolveAll solve;
};

constexpr SudokuAlgorithm kAlgorithms[] = {
    {"dancing-links", "exact cover by Knuth's dancing links, the first solution",
     [](const Puzzles& puzzles, uint64_t* /*guesses*/) {
       uint64_t solved = 0;
       for (const std::string& puzzle : puzzles) solved += DancingLinksSolves(puzzle);
       return solved;
     }},
    {"bands", "bit boards by bands, the first solution, checked",
     SolveBy<SudokuMethod::kBands, 1>},
    {"bands-unique", "the same, and whether there is a second solution",
     SolveBy<SudokuMethod::kBands, 2>},
    {"boxes", "vectors by boxes, the first solution, checked",
     SolveBy<SudokuMethod::kBoxes, 1>},
    {"boxes-unique", "the same, and whether there is a second solution",
     SolveBy<SudokuMethod::kBoxes, 2>},
};

absl::StatusOr<std::string> MakePuzzles(const std::string& input, uint64_t size,
                                        uint64_t seed) {
  PuzzlesOptions options{.count = size, .seed = seed};
  if (input == "unique-24") {
    options.min_clues = options.max_clues = 24;
    options.unique = true;
  }
  std::string text;
  SKEP_RETURN_IF_ERROR(GeneratePuzzles(options, [&text](std::string_view bytes) {
    text += bytes;
    return absl::OkStatus();
  }));
  return text;
}

absl::StatusOr<ComparedCase> MakeCase(const std::string& input, uint64_t size,
                                      uint64_t seed) {
  auto puzzles = std::make_shared<Puzzles>();
  SKEP_ASSIGN_OR_RETURN(const std::string text, MakePuzzles(input, size, seed));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) puzzles->push_back(line);
  ComparedCase all{.input = StrCat(size, " puzzles, ", input)};
  for (const SudokuAlgorithm& algorithm : kAlgorithms) {
    all.algorithms.push_back({.name = algorithm.name,
                              .what = algorithm.what,
                              .run = [puzzles, solve = algorithm.solve] {
                                uint64_t guesses = 0;
                                const uint64_t solved = solve(*puzzles, &guesses);
                                return ComparedRun{.answer = StrCat(solved, " solved"),
                                                   .rounds = guesses};
                              }});
  }
  return all;
}

absl::StatusOr<FleetInput> MakeFleetInput(const std::string& input, uint64_t size,
                                          uint64_t seed) {
  FleetInput made{.what = StrCat(size, " puzzles, ", input)};
  SKEP_ASSIGN_OR_RETURN(made.bytes, MakePuzzles(input, size, seed));
  return made;
}

}  // namespace

CompareFamily SudokuFamily() {
  return {
      .name = "sudoku",
      .what = "solving puzzles, rounds being guesses",
      .size_name = "puzzles",
      .sizes = {50, 200, 1000},
      .inputs = {"unique-24", "many-solutions"},
      .by_default = {"dancing-links", "bands", "bands-unique", "boxes", "boxes-unique"},
      .make = MakeCase,
      // It tells puzzles with several solutions, where there are some.
      .on_fleet = {.job = "sudoku",
                   .algorithms = {{.name = "first", .what = "the first solution"},
                                  {.name = "unique",
                                   .what = "and whether there is a second",
                                   .flags = {{"unique", "true"}},
                                   .exact = false}},
                   .sizes = {1000, 20'000},
                   .make = MakeFleetInput}};
}

}  // namespace skep
