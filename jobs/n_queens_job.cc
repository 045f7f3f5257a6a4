// N-Queens: a job without input. The planner cuts the board into prefixes, one task
// each, and adds up what the tasks count.

#include <cstdlib>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "jobs/api/job.h"
#include "jobs/kernels/n_queens.h"

namespace skep {
namespace {

// Enough tasks to keep a fleet busy to the end, few enough that none is over in less
// than the time it takes to send it. The number of prefixes grows tenfold with each
// queen.
int PrefixDepth(int64_t n) {
  if (n < 12) return 1;
  if (n < 17) return 2;
  return n < 21 ? 3 : 4;
}

// A prefix as a task's payload: n, weight and the columns, as varints.
std::string EncodePrefix(const QueensPrefix& prefix) {
  std::string bytes;
  PutVarint(&bytes, prefix.n);
  PutVarint(&bytes, prefix.weight);
  for (const int column : prefix.columns) PutVarint(&bytes, column);
  return bytes;
}

absl::StatusOr<QueensPrefix> DecodePrefix(std::string_view bytes) {
  QueensPrefix prefix;
  uint64_t n, weight;
  if (!GetVarint(&bytes, &n) || !GetVarint(&bytes, &weight)) {
    return Internal("nqueens: a task's payload is malformed");
  }
  prefix.n = static_cast<int>(n);
  prefix.weight = static_cast<int>(weight);
  while (!bytes.empty()) {
    uint64_t column;
    if (!GetVarint(&bytes, &column)) {
      return Internal("nqueens: a task's payload is malformed");
    }
    prefix.columns.push_back(static_cast<int>(column));
  }
  return prefix;
}

class CountSolutions final : public Mapper {
 public:
  absl::Status Finish(MapContext& context) override {
    SKEP_ASSIGN_OR_RETURN(const QueensPrefix prefix, DecodePrefix(context.payload()));
    SKEP_ASSIGN_OR_RETURN(const uint64_t count,
                          CountQueens(prefix, context.stop_token()));
    std::string result;
    PutVarint(&result, prefix.weight * count);
    context.SetResult(std::move(result));
    return absl::OkStatus();
  }
};

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  const int64_t n = input.options.GetInt("n");
  if (input.finished.empty()) {
    StageSpec stage;
    stage.set_name("count");
    TaskPayloads& tasks = *stage.mutable_tasks();
    for (const QueensPrefix& prefix : QueensPrefixes(n, PrefixDepth(n))) {
      tasks.add_payload(EncodePrefix(prefix));
    }
    return NextStage(std::move(stage));
  }
  uint64_t solutions = 0;
  for (const std::string& result : input.finished[0].map_results()) {
    std::string_view rest = result;
    uint64_t count;
    if (!GetVarint(&rest, &count)) {
      return Internal("nqueens: a task's result of ", result.size(),
                      " bytes is malformed");
    }
    solutions += count;
  }
  return Done(StrCat(solutions, "\n"),
              StrCat("{\"n\":", n, ",\"solutions\":", solutions, "}"));
}

}  // namespace

void NQueens(Job& job) {
  job.Name("nqueens")
      .Summary(
          "Counts the ways to put N queens on an N x N board, none attacking another")
      .Example("skep run nqueens --n 14")
      .AddFlag(
          {.name = "n",
           .type = Flag::Type::kInt,
           .default_value = "8",
           .value_name = "N",
           .help = StrCat("The side of the board, ", kMinQueens, " to ", kMaxQueens,
                          "; each step up takes about eight times as long"),
           .check =
               [](const std::string& value) {
                 return CheckQueens(std::atoi(value.c_str()));
               }})
      .Input({.kind = InputFormat::Kind::kNone})
      .Output(OutputShape::kNone)
      .AddStage("count", {.mapper = [] { return std::make_unique<CountSolutions>(); }})
      .Plan(Plan);
}

}  // namespace skep
