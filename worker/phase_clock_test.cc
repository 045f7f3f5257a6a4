#include "worker/phase_clock.h"

#include <map>

#include "gtest/gtest.h"

namespace skep {
namespace {

// Uses so much of this thread's CPU time.
void Work(double seconds) {
  const clock_t end = clock() + static_cast<clock_t>(seconds * CLOCKS_PER_SEC);
  while (clock() < end) {
  }
}

TEST(PhaseClock, TimeIsThePhasesThatItWasSpentIn) {
  PhaseClock clock;
  {
    const InPhase map(&clock, PHASE_MAP);
    Work(0.02);
    {
      const InPhase spill(&clock, PHASE_SPILL);
      Work(0.01);
    }
    Work(0.02);
  }
  TaskResult result;
  clock.Report(&result);
  std::map<TaskPhase, PhaseTime> phases;
  double cpu = 0;
  for (const PhaseTime& phase : result.phases()) {
    EXPECT_TRUE(phases.emplace(phase.phase(), phase).second);
    EXPECT_LE(phase.cpu_seconds(), phase.wall_seconds() + 1e-3);
    cpu += phase.cpu_seconds();
  }
  // Other threads of the process add to clock(), so these are not exact.
  EXPECT_GT(phases[PHASE_MAP].cpu_seconds(), phases[PHASE_SPILL].cpu_seconds());
  EXPECT_GE(phases[PHASE_SPILL].cpu_seconds(), 0.005);
  EXPECT_LT(phases[PHASE_OTHER].cpu_seconds(), 0.01);
  EXPECT_EQ(phases.count(PHASE_FETCH), 0u);
  EXPECT_DOUBLE_EQ(result.cpu_seconds(), cpu);
}

TEST(PhaseClock, WithoutAClockNothingHappens) {
  const InPhase none(nullptr, PHASE_MAP);
}

}  // namespace
}  // namespace skep
