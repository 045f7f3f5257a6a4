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
  bool full = true;      // inputs as the published figures': minutes, not one
  bool longest = false;  // N-Queens of 19 and 20, and 17 by plain ways
  bool json = false;     // a JSON object a row
  std::string only;      // families and rows whose name contains it, and baselines
  std::string path;      // "avx512", "avx2", "scalar"; "": every one that is here
  int repetitions = 5;   // at most; a row of long runs has fewer
  std::string data;      // a folder with kjv.txt and the puzzles; "" for none
};

// Prints to standard output. NotFound names a file that `data` lacks; InvalidArgument a
// path or rows that are not there.
absl::Status RunKernelBench(const KernelBenchOptions& options);

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_KERNEL_TABLE_H_
