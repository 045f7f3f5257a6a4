// What a bench says about the machine that it runs on.

#ifndef SKEP_TESTS_BENCH_MACHINE_H_
#define SKEP_TESTS_BENCH_MACHINE_H_

#include <string>

namespace skep {

// "CPU: NAME, 2 cores; best path avx512; load 0.41 0.35 0.30 1/203 4711"
std::string MachineLine();

// The same as a JSON object, the load being that of the last minute:
//   {"cpu":"NAME","cores":2,"best_path":"avx512","load":0.41}
std::string MachineJson();

// Of the last minute.
double MachineLoad();

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_MACHINE_H_
