// One thread that waits for sockets, timers and posted closures, and runs what is due.
//
// A turn of the loop: closures posted since the last turn, timers that are due, the
// "turn end" of those who asked for it (streams flush there what was written in the
// turn), then it blocks until something is ready and handles that. Where that takes
// long, turn ends come in between.

#ifndef SKEP_RPC_EVENT_LOOP_H_
#define SKEP_RPC_EVENT_LOOP_H_

#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "rpc/poller.h"
#include "rpc/timer_queue.h"

namespace skep {

class EventLoop;

// Something with a file descriptor that lives on a loop. All on the loop's thread.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void OnReady(Readiness ready) = 0;
  virtual void OnTurnEnd() {}
  // The loop ends: its last word. The watcher has been detached already.
  virtual void OnLoopStopping() = 0;

 private:
  friend class EventLoop;
  static constexpr size_t kNotScheduled = ~size_t{0};
  size_t turn_end_index_ = kNotScheduled;
};

class EventLoop final : public Executor {
 public:
  // Starts the thread. `name` (at most 15 bytes) is shown by top and gdb. Before it
  // blocks, the loop looks again and again for at most `spin`: what comes in that time
  // is spared a wake-up. Spins that found nothing make it spin less often. Between two
  // looks it yields: peers that share a core with it spin at the same time. For
  // `pipelined_spin` if that is longer and a watcher said ExpectMore.
  EventLoop(std::string name, std::unique_ptr<Poller> poller,
            absl::Duration spin = absl::ZeroDuration(),
            absl::Duration pipelined_spin = absl::ZeroDuration());
  // Stops it.
  ~EventLoop() override;

  // Runs what is posted, gives every watcher its OnLoopStopping, ends the thread and
  // waits for it. Closures posted from then on are dropped, and timers do not run.
  // Never called on the loop.
  void Stop();

  // Executor. One wake-up of the thread, at most, for all that is posted while it
  // sleeps.
  void Post(Closure fn) override;
  TimerId PostAfter(absl::Duration delay, Closure fn) override;
  bool Cancel(TimerId timer) override;
  bool IsCurrent() const override;
  const Clock& clock() const override { return clock_; }

  // --- For watchers, on the loop's thread only --------------------------------
  // An attached watcher is told when the loop stops. Detach also drops events and the
  // turn end that it has coming, so that it may be destroyed next.
  void Attach(Watcher* watcher);
  void Detach(Watcher* watcher);
  absl::Status Watch(int fd, Readiness interest, Watcher* watcher);
  void ChangeInterest(int fd, Readiness interest, Watcher* watcher);
  // Before the descriptor is closed.
  void Unwatch(int fd, Watcher* watcher);
  // Once, at the end of this turn; or of the next, if called at the end of this one.
  void CallAtTurnEnd(Watcher* watcher);

  // Whether the watcher whose event is being handled had the last turns to itself: what
  // it answers is all that the loop has to do.
  bool Alone() const { return turns_alone_ >= kTurnsAlone; }

  // What the watcher whose event is being handled has just sent will soon bring it
  // more. False: the loop blocks all the same when it has nothing to do.
  bool ExpectMore() {
    expects_more_ = true;
    return pipelined_spin_ > absl::ZeroDuration();
  }

  // Memory for one system call's bytes, valid until the next handler runs.
  static constexpr size_t kScratchBytes = 64 << 10;
  char* scratch() { return scratch_.get(); }

 private:
  class Waker;

  void Run();
  void RunPosted();
  void RunTimers();
  void RunTurnEnds();
  void WaitAndDispatch();
  // Fills events_, blocking until there is something to do.
  void Wait();
  // True if something came: events_, or a closure.
  bool Spin(absl::Duration spin);
  void DropEvents(const Watcher* watcher);
  void NoteAlone();
  void StopWatchers();

  const Clock& clock_;
  const std::string name_;
  const std::unique_ptr<Poller> poller_;
  const std::unique_ptr<char[]> scratch_;
  const std::unique_ptr<Waker> waker_;
  const absl::Duration spin_;
  const absl::Duration pipelined_spin_;

  Mutex mutex_;
  std::vector<Closure> posted_ ABSL_GUARDED_BY(mutex_);
  TimerQueue timers_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // Whether the thread sleeps or is about to, and until when if nobody wakes it.
  bool asleep_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time asleep_until_ ABSL_GUARDED_BY(mutex_);

  // The loop's thread only.
  std::vector<Closure> running_;
  std::vector<Poller::Event> events_;
  size_t next_event_ = 0;
  std::vector<Watcher*> turn_ends_;
  static constexpr int kTurnsAlone = 4;
  const void* alone_ = nullptr;  // whose event was the only one of the last turn
  int turns_alone_ = 0;          // in a row
  bool expects_more_ = false;    // in this turn
  int spins_failed_ = 0;         // in a row
  int spins_to_skip_ = 0;        // for that
  absl::flat_hash_set<Watcher*> attached_;

  std::thread thread_;
};

}  // namespace skep

#endif  // SKEP_RPC_EVENT_LOOP_H_
