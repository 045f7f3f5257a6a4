// The rows of `skep bench jobs`.

#ifndef SKEP_TESTS_BENCH_JOB_ROWS_H_
#define SKEP_TESTS_BENCH_JOB_ROWS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/bench_inputs.h"
#include "tests/bench/job_table.h"

namespace skep {

struct JobRow {
  std::string name;                    // "median"
  std::string what;                    // "8 M integers, 161 MB"
  std::vector<std::string> arguments;  // of `skep run`: the job and its flags
  std::string input;                   // a file; "" for none
  bool writes_output = false;          // lines, to --output
  // What the job computes, over the input.
  std::function<void(std::string_view)> kernel;
};

// Inputs are written to `folder` when `make` of a row is called, so that only those
// which are wanted are made, one at a time.
struct JobRowMaker {
  std::string name;
  std::function<JobRow(const BenchFolder& folder)> make;
};
std::vector<JobRowMaker> JobRows(const JobBenchOptions& options);

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_JOB_ROWS_H_
