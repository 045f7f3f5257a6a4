// `skep bench kernels`: what the kernels of jobs/kernels do on this machine, each
// beside a published figure and beside a plain baseline measured in the same run.
//
// Figures are per second of CPU time of one thread, the median of several runs. The
// published figures are those of the best public programs on one core of a 2.3 GHz
// machine with AVX-512; the ratio to the baseline carries over to other machines.

#ifndef SKEP_TESTS_BENCH_KERNEL_TABLE_H_
#define SKEP_TESTS_BENCH_KERNEL_TABLE_H_

#include <string>

#include "absl/status/status.h"

namespace skep {

struct KernelBenchOptions {
  bool full = false;    // larger inputs and more runs: ten minutes, not one
  bool json = false;    // a JSON object a row
  std::string only;     // rows whose name contains it, and their baselines
  int repetitions = 5;  // at most; a row of long runs has fewer unless `full`
  std::string data;     // a folder with kjv.txt and the puzzles; "" for none
};

// Prints to standard output. NotFound names a file that `data` lacks.
absl::Status RunKernelBench(const KernelBenchOptions& options);

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_KERNEL_TABLE_H_
