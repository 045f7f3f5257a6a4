// Sudoku by the batch: one puzzle a line in, one line out for each, in the same order.

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <string_view>

#include "base/plural.h"
#include "jobs/api/job.h"
#include "jobs/kernels/sudoku.h"

namespace skep {
namespace {

constexpr std::string_view kNoSolution = "NoSolution";
constexpr std::string_view kBadPuzzle = "BadPuzzle";
constexpr std::string_view kSeveralSolutions = "SeveralSolutions";

constexpr std::string_view kBoxes = "boxes", kBands = "bands";

// A puzzle's level is how often the guesses that it takes can be halved: 0 for none, 1
// for one, 2 for two or three, 3 for four to seven, and so on.
constexpr size_t kLevels = 16;
size_t LevelOf(const SudokuResult& result) {
  return std::min<size_t>(std::bit_width(result.guesses), kLevels - 1);
}
std::string LevelCounter(size_t level) { return StrCat("level_", level); }

class SolveLines final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    const bool rate = context.options().GetBool("rate");
    const bool unique = rate || context.options().GetBool("unique");
    const SudokuOptions options{
        .limit = unique ? 2u : 1u,
        .stop = context.stop_token(),
        .method = context.options().GetString("algorithm") == kBands
                      ? SudokuMethod::kBands
                      : SudokuMethod::kBoxes};
    std::string out;
    bool stopped = false;
    ForEachLine(block.bytes, [&](std::string_view line) {
      if (stopped) return;
      if (line.ends_with('\r')) line.remove_suffix(1);
      const SudokuResult result = SolveSudoku(line, options);
      switch (result.outcome) {
        case SudokuOutcome::kSolved:
          ++(result.solutions > 1 ? several_ : solved_);
          if (result.solutions > 1) {
            out += kSeveralSolutions;
          } else if (rate) {
            const size_t level = LevelOf(result);
            ++levels_[level];
            StrAppend(&out, level, "\t", result.guesses, "\t", result.depth);
          } else {
            out += result.solution();
          }
          break;
        case SudokuOutcome::kNoSolution:
          out += kNoSolution;
          ++no_solution_;
          break;
        case SudokuOutcome::kMalformed:
          out += kBadPuzzle;
          ++malformed_;
          break;
        case SudokuOutcome::kStopped:
          stopped = true;
          break;
      }
      out += '\n';
    });
    if (stopped) return Cancelled("sudoku: asked to stop");
    context.Write(out);
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    context.Count("solved", solved_);
    context.Count("several", several_);
    context.Count("no_solution", no_solution_);
    context.Count("malformed", malformed_);
    for (size_t level = 0; level < kLevels; ++level) {
      if (levels_[level] > 0) context.Count(LevelCounter(level), levels_[level]);
    }
    return absl::OkStatus();
  }

 private:
  uint64_t solved_ = 0, several_ = 0, no_solution_ = 0, malformed_ = 0;
  std::array<uint64_t, kLevels> levels_ = {};
};

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  if (input.finished.empty()) {
    StageSpec stage;
    stage.set_name("solve");
    stage.set_job_input(true);
    stage.set_writes_output(true);
    return NextStage(std::move(stage));
  }
  const StageResult& stage = input.finished[0];
  const uint64_t solved = CounterOf(stage, "solved");
  const uint64_t no_solution = CounterOf(stage, "no_solution");
  const uint64_t malformed = CounterOf(stage, "malformed");
  const uint64_t several = CounterOf(stage, "several");
  const uint64_t puzzles = solved + several + no_solution + malformed;
  const bool rate = input.options.GetBool("rate");
  const bool unique = rate || input.options.GetBool("unique");
  std::string levels, levels_json;
  for (size_t level = 0; level < kLevels && rate; ++level) {
    const uint64_t count = CounterOf(stage, LevelCounter(level));
    if (count == 0) continue;
    StrAppend(&levels, levels.empty() ? "; level " : ", ", level, ": ", count);
    StrAppend(&levels_json, levels_json.empty() ? "" : ",", "\"", level, "\":", count);
  }
  return Done(
      "",
      StrCat("{\"puzzles\":", puzzles, ",\"solved\":", solved,
             unique ? StrCat(",\"several\":", several) : "",
             ",\"no_solution\":", no_solution, ",\"malformed\":", malformed,
             rate ? StrCat(",\"levels\":{", levels_json, "}") : "", "}"),
      {StrCat(Counted(puzzles, "puzzle"), ": ", solved, " solved, ",
              unique ? StrCat(several, " with several solutions, ") : "", no_solution,
              " without a solution, ", malformed, " malformed", levels)});
}

}  // namespace

void Sudoku(Job& job) {
  job.Name("sudoku")
      .Summary(
          "Solves 9 x 9 Sudoku puzzles, one a line: 81 characters, 0 or . for empty")
      .Example("skep run sudoku --output solutions.txt puzzles.txt")
      .Example("skep run sudoku --rate puzzles.txt | paste - puzzles.txt | sort -n")
      .AddFlag({.name = "unique",
                .type = Flag::Type::kBool,
                .help = "Tell puzzles with several solutions: their line is "
                        "SeveralSolutions (takes up to twice as long)"})
      .AddFlag({.name = "rate",
                .type = Flag::Type::kBool,
                .help =
                    "Instead of solutions write how hard each puzzle is: its level, "
                    "the guesses that it takes to find its solution and to prove "
                    "it the only one, and how many of them at most on top of each "
                    "other, with tabs between. Level 0 takes no guess, level N "
                    "2^(N-1) and more"})
      .AddFlag({.name = "algorithm",
                .type = Flag::Type::kString,
                .default_value = std::string(kBoxes),
                .value_name = "NAME",
                .help = "boxes: vectors by boxes; bands: bit boards by bands, which of "
                        "several solutions may find another one first",
                .check =
                    [](const std::string& value) {
                      return value == kBoxes || value == kBands
                                 ? absl::OkStatus()
                                 : InvalidArgument("give boxes or bands");
                    }})
      .Check([](const Options& options) {
        if (options.GetBool("rate") && options.GetString("algorithm") != kBoxes) {
          return InvalidArgument(
              "--rate counts the guesses of boxes: leave out --algorithm");
        }
        return options.GetBool("rate") && options.GetBool("unique")
                   ? InvalidArgument(
                         "--rate tells SeveralSolutions by itself: leave "
                         "out --unique")
                   : absl::OkStatus();
      })
      .Output(OutputShape::kFile)
      .AddStage("solve", {.mapper = [] { return std::make_unique<SolveLines>(); }})
      .Plan(Plan);
}

}  // namespace skep
