// Sudoku by the batch: one puzzle a line in, one line out for each, in the same order.

#include <string>
#include <string_view>

#include "jobs/api/job.h"
#include "jobs/kernels/sudoku.h"

namespace skep {
namespace {

constexpr std::string_view kNoSolution = "NoSolution";
constexpr std::string_view kBadPuzzle = "BadPuzzle";
constexpr std::string_view kSeveralSolutions = "SeveralSolutions";

class SolveLines final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    const SudokuOptions options{.limit = context.options().GetBool("unique") ? 2u : 1u,
                                .stop = context.stop_token()};
    std::string out;
    bool stopped = false;
    ForEachLine(block.bytes, [&](std::string_view line) {
      if (stopped) return;
      if (line.ends_with('\r')) line.remove_suffix(1);
      const SudokuResult result = SolveSudoku(line, options);
      switch (result.outcome) {
        case SudokuOutcome::kSolved:
          out += result.solutions > 1 ? kSeveralSolutions : result.solution();
          ++(result.solutions > 1 ? several_ : solved_);
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
    return absl::OkStatus();
  }

 private:
  uint64_t solved_ = 0, several_ = 0, no_solution_ = 0, malformed_ = 0;
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
  const bool unique = input.options.GetBool("unique");
  return Done(
      "",
      StrCat("{\"puzzles\":", puzzles, ",\"solved\":", solved,
             unique ? StrCat(",\"several\":", several) : "",
             ",\"no_solution\":", no_solution, ",\"malformed\":", malformed, "}"),
      {StrCat(puzzles, " puzzles: ", solved, " solved, ",
              unique ? StrCat(several, " with several solutions, ") : "", no_solution,
              " without a solution, ", malformed, " malformed")});
}

}  // namespace

void Sudoku(Job& job) {
  job.Name("sudoku")
      .Summary(
          "Solves 9 x 9 Sudoku puzzles, one a line: 81 characters, 0 or . for empty")
      .Example("skep run sudoku --output solutions.txt puzzles.txt")
      .AddFlag({.name = "unique",
                .type = Flag::Type::kBool,
                .help = "Tell puzzles with several solutions: their line is "
                        "SeveralSolutions (takes up to twice as long)"})
      .Output(OutputShape::kFile)
      .AddStage("solve", {.mapper = [] { return std::make_unique<SolveLines>(); }})
      .Plan(Plan);
}

}  // namespace skep
