// The rows of N-Queens and Sudoku.

#include <algorithm>
#include <atomic>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/strings.h"
#include "glog/logging.h"
#include "jobs/kernels/n_queens.h"
#include "jobs/kernels/queens_halves.h"
#include "jobs/kernels/sudoku.h"
#include "tests/bench/baselines.h"
#include "tests/bench/bench_inputs.h"
#include "tests/bench/kernel_rows.h"
#include "tests/bench/self_process.h"
#include "tools/gen/puzzles.h"

namespace skep {
namespace {

// --- N-Queens ----------------------------------------------------------------------

// What public programs take, in seconds.
const std::map<int, double> kPlain = {{16, 4.2}, {17, 31}};
const std::map<int, double> kBacktracker = {{16, 2.8}, {17, 19.7}, {18, 142}};
const std::map<int, double> kQuadrants = {
    {16, 0.264}, {17, 3.94}, {18, 7.03}, {19, 100}, {20, 403}};

// Those of the side: the best first.
std::vector<Published> QueensPublished(int n, bool halves) {
  std::vector<Published> published;
  const auto add = [&](const std::map<int, double>& seconds, const char* by) {
    if (const auto found = seconds.find(n); found != seconds.end()) {
      published.push_back({found->second, by});
    }
  };
  if (halves) add(kQuadrants, "quadrants");
  add(kBacktracker, "best backtracker");
  add(kPlain, "plain bitmask");
  return published;
}

KernelRow PlainRow(int n) {
  KernelRow row{.name = StrCat(n, " plain bitmask"),
                .run = [n](CpuPath) { Use(PlainQueens(n)); }};
  if (kPlain.contains(n)) row.published = {{kPlain.at(n), "plain bitmask"}};
  return row;
}

KernelRow PrefixesRow(int n) {
  return {.name = StrCat(n, " by prefixes"),
          .run =
              [n](CpuPath path) {
                for (const QueensPrefix& prefix : QueensPrefixes(n, 2)) {
                  Use(CountQueens(prefix, {}, path).value());
                }
              },
          .has_paths = n <= 17,
          .published = QueensPublished(n, false)};
}

// OEIS A000170, from 14 on: a kernel that is fast and wrong ends the table.
constexpr uint64_t kQueensFrom14[] = {365596,    2279184,    14772512,   95815104,
                                      666090624, 4968057848, 39029188884};

KernelRow HalvesRow(int n) {
  return {.name = StrCat(n, " by halves"),
          .run =
              [n](CpuPath path) {
                const auto board = QueensHalves::Create(n, path).value();
                CHECK_EQ(board->Count(0, board->size(), {}).value(),
                         kQueensFrom14[n - 14]);
              },
          .has_paths = n <= 18,  // the others would take minutes without AVX-512
          .published = QueensPublished(n, true)};
}

// Elapsed seconds of counting by halves with so many threads, the tables included.
double SecondsOfThreads(int n, int threads) {
  const absl::Time start = absl::Now();
  const auto board = QueensHalves::Create(n).value();
  const size_t step = std::max<size_t>(1, board->size() / 200);
  std::atomic<size_t> next = 0;
  std::atomic<uint64_t> total = 0;
  {
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([&] {
        for (size_t at; (at = next.fetch_add(step)) < board->size();) {
          total += board->Count(at, std::min(at + step, board->size()), {}).value();
        }
      });
    }
  }
  CHECK_EQ(total, kQueensFrom14[n - 14]);
  return absl::ToDoubleSeconds(absl::Now() - start);
}

// Elapsed time: says nothing on a machine that is not idle.
KernelRow TwoCoresRow(int n) {
  return {.name = StrCat(n, " by halves, two cores over one"),
          .unit = "x",
          .figure = [n] { return SecondsOfThreads(n, 1) / SecondsOfThreads(n, 2); },
          .asked = {{.figure = 1.9}}};
}

// --- Sudoku ------------------------------------------------------------------------

using Puzzles = Lazy<std::vector<std::string>>;

std::vector<std::string> LinesOf(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void SolveAll(const std::vector<std::string>& puzzles, const SudokuOptions& options) {
  for (const std::string& puzzle : puzzles) Use(SolveSudoku(puzzle, options).guesses);
}

double GuessesEach(const std::vector<std::string>& puzzles, SudokuMethod method) {
  uint64_t guesses = 0;
  for (const std::string& puzzle : puzzles) {
    guesses += SolveSudoku(puzzle, {.limit = 2, .method = method}).guesses;
  }
  return static_cast<double>(guesses) / static_cast<double>(puzzles.size());
}

void AddPuzzles(const std::string& name, const Puzzles& puzzles,
                const std::vector<Published>& published,
                const std::vector<Asked>& asked, std::vector<KernelRow>* rows) {
  const auto few = [puzzles] { return std::min<size_t>(500, puzzles->size()); };
  const std::string plain = name + ", dancing links";
  KernelRow links{.name = plain,
                  .unit = "/s",
                  .work = [few] { return static_cast<double>(few()); },
                  .run =
                      [=](CpuPath) {
                        for (size_t i = 0; i < few(); ++i) {
                          Use(DancingLinksSolution((*puzzles)[i]).size());
                        }
                      }};
  // muduo's stands last.
  if (!published.empty() && published.back().by == "muduo's links") {
    links.published = {published.back()};
  }
  rows->push_back(std::move(links));
  for (const uint64_t limit : {1, 2}) {
    rows->push_back(
        {.name = name + (limit == 1 ? ", first" : ", proved unique"),
         .unit = "/s",
         .work = [=] { return static_cast<double>(puzzles->size()); },
         .run =
             [=](CpuPath path) { SolveAll(*puzzles, {.limit = limit, .path = path}); },
         .has_paths = true,
         .published = published,
         .baselines = {plain},
         .asked = asked});
  }
  for (const bool boxes : {true, false}) {
    const SudokuMethod method = boxes ? SudokuMethod::kBoxes : SudokuMethod::kBands;
    rows->push_back({.name = StrCat(name, ", a proof by ", boxes ? "boxes" : "bands"),
                     .unit = "guesses",
                     .figure = [=] { return GuessesEach(*puzzles, method); },
                     .same_each_time = true});
  }
}

// A server with one compute thread, a client of it with a connection: requests a second
// of the server's CPU time, the system's included.
double TextRequestsPerCpuSecond(const std::string& puzzles, int requests) {
  const auto server =
      SelfServer::Start({"skep", "serve", "sudoku", "--listen", "127.0.0.1:0",
                         "--threads", "1", "--stats", "none"});
  CHECK(server.ok()) << server.status();
  const std::string pid = StrCat((*server)->pid());
  const BenchFolder folder;
  const auto load = RunSelf(
      folder, {"skep", "load", "sudoku", "--target", (*server)->address(), "--protocol",
               "text", "--puzzles", puzzles, "--window", "512", "--requests",
               StrCat(requests), "--max-failed", "0", "--cpu-of", pid, "--json"});
  CHECK(load.ok() && load->status == 0)
      << load.status() << (load.ok() ? load->err : "");
  return 1e6 / nlohmann::json::parse(load->out)["cpu_us_per_call"][pid].get<double>();
}

KernelRow TextServerRow(const KernelBenchOptions& options) {
  return {.name = "17 clues, text protocol, pipelined",
          .unit = "/s",
          .figure =
              [puzzles = options.data + "/sudoku17_20k.txt",
               requests = options.full ? 500'000 : 200'000] {
                return TextRequestsPerCpuSecond(puzzles, requests);
              },
          .published = {{30'000, "muduo's server"}},
          .asked = {{.figure = 150'000}}};
}

}  // namespace

std::vector<KernelRow> QueensRows(const KernelBenchOptions& options) {
  std::vector<KernelRow> rows;
  const auto add = [&rows](KernelRow row, std::vector<std::string> baselines,
                           std::vector<Asked> asked) {
    row.baselines = std::move(baselines);
    row.asked = std::move(asked);
    rows.push_back(std::move(row));
  };
  const auto plain = [](int n) { return StrCat(n, " plain bitmask"); };
  add(PlainRow(14), {}, {});
  add(PrefixesRow(14), {plain(14)}, {});
  add(HalvesRow(14), {plain(14)}, {});
  add(PlainRow(16), {}, {});
  add(PrefixesRow(16), {plain(16)}, {{.figure = 2.8}});
  add(HalvesRow(16), {plain(16)},
      {{.figure = 0.264},
       {.figure = 15.9, .over = plain(16)},
       {.figure = 0.7 * 0.264, .must = false}});
  if (options.longest) {
    add(PlainRow(17), {}, {});
    add(PrefixesRow(17), {plain(17)}, {});
    add(PrefixesRow(18), {plain(17)}, {});
  }
  // Half of the public program's time at odd sides, 0.7 of it at even ones.
  const int last = options.longest ? 20 : options.full ? 18 : 17;
  for (int n = 17; n <= last; ++n) {
    const double seconds = kQuadrants.at(n);
    add(HalvesRow(n), {plain(options.longest ? 17 : 16)},
        {{.figure = seconds},
         {.figure = (n % 2 == 1 ? 0.5 : 0.7) * seconds, .must = false}});
  }
  for (KernelRow& row : rows) row.unit = std::string(1, 's');
  add(TwoCoresRow(options.full ? 18 : 17), {}, {{.figure = 1.9}});
  return rows;
}

std::vector<KernelRow> SudokuRows(const KernelBenchOptions& options) {
  std::vector<KernelRow> rows;
  const auto add = [&](const char* name, const char* file,
                       const std::vector<Published>& published,
                       const std::vector<Asked>& asked) {
    if (options.data.empty()) return;
    AddPuzzles(name, Puzzles([=, data = options.data] {
                 return LinesOf(ReadData(data, file));
               }),
               published, asked, &rows);
  };
  add("17 clues", "sudoku17_20k.txt",
      {{286'000, "Rust band solver"},
       {267'000, "tdoku"},
       {204'000, "JCZSolve"},
       {25'000, "muduo's links"}},
      {{.figure = 286'000}});
  if (!options.data.empty()) rows.push_back(TextServerRow(options));
  add("magictour", "magictour_1465.txt",
      {{105'900, "tdoku"}, {70'800, "Rust band solver"}, {58'100, "JCZSolve"}},
      {{.figure = 84'000}, {.figure = 105'900, .must = false}});
  add("hardest", "hardest_1000.txt",
      {{19'100, "tdoku"}, {11'600, "Rust band solver"}, {9'700, "JCZSolve"}},
      {{.figure = 15'000}, {.figure = 19'100, .must = false}});
  AddPuzzles("24 clues, generated", Puzzles([] {
               return LinesOf(Generate(
                   GeneratePuzzles,
                   {.min_clues = 24, .max_clues = 24, .unique = true, .count = 1000}));
             }),
             {}, {}, &rows);
  return rows;
}

}  // namespace skep
