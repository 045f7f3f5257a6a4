// The Clock door: every part of skep that needs the time is given a Clock.

#ifndef SKEP_BASE_CLOCK_H_
#define SKEP_BASE_CLOCK_H_

#include "absl/time/time.h"

namespace skep {

// Tells the time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // The current time; it never goes backwards within a process, whatever is
  // done to the system's clock.
  virtual absl::Time Now() const = 0;

  // The machine's clock. Lives for ever.
  static const Clock& Real();
};

// A clock that stands still until it is told otherwise. Not thread-safe: it belongs
// to single-threaded tests and to the simulator.
class SimulatedClock final : public Clock {
 public:
  explicit SimulatedClock(absl::Time start = absl::UnixEpoch() + absl::Hours(24 * 365))
      : now_(start) {}

  absl::Time Now() const override { return now_; }
  void Advance(absl::Duration d) { now_ += d; }
  // Times before Now() are ignored.
  void AdvanceTo(absl::Time t) {
    if (t > now_) now_ = t;
  }

 private:
  absl::Time now_;
};

}  // namespace skep

#endif  // SKEP_BASE_CLOCK_H_
