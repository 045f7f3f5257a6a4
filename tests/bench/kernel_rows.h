// The rows of `skep bench kernels`.

#ifndef SKEP_TESTS_BENCH_KERNEL_ROWS_H_
#define SKEP_TESTS_BENCH_KERNEL_ROWS_H_

#include <functional>
#include <string>
#include <vector>

#include "base/cpu_path.h"
#include "tests/bench/kernel_table.h"

namespace skep {

struct KernelRow {
  std::string family;  // "N-Queens"
  std::string name;    // "16 by halves"
  std::string unit;    // "s", "ns/item": times; "%": an error; else "GB/s"...: rates
  double scale = 1;    // a run's work in the unit of a rate, or its items
  // Does the work once; called with each path that the machine has if `has_paths`.
  std::function<void(CpuPath)> run;
  bool has_paths = false;
  // Instead of `run`, for what runs in another process: CPU seconds of doing it once.
  std::function<double()> seconds = nullptr;
  // Instead of both, for what is no time: the figure.
  std::function<double()> figure = nullptr;
  double published = 0;           // in the same unit; 0: none
  std::string published_by = "";  // what it is
  std::string baseline = "";      // the name of a row of the family; "": none
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
