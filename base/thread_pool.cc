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
  if (queued_ >= max_queue_) return false;
  if (queued_ == queue_.size()) Grow();
  queue_[(first_ + queued_++) & (queue_.size() - 1)] = std::move(fn);
  wake_.Signal();
  return true;
}

void ThreadPool::Grow() {
  std::vector<Closure> larger(queue_.empty() ? 16 : queue_.size() * 2);
  for (size_t i = 0; i < queued_; ++i) {
    larger[i] = std::move(queue_[(first_ + i) & (queue_.size() - 1)]);
  }
  queue_ = std::move(larger);
  first_ = 0;
}

size_t ThreadPool::queued() const {
  MutexLock lock(mutex_);
  return queued_;
}

void ThreadPool::Run(int /*index*/) {
  pthread_setname_np(pthread_self(), name_.c_str());
  while (true) {
    Closure fn;
    {
      MutexLock lock(mutex_);
      while (queued_ == 0 && !stopping_) wake_.Wait(mutex_);
      if (queued_ == 0) return;
      fn = std::move(queue_[first_]);
      first_ = (first_ + 1) & (queue_.size() - 1);
      --queued_;
    }
    fn();
  }
}

}  // namespace skep
