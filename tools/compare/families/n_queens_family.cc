// Counting the solutions of N queens.

#include <cstdlib>
#include <memory>
#include <stop_token>

#include "base/cpu_path.h"
#include "base/status.h"
#include "base/strings.h"
#include "jobs/kernels/n_queens.h"
#include "jobs/kernels/queens_coronal.h"
#include "jobs/kernels/queens_halves.h"
#include "tests/bench/baselines.h"
#include "tools/compare/family.h"

namespace skep {
namespace {

uint64_t CountByHalves(int n, CpuPath path) {
  const auto board = QueensHalves::Create(n, path);
  return board.ok() ? (*board)->Count(0, (*board)->size(), {}).value_or(0) : 0;
}

uint64_t CountByPrefixes(int n, CpuPath path) {
  uint64_t count = 0;
  for (const QueensPrefix& prefix : QueensPrefixes(n, 2)) {
    count += static_cast<uint64_t>(prefix.weight) *
             CountQueens(prefix, {}, path).value_or(0);
  }
  return count;
}

struct QueensAlgorithm {
  const char* name;
  const char* what;
  uint64_t (*count)(int n);
  CpuPath least;  // the machine must have it
  // Asked for: nothing, if it has only one.
  std::optional<CpuPath> path = std::nullopt;
  CpuExtra needs = CpuExtra::kNone;
};

const QueensAlgorithm kAlgorithms[] = {
    {"backtracking", "by bit masks, row by row, all of the board", PlainWholeQueens,
     CpuPath::kScalar},
    {"bitmask", "the same by mirror symmetry, half of the board", PlainQueens,
     CpuPath::kScalar},
    {"coronal", "the outermost ring first, by all eight symmetries, then row by row",
     CountQueensByRing, CpuPath::kScalar},
    {"prefixes",
     "backtracking with look-ahead, by mirror symmetry, four boards at a time",
     [](int n) { return CountByPrefixes(n, CpuPath::kScalar); }, CpuPath::kScalar,
     CpuPath::kScalar},
    {"lanes", "the same, sixteen boards at a time with AVX-512",
     [](int n) { return CountByPrefixes(n, CpuPath::kAvx512); }, CpuPath::kAvx512,
     CpuPath::kAvx512},
    {"halves", "meeting in the middle, on the best path, tables included",
     [](int n) { return CountByHalves(n, BestCpuPath()); }, CpuPath::kScalar,
     BestCpuPath(), kQueensHalvesNeed},
    {"halves-avx2", "the same with AVX2",
     [](int n) { return CountByHalves(n, CpuPath::kAvx2); }, CpuPath::kAvx2,
     CpuPath::kAvx2},
    {"halves-scalar", "the same without vectors",
     [](int n) { return CountByHalves(n, CpuPath::kScalar); }, CpuPath::kScalar,
     CpuPath::kScalar},
};

// More takes hours.
constexpr uint64_t kMaxSide = 20;

absl::StatusOr<ComparedCase> MakeCase(const std::string& /*input*/, uint64_t size,
                                      uint64_t /*seed*/) {
  if (size < kMinHalvesQueens || size > kMaxSide) {
    return InvalidArgument("a board of side ", size,
                           ": all algorithms take sides from ", kMinHalvesQueens,
                           " to ", kMaxSide);
  }
  const int n = static_cast<int>(size);
  ComparedCase all{.input = StrCat(n, " queens")};
  for (const QueensAlgorithm& algorithm : kAlgorithms) {
    if (algorithm.least > BestCpuPath()) continue;
    all.algorithms.push_back({.name = algorithm.name,
                              .what = algorithm.what,
                              .run = [n, count = algorithm.count] {
                                return ComparedRun{.answer = StrCat(count(n))};
                              }});
    if (algorithm.path) {
      all.algorithms.back().path = TakenCpuPath(*algorithm.path, algorithm.needs);
    }
  }
  return all;
}

absl::StatusOr<FleetInput> MakeFleetInput(const std::string& /*input*/, uint64_t size,
                                          uint64_t /*seed*/) {
  return FleetInput{.what = StrCat(size, " queens"), .flags = {{"n", StrCat(size)}}};
}

}  // namespace

CompareFamily QueensFamily() {
  std::vector<std::string> by_default = {"backtracking", "bitmask", "coronal",
                                         "prefixes", "halves"};
  if (BestCpuPath() == CpuPath::kAvx512) {
    by_default.insert(by_default.end() - 1, "lanes");
  }
  return {.name = "nqueens",
          .what = "counting the solutions of N queens",
          .size_name = "queens",
          .size_example = StrCat("12,14 (", kMinHalvesQueens, " to ", kMaxSide, ")"),
          .sizes = {8, 10, 11, 12, 13, 14},
          .most = kMaxQueens,
          .inputs = {"board"},
          .by_default = by_default,
          .cost_of_all = true,
          .counts = "Rounds and bytes moved: -, boards are not read from anywhere.",
          .make = MakeCase,
          .on_fleet = {.job = "nqueens",
                       .algorithms = {{.name = "prefixes",
                                       .what = "backtracking, a prefix or more a task",
                                       .flags = {{"algorithm", "prefixes"}}},
                                      {.name = "halves",
                                       .what = "meeting in the middle, row sets a task",
                                       .flags = {{"algorithm", "halves"}}}},
                       .sizes = {15, 16, 17},
                       .make = MakeFleetInput}};
}

}  // namespace skep
