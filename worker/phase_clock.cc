#include "worker/phase_clock.h"

#include <ctime>

namespace skep {
namespace {

double SecondsOf(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

PhaseClock::PhaseClock() : since_(Now()) {}

PhaseClock::Seconds PhaseClock::Now() {
  return {.cpu = SecondsOf(CLOCK_THREAD_CPUTIME_ID),
          .wall = SecondsOf(CLOCK_MONOTONIC)};
}

TaskPhase PhaseClock::Enter(TaskPhase phase) {
  const Seconds now = Now();
  spent_[phase_].cpu += now.cpu - since_.cpu;
  spent_[phase_].wall += now.wall - since_.wall;
  since_ = now;
  const TaskPhase before = phase_;
  phase_ = phase;
  return before;
}

void PhaseClock::Report(TaskResult* result) {
  Enter(phase_);
  double cpu = 0;
  for (int i = 0; i < TaskPhase_ARRAYSIZE; ++i) {
    cpu += spent_[i].cpu;
    if (spent_[i].wall == 0) continue;
    PhaseTime& phase = *result->add_phases();
    phase.set_phase(static_cast<TaskPhase>(i));
    phase.set_cpu_seconds(spent_[i].cpu);
    phase.set_wall_seconds(spent_[i].wall);
  }
  result->set_cpu_seconds(cpu);
}

}  // namespace skep
