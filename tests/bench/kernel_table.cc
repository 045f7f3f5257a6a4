#include "tests/bench/kernel_table.h"

#include <time.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "base/status.h"
#include "base/strings.h"
#include "tests/bench/bench_inputs.h"
#include "tests/bench/kernel_report.h"
#include "tests/bench/kernel_rows.h"

namespace skep {
namespace {

// A row is measured again until it took this long.
constexpr char kWithoutData[] =
    "; all rows of Grep, those of Sudoku over files and those of Words over kjv.txt "
    "want --data DIR (a folder with kjv.txt, sudoku17_20k.txt, magictour_1465.txt and "
    "hardest_1000.txt)";
constexpr double kQuickSeconds = 1.5;
constexpr double kFullSeconds = 4;

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double ElapsedSeconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
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
double MeasureOnce(const KernelRow& row, CpuPath path, double work) {
  if (row.figure) return row.figure();
  const double start = ThreadSeconds();
  if (row.run) row.run(path);
  const double took = row.seconds ? row.seconds() : ThreadSeconds() - start;
  if (row.unit == "ns/item") return 1e9 * took / work;
  return row.unit == "s" ? took : work / took;
}

KernelFigures Measure(const KernelRow& row, CpuPath path,
                      const KernelBenchOptions& options) {
  const double work = row.work();
  std::vector<double> figures;
  const double begin = ElapsedSeconds();
  const double patience = options.full ? kFullSeconds : kQuickSeconds;
  for (int i = 0; i < options.repetitions; ++i) {
    figures.push_back(MeasureOnce(row, path, work));
    if (row.same_each_time || ElapsedSeconds() - begin > patience) break;
  }
  std::sort(figures.begin(), figures.end());
  return {figures.front(), figures[figures.size() / 2], figures.back(), figures.size()};
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

bool NameHas(std::string_view name, std::string_view bare) {
  return Bare(name).find(bare) != std::string::npos;
}

struct Family {
  std::string_view name;
  std::vector<KernelRow> rows;
};

std::vector<Family> Families(const KernelBenchOptions& options) {
  std::vector<Family> families;
  families.push_back({"N-Queens", QueensRows(options)});
  families.push_back({"Sudoku", SudokuRows(options)});
  families.push_back({"Words", WordRows(options)});
  families.push_back({"Sort", SortRows(options)});
  families.push_back({"Grep", GrepRows(options)});
  families.push_back({"Numbers", NumberRows(options)});
  families.push_back({"Sketches", SketchRows(options)});
  std::erase_if(families, [](const Family& family) { return family.rows.empty(); });
  for (Family& family : families) {
    for (KernelRow& row : family.rows) row.family = std::string(family.name);
  }
  return families;
}

// Leaves the rows that are wanted and those that they are compared with.
void Choose(const std::string& only, std::vector<Family>* families) {
  const std::string bare = Bare(only);
  // The whole name of a family is that family alone.
  const bool one =
      std::any_of(families->begin(), families->end(),
                  [&bare](const Family& family) { return Bare(family.name) == bare; });
  for (Family& family : *families) {
    const bool all = one ? Bare(family.name) == bare : NameHas(family.name, bare);
    if (all) continue;
    std::vector<std::string> wanted;
    for (const KernelRow& row : family.rows) {
      if (one || !NameHas(row.name, bare)) continue;
      wanted.push_back(row.name);
      wanted.insert(wanted.end(), row.baselines.begin(), row.baselines.end());
    }
    std::erase_if(family.rows, [&wanted](const KernelRow& row) {
      return std::find(wanted.begin(), wanted.end(), row.name) == wanted.end();
    });
  }
  std::erase_if(*families, [](const Family& family) { return family.rows.empty(); });
}

std::string NamesOf(const std::vector<Family>& families) {
  std::string names;
  for (const Family& family : families) {
    StrAppend(&names, "\n  ", family.name);
    for (const KernelRow& row : family.rows) StrAppend(&names, "\n    ", row.name);
  }
  return names;
}

void RunFamily(const Family& family, const KernelBenchOptions& options,
               KernelReport* report) {
  report->BeginFamily(family.name);
  for (const KernelRow& row : family.rows) {
    const std::vector<CpuPath> paths = PathsOf(row, options);
    for (const CpuPath path : paths) {
      report->Add({.row = &row,
                   .path = path,
                   .best_path = path == paths.back(),
                   .figures = Measure(row, path, options)});
    }
  }
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
  std::vector<Family> families = Families(options);
  if (!options.only.empty()) {
    const std::string names = NamesOf(families);
    if (Bare(options.only).empty()) {
      families.clear();
    } else {
      Choose(options.only, &families);
    }
    if (families.empty()) {
      return InvalidArgument("no row's name and no family's contains '", options.only,
                             "'", options.data.empty() ? kWithoutData : "",
                             "; there are:", names);
    }
  }
  KernelReport report(options);
  for (Family& family : families) {
    RunFamily(family, options, &report);
    // One family's inputs at a time.
    family.rows.clear();
  }
  report.End();
  return absl::OkStatus();
}

}  // namespace skep
