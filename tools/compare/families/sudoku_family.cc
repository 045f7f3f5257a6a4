// Solving Sudoku puzzles.

#include <memory>
#include <sstream>

#include "base/digest.h"
#include "base/status.h"
#include "base/strings.h"
#include "jobs/kernels/sudoku.h"
#include "tests/bench/baselines.h"
#include "tools/compare/family.h"
#include "tools/gen/puzzles.h"

namespace skep {
namespace {

using Puzzles = std::vector<std::string>;

constexpr char kUnique[] = "unique-24";

// A solution of the puzzle, "" if it has none; adds the guesses that it took, if
// counted.
using Solve = std::string (*)(const std::string& puzzle, uint64_t* guesses);

template <SudokuMethod kMethod, uint64_t kLimit>
std::string SolveBy(const std::string& puzzle, uint64_t* guesses) {
  const SudokuResult result = SolveSudoku(puzzle, {.limit = kLimit, .method = kMethod});
  *guesses += result.guesses;
  return result.outcome == SudokuOutcome::kSolved ? std::string(result.solution()) : "";
}

// How many have a solution; where there is but one, also a digest of them all: the
// solvers must have found the same.
ComparedRun SolveAll(const Puzzles& puzzles, bool unique, Solve solve) {
  ComparedRun run;
  uint64_t solved = 0, guesses = 0, bytes = 0;
  RecordDigest solutions;
  for (const std::string& puzzle : puzzles) {
    const std::string solution = solve(puzzle, &guesses);
    bytes += puzzle.size() + solution.size();
    solved += !solution.empty() && IsSudokuSolution(puzzle, solution);
    if (unique) solutions.Add(puzzle, solution);
  }
  run.rounds = guesses;
  run.bytes = bytes;
  run.answer = StrCat(solved, " solved");
  if (unique) StrAppend(&run.answer, ", digest ", solutions.value().ToString());
  return run;
}

struct SudokuAlgorithm {
  const char* name;
  const char* what;
  Solve solve;
  std::optional<CpuPath> path = std::nullopt;
};

const CpuPath kBoxesPath = TakenCpuPath(BestCpuPath(), kSudokuBoxesNeed);

const SudokuAlgorithm kAlgorithms[] = {
    {"naive", "trying digits in the cell that has the fewest, the first solution",
     [](const std::string& puzzle, uint64_t* guesses) {
       return NaiveSolution(puzzle, guesses);
     }},
    {"dancing-links", "exact cover by Knuth's dancing links, the first solution",
     [](const std::string& puzzle, uint64_t* guesses) {
       return DancingLinksSolution(puzzle, guesses);
     }},
    {"bands", "bit boards by bands, the first solution, checked",
     SolveBy<SudokuMethod::kBands, 1>},
    {"bands-unique", "the same, and whether there is a second solution",
     SolveBy<SudokuMethod::kBands, 2>},
    {"boxes", "vectors by boxes, the first solution, checked",
     SolveBy<SudokuMethod::kBoxes, 1>, kBoxesPath},
    {"boxes-unique", "the same, and whether there is a second solution",
     SolveBy<SudokuMethod::kBoxes, 2>, kBoxesPath},
};

absl::StatusOr<std::string> MakePuzzles(const std::string& input, uint64_t size,
                                        uint64_t seed) {
  PuzzlesOptions options{.count = size, .seed = seed};
  if (input == kUnique) {
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
    all.algorithms.push_back(
        {.name = algorithm.name,
         .what = algorithm.what,
         .run = [puzzles, unique = input == kUnique,
                 solve = algorithm.solve] { return SolveAll(*puzzles, unique, solve); },
         .path = algorithm.path});
  }
  return all;
}

absl::StatusOr<FleetInput> MakeFleetInput(const std::string& input, uint64_t size,
                                          uint64_t seed) {
  FleetInput made{.what = StrCat(size, " puzzles, ", input),
                  .all_agree = input == kUnique};
  SKEP_ASSIGN_OR_RETURN(made.bytes, MakePuzzles(input, size, seed));
  return made;
}

}  // namespace

CompareFamily SudokuFamily() {
  return {.name = "sudoku",
          .what = "solving puzzles",
          .size_name = "puzzles",
          .sizes = {50, 200, 1000},
          .most = uint64_t{1} << 24,
          .inputs = {kUnique, "many-solutions"},
          .by_default = {"naive", "dancing-links", "bands", "bands-unique", "boxes",
                         "boxes-unique"},
          .counts =
              "Rounds: guesses, times that one of several possible digits was tried. "
              "Bytes moved: puzzles read and solutions written.",
          .make = MakeCase,
          .on_fleet = {
              .job = "sudoku",
              .algorithms = {{.name = "boxes",
                              .what = "vectors by boxes, the first solution"},
                             // Where there are several it may find another.
                             {.name = "bands",
                              .what = "bit boards by bands, the first solution",
                              .flags = {{"algorithm", "bands"}},
                              .exact = false},
                             // It tells puzzles with several solutions.
                             {.name = "boxes-unique",
                              .what = "and whether there is a second",
                              .flags = {{"unique", "true"}},
                              .exact = false},
                             {.name = "bands-unique",
                              .what = "by bands, and whether there is a second",
                              .flags = {{"algorithm", "bands"}, {"unique", "true"}},
                              .exact = false}},
              .sizes = {1000, 20'000},
              .make = MakeFleetInput}};
}

}  // namespace skep
