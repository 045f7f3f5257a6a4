// `skep bench jobs`: each built-in job beside its kernel on the same input, and where
// the difference goes.
//
// The kernel runs alone on one thread, over the input in memory. The job is `skep run`
// in a process of its own, with one worker and with two: its wall time is that of the
// process, its CPU time all of the process's. The three take turns.

#ifndef SKEP_TESTS_BENCH_JOB_TABLE_H_
#define SKEP_TESTS_BENCH_JOB_TABLE_H_

#include <string>

#include "absl/status/status.h"

namespace skep {

struct JobBenchOptions {
  bool quick = false;   // an eighth of the input
  bool json = false;    // a JSON object a run
  std::string only;     // jobs whose name contains it
  int repetitions = 3;  // of which the one of median wall time is shown
  std::string data;     // a folder with kjv.txt and the puzzles; "" for none
};

// Prints to standard output. NotFound names a file that `data` lacks; InvalidArgument
// the rows that there are, if `only` names none; Internal a job that failed.
absl::Status RunJobBench(const JobBenchOptions& options);

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_JOB_TABLE_H_
