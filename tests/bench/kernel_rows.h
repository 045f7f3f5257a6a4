// The rows of `skep bench kernels`.

#ifndef SKEP_TESTS_BENCH_KERNEL_ROWS_H_
#define SKEP_TESTS_BENCH_KERNEL_ROWS_H_

#include <functional>
#include <string>
#include <vector>

#include "base/cpu_path.h"
#include "tests/bench/kernel_table.h"

namespace skep {

// What a public program does on one core of a 2.3 GHz machine with AVX-512, as CPU
// time, with its default settings. In the unit of the row that it stands at.
struct Published {
  double figure = 0;
  std::string by;  // "tdoku"
};

// What is asked of a row: of the figure itself, or, if `over` names another row, of how
// many times as good it is in the same run.
struct Asked {
  double figure = 0;
  std::string over = "";
  bool must = true;  // else it is to be tried for
};

struct KernelRow {
  std::string family;  // "N-Queens"
  std::string name;    // "16 by halves"
  // "s", "ns/item": times; "%": an error; "guesses": how many. Less of them is better.
  // Else "GB/s"...: rates, and "x": a ratio.
  std::string unit;
  // A run's work in the unit of a rate, or its items. Makes the input: called before
  // anything is measured.
  std::function<double()> work = [] { return 1.0; };
  // Does the work once; called with each path that the machine has if `has_paths`.
  std::function<void(CpuPath)> run = nullptr;
  bool has_paths = false;
  // Instead of `run`, for what runs in another process: CPU seconds of doing it once.
  std::function<double()> seconds = nullptr;
  // Instead of both, for what is no time of one thread: the figure.
  std::function<double()> figure = nullptr;
  bool same_each_time = false;              // measured once
  std::vector<Published> published = {};    // the best first
  std::vector<std::string> baselines = {};  // names of rows before it in the family
  std::vector<Asked> asked = {};
};

std::vector<KernelRow> QueensRows(const KernelBenchOptions& options);
std::vector<KernelRow> SudokuRows(const KernelBenchOptions& options);
std::vector<KernelRow> WordRows(const KernelBenchOptions& options);
std::vector<KernelRow> NumberRows(const KernelBenchOptions& options);
std::vector<KernelRow> SketchRows(const KernelBenchOptions& options);
std::vector<KernelRow> SortRows(const KernelBenchOptions& options);
std::vector<KernelRow> GrepRows(const KernelBenchOptions& options);

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_KERNEL_ROWS_H_
