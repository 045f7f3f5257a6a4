// N-Queens: a job without input. The planner cuts the work into tasks, by one of two
// algorithms, and adds up what they count:
//   halves    meeting in the middle (kernels/queens_halves.h), a range of row sets a
//             task; its tables are built once in each process
//   prefixes  backtracking (kernels/n_queens.h), the rows after a prefix a task
// --fundamental adds a stage that counts the symmetric boards; --show is one task that
// finds boards.

#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/duration_words.h"
#include "base/plural.h"
#include "jobs/api/job.h"
#include "jobs/kernels/n_queens.h"
#include "jobs/kernels/queens_boards.h"
#include "jobs/kernels/queens_halves.h"

namespace skep {
namespace {

constexpr int64_t kMaxShown = 10'000;

// --- What it will take ---------------------------------------------------------------

// A board of halves: CPU time on one core of a 2.6 GHz machine with AVX-512, and the
// memory of a worker (tables are shared by those of a process). Measured; from 22 on by
// a sample of row sets, scaled by the solutions that they have.
struct HalvesCost {
  double seconds;
  int megabytes;
};
constexpr HalvesCost kHalvesCosts[] = {
    {0.05, 1},  {0.57, 1},  {1.35, 8},    {12, 10},    {63, 62},     {600, 74},
    {5000, 60}, {42e3, 70}, {365e3, 260}, {34e5, 300}, {40e6, 1600}, {6e8, 1600}};
constexpr int kFirstHalvesCost = 16;
static_assert(kFirstHalvesCost + std::size(kHalvesCosts) == kMaxHalvesQueens + 1);
static_assert(kMaxHalvesQueens == kMaxQueens);

HalvesCost CostOfHalves(int64_t n) {
  return kHalvesCosts[std::max<int64_t>(n, kFirstHalvesCost) - kFirstHalvesCost];
}

// So many that a few workers end together, of no less than a twentieth of a second and
// no more than half of one; of two seconds where more tasks would be a burden, until
// there are as many as a job can carry (what they have come to travels in one message).
constexpr double kTasksOfBoard = 64, kManyTasks = 4000, kMaxTasks = 20'000;
constexpr double kLeastSecondsOfTask = 0.05;
constexpr double kMostSecondsOfTask = 0.5, kMostSecondsOfManyTasks = 2;

uint64_t TasksOfHalves(int64_t n) {
  const double seconds = CostOfHalves(n).seconds;
  double of_task =
      std::clamp(seconds / kTasksOfBoard, kLeastSecondsOfTask, kMostSecondsOfTask);
  of_task = std::max(of_task, std::min(seconds / kManyTasks, kMostSecondsOfManyTasks));
  return static_cast<uint64_t>(std::min(kMaxTasks, 1 + seconds / of_task));
}

// Backtracking on the same machine; the number of steps grows by these factors, like
// the number of solutions (A000170: 6.5 to 8.7 and slowly rising).
double SecondsOfPrefixes(int64_t n) {
  double seconds = 0.43;
  for (int64_t side = 17; side <= n; ++side) seconds *= 6.8 + 0.2 * (side - 16);
  for (int64_t side = 16; side > n; --side) seconds /= 6.8;
  return seconds;
}

// CPU time of this thread.
double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// How many times longer this machine takes than the figures above say, by a small
// board.
double Slowness(bool halves) {
  constexpr int kHalvesSide = 16, kPrefixesSide = 14;
  double best = 1e9;
  for (int i = 0; i < 2; ++i) {
    const double start = CpuSeconds();
    if (halves) {
      const auto board = QueensHalves::Create(kHalvesSide);
      if (board.ok()) (*board)->Count(0, (*board)->size(), {}).IgnoreError();
    } else {
      for (const QueensPrefix& prefix : QueensPrefixes(kPrefixesSide, 1)) {
        CountQueens(prefix, {}).IgnoreError();
      }
    }
    best = std::min(best, CpuSeconds() - start);
  }
  return best / (halves ? CostOfHalves(kHalvesSide).seconds
                        : SecondsOfPrefixes(kPrefixesSide));
}

bool ByHalves(const Options& options) {
  const int64_t n = options.GetInt("n");
  if (options.GetString("algorithm") != "auto") {
    return options.GetString("algorithm") == "halves";
  }
  return n >= kMinHalvesQueens;
}

// Enough tasks to keep a fleet busy to the end, few enough that none is over in less
// than the time it takes to send it. The number of prefixes grows tenfold with each
// queen.
int PrefixDepth(int64_t n) {
  if (n < 12) return 1;
  if (n < 19) return 2;
  return n < 21 ? 3 : 4;
}

// Said before the job starts.
std::string Announce(const Options& options) {
  constexpr double kWorthSaying = 30, kLongTask = 10;  // seconds
  const int64_t n = options.GetInt("n");
  const bool halves = ByHalves(options);
  const double reference = halves ? CostOfHalves(n).seconds : SecondsOfPrefixes(n);
  if (reference < kWorthSaying || options.GetInt("show") > 0) return "";
  const double seconds = reference * Slowness(halves);
  std::string line =
      StrCat("nqueens: this takes about ", InWords(absl::Seconds(seconds)),
             " on one core like this one, divided by how many there are");
  if (halves) {
    StrAppend(&line, ", and ", CostOfHalves(n).megabytes, " MB in each worker");
  } else if (n >= kMinHalvesQueens) {
    StrAppend(&line, "; --algorithm halves would take ",
              InWords(absl::Seconds(CostOfHalves(n).seconds * Slowness(true))));
  }
  const uint64_t tasks =
      halves ? TasksOfHalves(n)
             : QueensPrefixes(static_cast<int>(n), PrefixDepth(n)).size();
  const double of_task = seconds / static_cast<double>(tasks);
  if (of_task > kLongTask) {
    StrAppend(&line, "; the first partial total comes after a task of about ",
              InWords(absl::Seconds(of_task)));
  }
  return line;
}

// --- By prefixes -------------------------------------------------------------------

// A task's payload or result: varints.
std::string Encode(const std::vector<uint64_t>& numbers) {
  std::string bytes;
  for (const uint64_t number : numbers) PutVarint(&bytes, number);
  return bytes;
}

absl::StatusOr<std::vector<uint64_t>> Decode(std::string_view bytes, size_t at_least) {
  std::vector<uint64_t> numbers;
  const size_t size = bytes.size();
  while (!bytes.empty()) {
    numbers.emplace_back();
    if (!GetVarint(&bytes, &numbers.back())) numbers.clear();
    if (numbers.empty()) break;
  }
  if (numbers.size() < at_least) {
    return Internal("nqueens: ", size, " bytes of a task are malformed");
  }
  return numbers;
}

// Payload: n, weight, the columns. Scattered, so that the first tasks cost and count as
// the others do, and tell how long those will take: boards that begin in a corner have
// fewer solutions than those that begin in the middle.
StageSpec PrefixesStage(int64_t n) {
  StageSpec stage;
  stage.set_name("prefixes");
  const std::vector<QueensPrefix> prefixes = QueensPrefixes(n, PrefixDepth(n));
  const size_t count = prefixes.size();
  // By steps of a golden section.
  size_t step = 1 + count * 618 / 1000;
  while (std::gcd(step, count) != 1) ++step;
  for (size_t i = 0; i < count; ++i) {
    const QueensPrefix& prefix = prefixes[i * step % count];
    std::vector<uint64_t> numbers = {static_cast<uint64_t>(prefix.n),
                                     static_cast<uint64_t>(prefix.weight)};
    numbers.insert(numbers.end(), prefix.columns.begin(), prefix.columns.end());
    stage.mutable_tasks()->add_payload(Encode(numbers));
  }
  return stage;
}

class CountPrefix final : public Mapper {
 public:
  absl::Status Finish(MapContext& context) override {
    SKEP_ASSIGN_OR_RETURN(const auto numbers, Decode(context.payload(), 2));
    const QueensPrefix prefix{.n = static_cast<int>(numbers[0]),
                              .columns = {numbers.begin() + 2, numbers.end()}};
    SKEP_ASSIGN_OR_RETURN(const uint64_t count,
                          CountQueens(prefix, context.stop_token()));
    context.SetResult(Encode({numbers[1] * count}));
    return absl::OkStatus();
  }
};

// --- By halves ---------------------------------------------------------------------

// Payload: the task's number and how many there are. The row sets are known only to who
// has the tables, which planners do not build.
StageSpec HalvesStage(int64_t n) {
  const uint64_t tasks = TasksOfHalves(n);
  StageSpec stage;
  stage.set_name("halves");
  for (uint64_t task = 0; task < tasks; ++task) {
    stage.mutable_tasks()->add_payload(Encode({task, tasks}));
  }
  return stage;
}

class CountHalves final : public Mapper {
 public:
  absl::Status Finish(MapContext& context) override {
    SKEP_ASSIGN_OR_RETURN(const auto numbers, Decode(context.payload(), 2));
    SKEP_ASSIGN_OR_RETURN(const auto board,
                          SharedQueensHalves(context.options().GetInt("n")));
    const uint64_t task = numbers[0], tasks = numbers[1];
    SKEP_ASSIGN_OR_RETURN(
        const uint64_t count,
        board->Count(board->size() * task / tasks, board->size() * (task + 1) / tasks,
                     context.stop_token()));
    context.SetResult(Encode({count}));
    return absl::OkStatus();
  }
};

// --- Symmetric boards, and boards to show -------------------------------------------

StageSpec OneTask(const char* name) {
  StageSpec stage;
  stage.set_name(name);
  stage.mutable_tasks()->add_payload("");
  return stage;
}

class CountSymmetric final : public Mapper {
 public:
  absl::Status Finish(MapContext& context) override {
    SKEP_ASSIGN_OR_RETURN(
        const QueensSymmetries found,
        CountSymmetricQueens(context.options().GetInt("n"), context.stop_token()));
    context.SetResult(Encode({found.half_turn, found.quarter_turn}));
    return absl::OkStatus();
  }
};

// Result: the columns of all boards, one after the other.
class FindBoards final : public Mapper {
 public:
  absl::Status Finish(MapContext& context) override {
    const Options& options = context.options();
    SKEP_ASSIGN_OR_RETURN(
        const std::vector<QueensBoard> boards,
        FirstQueensBoards(options.GetInt("n"), options.GetInt("show"),
                          options.GetBool("fundamental"), context.stop_token()));
    std::vector<uint64_t> columns;
    for (const QueensBoard& board : boards) {
      columns.insert(columns.end(), board.begin(), board.end());
    }
    context.SetResult(Encode(columns));
    return absl::OkStatus();
  }
};

// --- The answers --------------------------------------------------------------------

absl::StatusOr<PlanResult> AnswerBoards(const Options& options,
                                        const StageResult& stage) {
  SKEP_ASSIGN_OR_RETURN(const auto columns, Decode(stage.map_results(0), 0));
  const size_t n = options.GetInt("n");
  std::string text, json;
  for (size_t i = 0; i < columns.size(); ++i) {
    const bool first_row = i % n == 0;
    if (first_row && i > 0) text += '\n';
    for (size_t column = 0; column < n; ++column) {
      if (column > 0) text += ' ';
      text += column == columns[i] ? 'Q' : '.';
    }
    text += '\n';
    StrAppend(&json, !first_row ? "," : i == 0 ? "[" : "],[", columns[i]);
  }
  if (!columns.empty()) json += ']';
  std::vector<std::string> notes;
  const size_t boards = columns.size() / n;
  if (boards < static_cast<size_t>(options.GetInt("show"))) {
    notes.push_back(StrCat("there are only ", boards));
  }
  return Done(std::move(text), StrCat("{\"n\":", n, ",\"boards\":[", json, "]}"),
              std::move(notes));
}

absl::StatusOr<PlanResult> AnswerCount(const PlanInput& input) {
  const int64_t n = input.options.GetInt("n");
  uint64_t solutions = 0;
  for (const std::string& result : input.finished[0].map_results()) {
    SKEP_ASSIGN_OR_RETURN(const auto numbers, Decode(result, 1));
    solutions += numbers[0];
  }
  const std::string json = StrCat("{\"n\":", n, ",\"solutions\":", solutions);
  if (input.finished.size() == 1) return Done(StrCat(solutions, "\n"), json + "}");
  SKEP_ASSIGN_OR_RETURN(const auto kept, Decode(input.finished[1].map_results(0), 2));
  const uint64_t fundamental = FundamentalQueens(
      static_cast<int>(n), solutions, {.half_turn = kept[0], .quarter_turn = kept[1]});
  return Done(
      StrCat(fundamental, "\n"), StrCat(json, ",\"fundamental\":", fundamental, "}"),
      {StrCat(Counted(solutions, "solution"), ", ", fundamental, " up to symmetry")});
}

// What tasks of a stage have counted so far.
std::string Partial(std::string_view stage, const std::vector<std::string>& results) {
  if (results.empty() || (stage != "halves" && stage != "prefixes")) return "";
  uint64_t solutions = 0;
  for (const std::string& result : results) {
    const auto numbers = Decode(result, 1);
    if (!numbers.ok()) return "";
    solutions += (*numbers)[0];
  }
  return StrCat(Counted(solutions, "solution"), " so far");
}

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  const int64_t n = input.options.GetInt("n");
  const bool show = input.options.GetInt("show") > 0;
  if (input.finished.empty()) {
    if (show) return NextStage(OneTask("boards"));
    return NextStage(ByHalves(input.options) ? HalvesStage(n) : PrefixesStage(n));
  }
  if (show) return AnswerBoards(input.options, input.finished[0]);
  if (input.options.GetBool("fundamental") && input.finished.size() == 1) {
    return NextStage(OneTask("symmetric"));
  }
  return AnswerCount(input);
}

// --- The flags ----------------------------------------------------------------------

absl::Status CheckHalves(const Options& options) {
  const int64_t n = options.GetInt("n");
  if (options.GetInt("show") > 0 || !ByHalves(options) || n >= kMinHalvesQueens) {
    return absl::OkStatus();
  }
  return InvalidArgument("--algorithm halves takes boards of ", kMinHalvesQueens,
                         " to ", kMaxHalvesQueens, " queens, not ", n,
                         ": leave it to auto");
}

absl::Status CheckAlgorithm(const std::string& value) {
  if (value == "auto" || value == "prefixes" || value == "halves") {
    return absl::OkStatus();
  }
  return InvalidArgument("give auto, halves or prefixes");
}

absl::Status CheckShow(const std::string& value) {
  const int64_t boards = std::atoll(value.c_str());
  if (boards >= 1 && boards <= kMaxShown) return absl::OkStatus();
  return InvalidArgument("give a number from 1 to ", kMaxShown);
}

}  // namespace

void NQueens(Job& job) {
  job.Name("nqueens")
      .Summary(
          "Counts the ways to put N queens on an N x N board, none attacking another")
      .Example("skep run nqueens --n 16")
      .AddFlag(
          {.name = "n",
           .type = Flag::Type::kInt,
           .default_value = "8",
           .value_name = "N",
           .help = StrCat("The side of the board, ", kMinQueens, " to ", kMaxQueens,
                          "; a core takes a minute for 20, an hour or "
                          "two for 22, days for 24, years for 26"),
           .check =
               [](const std::string& value) {
                 return CheckQueens(std::atoi(value.c_str()));
               }})
      .AddFlag({.name = "algorithm",
                .default_value = "auto",
                .value_name = "NAME",
                .help = StrCat(
                    "halves: meeting in the middle, sides from ", kMinHalvesQueens,
                    " on; prefixes: backtracking; auto: halves where it can"),
                .check = CheckAlgorithm})
      .AddFlag({.name = "fundamental",
                .type = Flag::Type::kBool,
                .help = "Count boards that turns and mirrors make equal as one"})
      .AddFlag({.name = "show",
                .type = Flag::Type::kInt,
                .value_name = "K",
                .help = "Draw the first K boards, in the order of their columns, "
                        "instead of counting",
                .check = CheckShow})
      .Input({.kind = InputFormat::Kind::kNone})
      .Output(OutputShape::kNone)
      .Check(CheckHalves)
      .Announce(Announce)
      .Partial(Partial)
      .AddStage("prefixes", {.mapper = [] { return std::make_unique<CountPrefix>(); }})
      .AddStage("halves", {.mapper = [] { return std::make_unique<CountHalves>(); }})
      .AddStage("symmetric",
                {.mapper = [] { return std::make_unique<CountSymmetric>(); }})
      .AddStage("boards", {.mapper = [] { return std::make_unique<FindBoards>(); }})
      .Plan(Plan);
}

}  // namespace skep
