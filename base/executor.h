// The Executor door: where closures run, and when.
//
// An Executor runs its closures one at a time, in the order in which they were
// posted (timers: in the order of their due times). State that is touched only from
// one executor's closures needs no lock. The real ones are rpc's EventLoop, which also
// watches sockets, and the worker threads of ThreadPool (which runs closures in
// parallel and is therefore not an Executor). ManualExecutor is the fake and the heart
// of the simulator.

#ifndef SKEP_BASE_EXECUTOR_H_
#define SKEP_BASE_EXECUTOR_H_

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/ids.h"

namespace skep {

using Closure = absl::AnyInvocable<void()>;

struct TimerTag;
// Names one pending timer of one executor; never used again. Default: none.
using TimerId = StrongId<TimerTag>;

class Executor {
 public:
  virtual ~Executor() = default;

  // Runs `fn` soon, never inside this call. Thread-safe.
  virtual void Post(Closure fn) = 0;

  // Runs `fn` once, not before `delay` has passed. Thread-safe.
  virtual TimerId PostAfter(absl::Duration delay, Closure fn) = 0;

  // Forgets a timer. From the executor's own closures: true means that it has not run
  // and never will. From elsewhere it may already be running, and the result is only
  // a hint. Cancelling a timer that has run, or TimerId(), is allowed.
  virtual bool Cancel(TimerId timer) = 0;

  // Whether the caller is one of this executor's closures.
  virtual bool IsCurrent() const = 0;

  // Whether closures run without the caller's help. False for ManualExecutor: its user
  // is the only thread, and must not wait for a closure.
  virtual bool RunsByItself() const { return true; }

  virtual const Clock& clock() const = 0;
};

// An executor on a simulated clock, driven by hand. Single-threaded.
class ManualExecutor final : public Executor {
 public:
  explicit ManualExecutor(SimulatedClock& clock) : clock_(clock) {}

  void Post(Closure fn) override { PostAfter(absl::ZeroDuration(), std::move(fn)); }
  TimerId PostAfter(absl::Duration delay, Closure fn) override;
  bool Cancel(TimerId timer) override;
  bool IsCurrent() const override { return running_; }
  bool RunsByItself() const override { return false; }
  const Clock& clock() const override { return clock_; }

  // Runs the next closure, moving the clock to its time; false when there is none.
  bool RunOne();
  // Runs everything that is due now, including what that posts without delay.
  void RunUntilIdle();
  // Moves the clock by `d`, running everything that falls due on the way.
  void RunFor(absl::Duration d);
  size_t pending() const { return queue_.size(); }

 private:
  // Ordered by due time, then by the order of posting.
  using Key = std::pair<absl::Time, uint64_t>;

  SimulatedClock& clock_;
  std::map<Key, Closure> queue_;
  std::map<uint64_t, absl::Time> due_;
  uint64_t next_ = 1;
  bool running_ = false;
};

}  // namespace skep

#endif  // SKEP_BASE_EXECUTOR_H_
