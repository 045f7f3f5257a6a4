#include "rpc/event_loop.h"

#include <glog/logging.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace skep {
namespace {

thread_local const EventLoop* current_loop = nullptr;

// How often a stopping loop runs what its last closures post. Enough for every
// completion to be told; an endless chain of closures does not keep the loop alive.
constexpr int kLastTurns = 100;

// How long what was written waits for the rest of the turn's events.
constexpr absl::Duration kLongDispatch = absl::Microseconds(100);

}  // namespace

// Interrupts the poller, from another thread.
class EventLoop::Waker final : public Watcher {
 public:
  Waker() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { PCHECK(fd_ >= 0); }
  ~Waker() override { close(fd_); }

  int fd() const { return fd_; }
  void Wake() {
    // Fails only when the count is at its limit, and then the loop is awake anyway.
    [[maybe_unused]] const int ignored = eventfd_write(fd_, 1);
  }
  void OnReady(Readiness) override {
    eventfd_t count;
    [[maybe_unused]] const int ignored = eventfd_read(fd_, &count);
  }
  void OnLoopStopping() override {}

 private:
  const int fd_;
};

EventLoop::EventLoop(std::string name, std::unique_ptr<Poller> poller,
                     absl::Duration spin, absl::Duration pipelined_spin)
    : clock_(Clock::Real()),
      name_(name.substr(0, 15)),
      poller_(std::move(poller)),
      scratch_(new char[kScratchBytes]),
      waker_(std::make_unique<Waker>()),
      spin_(spin),
      pipelined_spin_(std::max(spin, pipelined_spin)) {
  const absl::Status status = poller_->Add(waker_->fd(), kReadable, waker_.get());
  CHECK(status.ok()) << status;
  thread_ = std::thread([this] { Run(); });
}

EventLoop::~EventLoop() { Stop(); }

void EventLoop::Stop() {
  CHECK(!IsCurrent()) << "a loop cannot stop itself";
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  waker_->Wake();
  thread_.join();
}

bool EventLoop::IsCurrent() const { return current_loop == this; }

void EventLoop::Post(Closure fn) {
  // Declared first: a dropped closure may run destructors that post.
  Closure dropped;
  MutexLock lock(mutex_);
  if (stopped_) {
    dropped = std::move(fn);
    return;
  }
  posted_.push_back(std::move(fn));
  if (std::exchange(asleep_, false)) waker_->Wake();
}

TimerId EventLoop::PostAfter(absl::Duration delay, Closure fn) {
  const absl::Time due = clock_.Now() + std::max(delay, absl::ZeroDuration());
  Closure dropped;
  MutexLock lock(mutex_);
  if (stopped_) {
    dropped = std::move(fn);
    return TimerId();
  }
  const TimerId timer = timers_.Add(due, std::move(fn));
  if (asleep_ && due < asleep_until_) {
    asleep_ = false;
    waker_->Wake();
  }
  return timer;
}

bool EventLoop::Cancel(TimerId timer) {
  Closure cancelled;
  MutexLock lock(mutex_);
  cancelled = timers_.Cancel(timer);
  return static_cast<bool>(cancelled);
}

void EventLoop::Attach(Watcher* watcher) {
  DCHECK(IsCurrent());
  attached_.insert(watcher);
}

void EventLoop::Detach(Watcher* watcher) {
  DCHECK(IsCurrent());
  attached_.erase(watcher);
  DropEvents(watcher);
  if (watcher->turn_end_index_ != Watcher::kNotScheduled) {
    turn_ends_[watcher->turn_end_index_] = nullptr;
    watcher->turn_end_index_ = Watcher::kNotScheduled;
  }
}

absl::Status EventLoop::Watch(int fd, Readiness interest, Watcher* watcher) {
  DCHECK(IsCurrent());
  return poller_->Add(fd, interest, watcher);
}

void EventLoop::ChangeInterest(int fd, Readiness interest, Watcher* watcher) {
  DCHECK(IsCurrent());
  poller_->Modify(fd, interest, watcher);
}

void EventLoop::Unwatch(int fd, Watcher* watcher) {
  DCHECK(IsCurrent());
  poller_->Remove(fd);
  DropEvents(watcher);
}

void EventLoop::CallAtTurnEnd(Watcher* watcher) {
  DCHECK(IsCurrent());
  if (watcher->turn_end_index_ != Watcher::kNotScheduled) return;
  watcher->turn_end_index_ = turn_ends_.size();
  turn_ends_.push_back(watcher);
}

void EventLoop::DropEvents(const Watcher* watcher) {
  for (size_t i = next_event_; i < events_.size(); ++i) {
    if (events_[i].cookie == watcher) events_[i].cookie = nullptr;
  }
}

void EventLoop::Run() {
  current_loop = this;
  pthread_setname_np(pthread_self(), name_.c_str());
  bool stopping = false;
  while (!stopping) {
    RunPosted();
    RunTimers();
    RunTurnEnds();
    WaitAndDispatch();
    MutexLock lock(mutex_);
    stopping = stopping_;
  }
  StopWatchers();
  current_loop = nullptr;
}

void EventLoop::RunPosted() {
  {
    MutexLock lock(mutex_);
    running_.swap(posted_);
  }
  for (Closure& fn : running_) {
    // Dies right after its run, as a closure posted alone would.
    Closure now = std::move(fn);
    now();
  }
  running_.clear();
}

void EventLoop::RunTimers() {
  // One at a time, since each may cancel those behind it; and only what was due at the
  // start, so that a timer without delay cannot keep the loop from its sockets.
  absl::Time now = absl::InfinitePast();
  while (true) {
    Closure fn;
    {
      MutexLock lock(mutex_);
      if (timers_.size() == 0) return;
      if (now == absl::InfinitePast()) now = clock_.Now();
      fn = timers_.PopDue(now);
    }
    if (!fn) return;
    fn();
  }
}

void EventLoop::RunTurnEnds() {
  // Those that are added on the way have their turn next.
  const size_t count = turn_ends_.size();
  for (size_t i = 0; i < count; ++i) {
    Watcher* const watcher = turn_ends_[i];
    if (watcher == nullptr) continue;
    turn_ends_[i] = nullptr;
    watcher->turn_end_index_ = Watcher::kNotScheduled;
    watcher->OnTurnEnd();
  }
  turn_ends_.erase(turn_ends_.begin(), turn_ends_.begin() + count);
  for (size_t i = 0; i < turn_ends_.size(); ++i) {
    if (turn_ends_[i] != nullptr) turn_ends_[i]->turn_end_index_ = i;
  }
}

bool EventLoop::Spin(absl::Duration spin) {
  if (spins_to_skip_ > 0) {
    --spins_to_skip_;
    return false;
  }
  absl::Time now = clock_.Now();
  const absl::Time end = now + spin;
  bool crowded = false;
  while (true) {
    poller_->Wait(absl::ZeroDuration(), events_);
    bool woken = !events_.empty();
    if (!woken) {
      MutexLock lock(mutex_);
      woken = !posted_.empty() || stopping_ || timers_.next_due() <= now;
    }
    if (woken && !crowded) spins_failed_ = 0;
    if (woken) return true;
    if (crowded || now >= end) break;
    // What we look for may have to come from a thread that shares our core. One that
    // spins too gives it back at once; one that has work keeps it, and then to sleep is
    // better: who wakes is let in sooner than who yielded.
    sched_yield();
    const absl::Time yielded = std::exchange(now, clock_.Now());
    crowded = now - yielded > spin;
  }
  // 1, 3, 7 ... 63 waits without: an idle loop's CPU goes to nothing.
  spins_failed_ = std::min(spins_failed_ + 1, 6);
  spins_to_skip_ = (1 << spins_failed_) - 1;
  return false;
}

void EventLoop::NoteAlone() {
  if (events_.empty()) return;
  const void* const alone = events_.size() == 1 ? events_[0].cookie : nullptr;
  turns_alone_ = alone != nullptr && alone == alone_ ? turns_alone_ + 1 : 0;
  alone_ = alone;
}

void EventLoop::WaitAndDispatch() {
  const absl::Duration spin =
      std::exchange(expects_more_, false) ? pipelined_spin_ : spin_;
  if (spin == absl::ZeroDuration() || !turn_ends_.empty() || !Spin(spin)) Wait();
  NoteAlone();
  absl::Time began = absl::InfinitePast();
  for (next_event_ = 0; next_event_ < events_.size();) {
    const Poller::Event event = events_[next_event_++];
    if (event.cookie != nullptr)
      static_cast<Watcher*>(event.cookie)->OnReady(event.ready);
    if (turn_ends_.empty() || next_event_ == events_.size()) continue;
    const absl::Time now = clock_.Now();
    if (began == absl::InfinitePast()) {
      began = now;
    } else if (now - began > kLongDispatch) {
      RunTurnEnds();
      began = now;
    }
  }
  events_.clear();
}

void EventLoop::Wait() {
  absl::Duration timeout;
  {
    MutexLock lock(mutex_);
    if (posted_.empty() && turn_ends_.empty() && !stopping_) {
      asleep_ = true;
      asleep_until_ = timers_.next_due();
      timeout = asleep_until_ == absl::InfiniteFuture()
                    ? absl::InfiniteDuration()
                    : std::max(asleep_until_ - clock_.Now(), absl::ZeroDuration());
    }
  }
  poller_->Wait(timeout, events_);
  {
    MutexLock lock(mutex_);
    asleep_ = false;
  }
}

void EventLoop::StopWatchers() {
  RunPosted();
  while (!attached_.empty()) {
    Watcher* const watcher = *attached_.begin();
    Detach(watcher);
    watcher->OnLoopStopping();
  }
  // What those said may have been answered by closures.
  bool more = true;
  for (int turn = 0; more && turn < kLastTurns; ++turn) {
    RunPosted();
    RunTurnEnds();
    MutexLock lock(mutex_);
    more = !posted_.empty();
  }
  std::vector<Closure> dropped;
  TimerQueue dropped_timers;
  MutexLock lock(mutex_);
  stopped_ = true;
  dropped.swap(posted_);
  std::swap(dropped_timers, timers_);
}

}  // namespace skep
