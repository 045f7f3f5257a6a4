// Whether a call that arrives will get a thread of the pool before its deadline: one
// that will not is refused at once, which costs nothing, instead of after its deadline,
// when the thread's time is lost and its caller has given up.
//
// The wait is estimated as the work queued before it over the number of threads; a
// queued call's work, as the smoothed time that calls of its method occupied a thread.
// While a thread is free nothing is refused, so that an estimate which is far too high,
// say after a call of a minute, is mended by the next calls.

#ifndef SKEP_RPC_ADMISSION_H_
#define SKEP_RPC_ADMISSION_H_

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace skep {

// Thread-safe.
class Admission {
 public:
  // A call between its arrival and its end.
  struct Ticket {
    const void* method = nullptr;
    absl::Duration work;  // as estimated when it came
  };
  struct Verdict {
    bool admitted = false;
    absl::Duration wait;  // as estimated
    absl::Duration
        retry_after;  // if refused: until what waits now will have been begun
  };

  // A call of `method` (any key) arrives at a pool of `threads` and has `left` until
  // its deadline. If it is admitted, `ticket` is handed to Begin or, without it, to
  // Drop.
  Verdict Arrive(const void* method, int threads, absl::Duration left, Ticket* ticket)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    Verdict verdict;
    if (running_ + queued_ >= threads) verdict.wait = queued_work_ / threads;
    verdict.admitted = verdict.wait <= std::max(left, absl::ZeroDuration());
    if (!verdict.admitted) {
      verdict.retry_after = std::clamp(verdict.wait, kLeastRetry, kMostRetry);
      return verdict;
    }
    ticket->method = method;
    ticket->work = service_[method];
    ++queued_;
    queued_work_ += ticket->work;
    return verdict;
  }

  // It has a thread.
  void Begin(const Ticket& ticket) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    Dequeue(ticket);
    ++running_;
  }
  // It occupied the thread for so long. `counts`: it really ran.
  void End(const Ticket& ticket, absl::Duration occupied, bool counts)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    --running_;
    if (!counts) return;
    absl::Duration& mean = service_[ticket.method];
    if (mean == absl::ZeroDuration()) {
      mean = occupied;
    } else {
      mean += (occupied - mean) / kSmoothing;
    }
  }
  // The pool did not take it.
  void Drop(const Ticket& ticket) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    Dequeue(ticket);
  }

 private:
  static constexpr int kSmoothing = 8;
  static constexpr absl::Duration kLeastRetry = absl::Milliseconds(1);
  static constexpr absl::Duration kMostRetry = absl::Seconds(10);

  void Dequeue(const Ticket& ticket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    --queued_;
    queued_work_ -= ticket.work;
  }

  Mutex mutex_;
  int queued_ ABSL_GUARDED_BY(mutex_) = 0;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration queued_work_ ABSL_GUARDED_BY(mutex_);
  // By method: how long its calls occupy a thread.
  absl::flat_hash_map<const void*, absl::Duration> service_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace skep

#endif  // SKEP_RPC_ADMISSION_H_
