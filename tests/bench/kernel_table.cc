#include "tests/bench/kernel_table.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "base/strings.h"
#include "jobs/api/json_text.h"
#include "tests/bench/bench_inputs.h"
#include "tests/bench/kernel_references.h"
#include "tests/bench/kernel_rows.h"
#include "tests/bench/machine.h"

namespace skep {
namespace {

// A row is measured again until it took this long.
constexpr double kQuickSeconds = 1.5;
constexpr double kFullSeconds = 4;

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Figures {
  double low, median, high;
  size_t runs;
};

bool LessIsBetter(const KernelRow& row) {
  return row.unit == "s" || row.unit == "ns/item" || row.unit == "%";
}

// Letters and digits alone, the former small: `nqueens` asks for N-Queens.
std::string Bare(std::string_view text) {
  std::string bare;
  for (const char c : text) {
    if (absl::ascii_isalnum(c)) bare += absl::ascii_tolower(c);
  }
  return bare;
}

// Does the row's work once. In its unit.
double MeasureOnce(const KernelRow& row, CpuPath path) {
  if (row.figure) return row.figure();
  const double start = ThreadSeconds();
  if (row.run) row.run(path);
  const double took = row.seconds ? row.seconds() : ThreadSeconds() - start;
  if (row.unit == "ns/item") return 1e9 * took / row.scale;
  return row.unit == "s" ? took : row.scale / took;
}

// In the row's unit.
Figures Measure(const KernelRow& row, CpuPath path, const KernelBenchOptions& options) {
  std::vector<double> figures;
  const double begin = ThreadSeconds();
  for (int i = 0; i < options.repetitions; ++i) {
    figures.push_back(MeasureOnce(row, path));
    // It is the same each time.
    if (row.figure) break;
    const double patience = options.full ? kFullSeconds : kQuickSeconds;
    if (ThreadSeconds() - begin > patience) break;
  }
  std::sort(figures.begin(), figures.end());
  return {figures.front(), figures[figures.size() / 2], figures.back(), figures.size()};
}

// How many times as good: over 1 is better.
double Ratio(const KernelRow& row, double figure, double other) {
  return LessIsBetter(row) ? other / figure : figure / other;
}

std::string Cell(double value) {
  if (value == 0) return "-";
  const int decimals = value >= 1000 ? 0 : value >= 10 ? 1 : 3;
  return absl::StrFormat("%.*f", decimals, value);
}

void PrintRow(const KernelRow& row, CpuPath path, const Figures& figures,
              double baseline, const KernelBenchOptions& options) {
  const std::string_view path_name = row.has_paths ? CpuPathName(path) : "";
  const double to_published =
      row.published == 0 ? 0 : Ratio(row, figures.median, row.published);
  const double to_baseline = baseline == 0 ? 0 : Ratio(row, figures.median, baseline);
  if (options.json) {
    absl::PrintF(
        "{\"family\":%s,\"row\":%s,\"path\":%s,\"unit\":%s,\"low\":%.6g,"
        "\"median\":%.6g,\"high\":%.6g,\"runs\":%d,\"published\":%.6g,"
        "\"published_by\":%s,\"ratio\":%.4g,\"baseline\":%s,"
        "\"baseline_ratio\":%.4g,\"machine\":%s}\n",
        JsonString(row.family), JsonString(row.name), JsonString(path_name),
        JsonString(row.unit), figures.low, figures.median, figures.high, figures.runs,
        row.published, JsonString(row.published_by), to_published,
        JsonString(row.baseline), to_baseline, MachineJson());
    return;
  }
  absl::PrintF("%-36s %-7s %9s %-9s +-%3.0f%%  %9s %-16s %6s %8s %5.1f\n", row.name,
               ToAbsl(path_name), Cell(figures.median), row.unit,
               50 * (figures.high - figures.low) / figures.median, Cell(row.published),
               row.published == 0 ? "" : row.published_by, Cell(to_published),
               Cell(to_baseline), MachineLoad());
  std::fflush(stdout);
}

void PrintHead(const KernelBenchOptions& options) {
  if (options.json) return;
  absl::PrintF("%s\n", MachineLine());
  absl::PrintF("CPU time of one thread, medians. Ratios over 1 are faster.\n");
  if (options.data.empty()) {
    absl::PrintF(
        "Without --data DIR (kjv.txt, sudoku17_20k.txt, magictour_1465.txt, "
        "hardest_1000.txt) rows are missing.\n");
  }
}

void PrintReferences(std::string_view family) {
  bool first = true;
  for (const KernelReference& reference : KernelReferences()) {
    if (reference.family != family) continue;
    absl::PrintF("%s%-41s %s\n", first ? "public programs:\n" : "",
                 ToAbsl(StrCat("  ", reference.program)), ToAbsl(reference.figures));
    first = false;
  }
}

// The paths of this machine on which a row is measured.
std::vector<CpuPath> PathsOf(const KernelRow& row, const KernelBenchOptions& options) {
  // What has none in its hands takes the best one.
  if (!row.has_paths) return {BestCpuPath()};
  std::vector<CpuPath> paths = SupportedCpuPaths();
  std::erase_if(paths, [&options](CpuPath path) {
    return !options.path.empty() && CpuPathName(path) != options.path;
  });
  return paths;
}

bool Wanted(const KernelRow& row, const KernelBenchOptions& options) {
  const std::string only = Bare(options.only);
  return Bare(row.name).find(only) != std::string::npos ||
         Bare(row.family).find(only) != std::string::npos;
}

void RunFamily(const std::vector<KernelRow>& rows, const KernelBenchOptions& options) {
  std::map<std::string, double> baselines;
  bool headed = options.json;
  for (const KernelRow& row : rows) {
    // A baseline is measured for those that want it.
    if (std::none_of(rows.begin(), rows.end(), [&](const KernelRow& other) {
          return Wanted(other, options) &&
                 (&other == &row || other.baseline == row.name);
        })) {
      continue;
    }
    if (!headed) {
      absl::PrintF("\n%-36s %-7s %9s %-9s %6s  %9s %-16s %6s %8s %5s\n", row.family,
                   "path", "here", "", "spread", "published", "", "ratio", "baseline",
                   "load");
      headed = true;
    }
    for (const CpuPath path : PathsOf(row, options)) {
      const Figures figures = Measure(row, path, options);
      if (row.baseline.empty()) baselines[row.name] = figures.median;
      const auto baseline = baselines.find(row.baseline);
      PrintRow(row, path, figures, baseline == baselines.end() ? 0 : baseline->second,
               options);
    }
  }
  if (!options.json && headed) PrintReferences(rows.front().family);
}

absl::Status CheckPath(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  std::string names;
  for (const CpuPath here : SupportedCpuPaths()) {
    if (CpuPathName(here) == path) return absl::OkStatus();
    StrAppend(&names, names.empty() ? "" : ", ", CpuPathName(here));
  }
  return InvalidArgument("this machine has no path \"", path, "\": it has ", names);
}

}  // namespace

absl::Status RunKernelBench(const KernelBenchOptions& options) {
  SKEP_RETURN_IF_ERROR(CheckData(options.data));
  SKEP_RETURN_IF_ERROR(CheckPath(options.path));
  bool headed = false;
  using MakeRows = std::vector<KernelRow> (*)(const KernelBenchOptions&);
  const std::pair<std::string_view, MakeRows> families[] = {
      {"N-Queens", QueensRows}, {"Sudoku", SudokuRows}, {"Words", WordRows},
      {"Sort", SortRows},       {"Grep", GrepRows},     {"Numbers", NumberRows},
      {"Sketches", SketchRows}};
  const std::string only = Bare(options.only);
  const bool one =
      std::any_of(std::begin(families), std::end(families),
                  [only](const auto& family) { return Bare(family.first) == only; });
  std::string names;
  // One family's input at a time, and none that is not wanted.
  for (const auto& [name, make_rows] : families) {
    if (one && Bare(name) != only) continue;
    const std::vector<KernelRow> rows = make_rows(options);
    StrAppend(&names, rows.empty() ? "" : "\n  ", rows.empty() ? "" : name);
    for (const KernelRow& row : rows) StrAppend(&names, "\n    ", row.name);
    if (std::none_of(rows.begin(), rows.end(),
                     [&](const KernelRow& row) { return Wanted(row, options); })) {
      continue;
    }
    if (!headed) PrintHead(options);
    headed = true;
    RunFamily(rows, options);
  }
  if (headed) return absl::OkStatus();
  return InvalidArgument("no row's name and no family's contains '", options.only,
                         "'; there are:", names);
}

}  // namespace skep
