// A fixed set of threads that run closures in parallel, from one bounded queue.

#ifndef SKEP_BASE_THREAD_POOL_H_
#define SKEP_BASE_THREAD_POOL_H_

#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"

namespace skep {

// Thread-safe. The destructor runs what is queued, then joins.
class ThreadPool {
 public:
  // `name` (at most 15 bytes) is shown by top and gdb. `max_queue` bounds the
  // closures that wait.
  ThreadPool(std::string name, int threads, size_t max_queue = 1 << 20);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // False, and `fn` is dropped, when the queue is full.
  [[nodiscard]] bool Schedule(Closure fn) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t queued() const ABSL_LOCKS_EXCLUDED(mutex_);
  int threads() const { return static_cast<int>(threads_.size()); }

 private:
  void Run(int index);
  void Grow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string name_;
  const size_t max_queue_;
  mutable Mutex mutex_;
  CondVar wake_;
  // A ring, its size a power of two: once it has been so full, queueing allocates
  // nothing.
  std::vector<Closure> queue_ ABSL_GUARDED_BY(mutex_);
  size_t first_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t queued_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace skep

#endif  // SKEP_BASE_THREAD_POOL_H_
