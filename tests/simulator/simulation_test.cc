// Histories by the hundred. A failure prints its seed; to play only that one again:
//   SKEP_SIM_SEED=17 bazel run //tests/simulator:simulation_test
// More of them: SKEP_SIM_SEEDS=10000.

#include "tests/simulator/simulation.h"

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

#include "glog/logging.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

void RunSeeds(Simulation::Trouble trouble, uint64_t seeds) {
  uint64_t first = 1;
  seeds = FromEnvironment("SKEP_SIM_SEEDS", seeds);
  if (const uint64_t seed = FromEnvironment("SKEP_SIM_SEED", 0); seed != 0) {
    first = seed;
    seeds = 1;
  } else {
    FLAGS_minloglevel = google::GLOG_WARNING;
  }
  int failed = 0;
  std::map<std::string, int64_t> tally;
  for (uint64_t seed = first; seed < first + seeds && failed < 5; ++seed) {
    Simulation simulation(seed, trouble);
    const std::string wrong = simulation.Run();
    EXPECT_EQ(wrong, "") << "replay with SKEP_SIM_SEED=" << seed;
    failed += wrong.empty() ? 0 : 1;
    for (const auto& [what, n] : simulation.Tally()) tally[what] += n;
  }
  for (const auto& [what, n] : tally) std::cout << what << "=" << n << " ";
  std::cout << "seeds=" << seeds << "\n";
}

TEST(SimulationTest, AnswersAreRightWithoutTrouble) {
  RunSeeds(Simulation::Trouble::kNone, 50);
}

TEST(SimulationTest, BrokenConnectionsRepeatNothing) {
  RunSeeds(Simulation::Trouble::kConnections, 100);
}

TEST(SimulationTest, AnswersAreRightWhateverGoesWrong) {
  RunSeeds(Simulation::Trouble::kEverything, 200);
}

TEST(SimulationTest, TheSameSeedIsTheSameHistory) {
  Simulation first(42, Simulation::Trouble::kEverything);
  Simulation second(42, Simulation::Trouble::kEverything);
  EXPECT_EQ(first.Run(), second.Run());
  EXPECT_EQ(first.elapsed(), second.elapsed());
  EXPECT_EQ(first.Tally(), second.Tally());
}

}  // namespace
}  // namespace skep
