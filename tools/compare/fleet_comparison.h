// Measures what a family's job offers side by side on a fleet.
//
// As Compare (comparison.h), but an algorithm is a job with its flags, and a run is
// from submission to answer: jobs run one at a time, in rounds in which all take their
// turn. Ratios are of the time on the clock, which is what a fleet is there for.

#ifndef SKEP_TOOLS_COMPARE_FLEET_COMPARISON_H_
#define SKEP_TOOLS_COMPARE_FLEET_COMPARISON_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "tools/compare/comparison.h"
#include "tools/compare/family.h"

namespace skep {

// What a job did once, as far as its master knows.
struct FleetRun {
  std::string answer;  // with what stands for its output
  double wall_seconds = 0;
  double cpu_seconds = 0;    // of the attempts that counted
  uint64_t rounds = 0;       // stages
  uint64_t bytes_moved = 0;  // from map tasks to reducers
};

// Runs a job to its end. `input` is a file's path, or "".
using FleetRunner = std::function<absl::StatusOr<FleetRun>(
    const std::string& job, const std::map<std::string, std::string>& flags,
    const std::string& input)>;

// `fleet` says where, for people. Inputs are written into the folder `scratch`. The
// errors of Compare and of `run`.
absl::StatusOr<Comparison> CompareOnFleet(const CompareFamily& family,
                                          const CompareOptions& options,
                                          const std::string& fleet,
                                          const std::string& scratch,
                                          const FleetRunner& run);

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_FLEET_COMPARISON_H_
