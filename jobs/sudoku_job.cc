// Sudoku by the batch: one puzzle a line in, one line out for each, in the same order.

#include <string>
#include <string_view>

#include "jobs/api/job.h"
#include "jobs/kernels/sudoku.h"

namespace skep {
namespace {

constexpr std::string_view kNoSolution = "NoSolution";
constexpr std::string_view kBadPuzzle = "BadPuzzle";

class SolveLines final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    const SudokuOptions options{.stop = context.stop_token()};
    std::string out;
    bool stopped = false;
    ForEachLine(block.bytes, [&](std::string_view line) {
      if (stopped) return;
      if (line.ends_with('\r')) line.remove_suffix(1);
      const SudokuResult result = SolveSudoku(line, options);
      switch (result.outcome) {
        case SudokuOutcome::kSolved:
          out += result.solution();
          ++solved_;
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
    context.Count("no_solution", no_solution_);
    context.Count("malformed", malformed_);
    return absl::OkStatus();
  }

 private:
  uint64_t solved_ = 0, no_solution_ = 0, malformed_ = 0;
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
  const uint64_t puzzles = solved + no_solution + malformed;
  return Done(
      "",
      StrCat("{\"puzzles\":", puzzles, ",\"solved\":", solved,
             ",\"no_solution\":", no_solution, ",\"malformed\":", malformed, "}"),
      {StrCat(puzzles, " puzzles: ", solved, " solved, ", no_solution,
              " without a solution, ", malformed, " malformed")});
}

}  // namespace

void Sudoku(Job& job) {
  job.Name("sudoku")
      .Summary(
          "Solves 9 x 9 Sudoku puzzles, one a line: 81 characters, 0 or . for empty")
      .Example("skep run sudoku --output solutions.txt puzzles.txt")
      .Output(OutputShape::kFile)
      .AddStage("solve", {.mapper = [] { return std::make_unique<SolveLines>(); }})
      .Plan(Plan);
}

}  // namespace skep
