// What all parties of one simulation share: time, network, randomness, files, and the
// record of what was done.

#ifndef SKEP_TESTS_SIMULATOR_SIM_WORLD_H_
#define SKEP_TESTS_SIMULATOR_SIM_WORLD_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "jobs/api/job.h"
#include "master/names.h"
#include "rpc/sim_transport.h"
#include "tests/simulator/model_tasks.h"

namespace skep {

struct World {
  World(uint64_t seed, const JobTable& jobs)
      : random(seed), network(executor, random()), jobs(jobs) {}

  // A random time between the two.
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    return low + random.Unit() * (high - low);
  }

  SimulatedClock clock;
  ManualExecutor executor{clock};
  Random random;
  SimNetwork network;
  const JobTable& jobs;

  // Input files. Jobs that read the same path read the same bytes.
  FilesByPath files;
  // Output directories, by path: what was committed, and what was published.
  std::map<std::string, std::map<std::string, std::string>> committed, published;
  // How often each task was really run, to its end or not.
  std::map<TaskKey, int> runs;
  // Failures that were injected into each task: fewer than would fail its job.
  std::map<TaskKey, int> injected_failures;
  double failure_chance = 0;  // of one attempt
};

}  // namespace skep

#endif  // SKEP_TESTS_SIMULATOR_SIM_WORLD_H_
