// Where an attempt's time goes: CPU and wall time of its thread, by phase. Cheap enough
// for a change of phase each block of input or output (a microsecond), too dear for one
// each record.

#ifndef SKEP_WORKER_PHASE_CLOCK_H_
#define SKEP_WORKER_PHASE_CLOCK_H_

#include <array>

#include "jobs/api/task.pb.h"

namespace skep {

// Made and used on the attempt's thread.
class PhaseClock {
 public:
  PhaseClock();

  // From now on time is `phase`'s. Returns whose it was.
  TaskPhase Enter(TaskPhase phase);
  // Adds what has passed: the phases, and cpu_seconds, their sum.
  void Report(TaskResult* result);

 private:
  struct Seconds {
    double cpu = 0, wall = 0;
  };
  static Seconds Now();

  TaskPhase phase_ = PHASE_OTHER;
  Seconds since_;
  std::array<Seconds, TaskPhase_ARRAYSIZE> spent_;
};

// Enters a phase for as long as it lives, then that of before. Without a clock,
// nothing.
class InPhase {
 public:
  InPhase(PhaseClock* clock, TaskPhase phase)
      : clock_(clock), before_(clock == nullptr ? phase : clock->Enter(phase)) {}
  ~InPhase() {
    if (clock_ != nullptr) clock_->Enter(before_);
  }
  InPhase(const InPhase&) = delete;
  InPhase& operator=(const InPhase&) = delete;

 private:
  PhaseClock* const clock_;
  const TaskPhase before_;
};

}  // namespace skep

#endif  // SKEP_WORKER_PHASE_CLOCK_H_
