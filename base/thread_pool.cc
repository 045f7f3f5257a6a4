#include "base/thread_pool.h"

#include <pthread.h>

#include <utility>

namespace skep {

ThreadPool::ThreadPool(std::string name, int threads, size_t max_queue)
    : name_(name.substr(0, 15)), max_queue_(max_queue) {
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this, i] { Run(i); });
}

ThreadPool::~ThreadPool() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadPool::Schedule(Closure fn) {
  MutexLock lock(mutex_);
  if (queue_.size() >= max_queue_) return false;
  queue_.push_back(std::move(fn));
  wake_.Signal();
  return true;
}

size_t ThreadPool::queued() const {
  MutexLock lock(mutex_);
  return queue_.size();
}

void ThreadPool::Run(int /*index*/) {
  pthread_setname_np(pthread_self(), name_.c_str());
  while (true) {
    Closure fn;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) wake_.Wait(mutex_);
      if (queue_.empty()) return;
      fn = std::move(queue_.front());
      queue_.pop_front();
    }
    fn();
  }
}

}  // namespace skep
