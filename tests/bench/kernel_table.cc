#include "tests/bench/kernel_table.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status.h"
#include "base/strings.h"
#include "jobs/api/json_text.h"
#include "tests/bench/kernel_rows.h"

namespace skep {
namespace {

// A quick run measures a row again until it took this long.
constexpr double kQuickSeconds = 1.5;

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Figures {
  double low, median, high;
  size_t runs;
};

// In the row's unit.
Figures Measure(const KernelRow& row, CpuPath path, const KernelBenchOptions& options) {
  std::vector<double> figures;
  const double begin = ThreadSeconds();
  for (int i = 0; i < options.repetitions; ++i) {
    const double start = ThreadSeconds();
    if (row.run) row.run(path);
    const double took = row.seconds ? row.seconds() : ThreadSeconds() - start;
    figures.push_back(row.unit == "s" ? took : row.scale / took);
    if (!options.full && ThreadSeconds() - begin > kQuickSeconds) break;
  }
  std::sort(figures.begin(), figures.end());
  return {figures.front(), figures[figures.size() / 2], figures.back(), figures.size()};
}

// How many times as good: over 1 is better.
double Ratio(const KernelRow& row, double figure, double other) {
  return row.unit == "s" ? other / figure : figure / other;
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
        "\"ratio\":%.4g,\"baseline_ratio\":%.4g}\n",
        JsonString(row.family), JsonString(row.name), JsonString(path_name),
        JsonString(row.unit), figures.low, figures.median, figures.high, figures.runs,
        row.published, to_published, to_baseline);
    return;
  }
  absl::PrintF("%-36s %-7s %9s %-9s +-%3.0f%%  %9s %-16s %6s %8s\n", row.name,
               ToAbsl(path_name), Cell(figures.median), row.unit,
               50 * (figures.high - figures.low) / figures.median, Cell(row.published),
               row.published == 0 ? "" : row.published_by, Cell(to_published),
               Cell(to_baseline));
  std::fflush(stdout);
}

std::string FirstLineAfter(const char* file, const std::string& start) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(start)) return line.substr(line.find(start) + start.size());
  }
  return " unknown";
}

void PrintHead(const KernelBenchOptions& options) {
  if (options.json) return;
  absl::PrintF("CPU%s; best path %s; load %s\n",
               FirstLineAfter("/proc/cpuinfo", "model name\t"),
               ToAbsl(CpuPathName(BestCpuPath())), FirstLineAfter("/proc/loadavg", ""));
  absl::PrintF("CPU time of one thread, medians. Ratios over 1 are faster.\n");
  if (options.data.empty()) {
    absl::PrintF(
        "Without --data DIR (kjv.txt, sudoku17_20k.txt, magictour_1465.txt, "
        "hardest_1000.txt) rows are missing.\n");
  }
}

void RunFamily(const std::vector<KernelRow>& rows, const KernelBenchOptions& options) {
  const auto wanted = [&options](const KernelRow& row) {
    return options.only.empty() || row.name.find(options.only) != std::string::npos;
  };
  std::map<std::string, double> baselines;
  bool headed = options.json;
  for (const KernelRow& row : rows) {
    // A baseline is measured for those that want it.
    if (std::none_of(rows.begin(), rows.end(), [&](const KernelRow& other) {
          return wanted(other) && (&other == &row || other.baseline == row.name);
        })) {
      continue;
    }
    if (!headed) {
      absl::PrintF("\n%-36s %-7s %9s %-9s %6s  %9s %-16s %6s %8s\n", row.family, "path",
                   "here", "", "spread", "published", "", "ratio", "baseline");
      headed = true;
    }
    const std::vector<CpuPath> paths =
        row.has_paths ? SupportedCpuPaths() : std::vector<CpuPath>{BestCpuPath()};
    for (const CpuPath path : paths) {
      const Figures figures = Measure(row, path, options);
      if (row.baseline.empty()) baselines[row.name] = figures.median;
      const auto baseline = baselines.find(row.baseline);
      PrintRow(row, path, figures, baseline == baselines.end() ? 0 : baseline->second,
               options);
    }
  }
}

absl::Status CheckData(const std::string& folder) {
  if (folder.empty()) return absl::OkStatus();
  for (const char* name :
       {"kjv.txt", "sudoku17_20k.txt", "magictour_1465.txt", "hardest_1000.txt"}) {
    if (!std::ifstream(StrCat(folder, "/", name))) {
      return NotFound("cannot read ", folder, "/", name,
                      ": --data names a folder that has it");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunKernelBench(const KernelBenchOptions& options) {
  SKEP_RETURN_IF_ERROR(CheckData(options.data));
  PrintHead(options);
  // One family's input at a time.
  for (const auto family :
       {QueensRows, SudokuRows, WordRows, SortRows, GrepRows, NumberRows}) {
    RunFamily(family(options), options);
  }
  return absl::OkStatus();
}

}  // namespace skep
