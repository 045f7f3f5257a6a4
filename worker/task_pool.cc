#include "worker/task_pool.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace skep {

TaskPool::TaskPool(int slots,
                   std::function<std::unique_ptr<TaskExecutor>(int)> make_executor)
    : slots_(slots), make_executor_(std::move(make_executor)) {
  for (int slot = 0; slot < slots; ++slot) {
    threads_.emplace_back([this, slot] { RunSlot(slot); });
  }
}

TaskPool::~TaskPool() { Shutdown(); }

void TaskPool::Shutdown() {
  std::vector<std::stop_source> stops;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& [key, stop] : stops_) stops.push_back(stop);
    wake_.SignalAll();
  }
  // Outside the lock: stop callbacks run in here.
  for (std::stop_source& stop : stops) stop.request_stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

absl::Status TaskPool::Run(TaskSpec spec, Progress progress, Done done) {
  MutexLock lock(mutex_);
  if (stopping_) return Unavailable("the worker is shutting down");
  if (queue_.size() >= kMaxQueued) {
    return ResourceExhausted("the worker has ", queue_.size(), " attempts waiting for ",
                             slots_, " slots");
  }
  std::stop_source stop;
  stops_[RefOf(spec.id())] = stop;
  queue_.push_back({std::move(spec), std::move(progress), std::move(done), stop});
  wake_.Signal();
  return absl::OkStatus();
}

void TaskPool::Cancel(const AttemptRef& key) {
  std::stop_source stop(std::nostopstate);
  {
    MutexLock lock(mutex_);
    const auto it = stops_.find(key);
    if (it == stops_.end()) return;
    stop = it->second;
  }
  // Outside the lock: stop callbacks run in here.
  stop.request_stop();
}

int TaskPool::free_slots() const {
  MutexLock lock(mutex_);
  return std::max(0, slots_ - busy_ - static_cast<int>(queue_.size()));
}

void TaskPool::RunSlot(int slot) {
  const std::unique_ptr<TaskExecutor> executor = make_executor_(slot);
  while (true) {
    Work work;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) wake_.Wait(mutex_);
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
      ++busy_;
    }
    TaskResult result;
    if (work.stop.stop_requested()) {
      SetStatus(Cancelled(AttemptName(work.spec.id()), ": cancelled before it began"),
                &result);
    } else {
      result = executor->Run(work.spec, {work.stop.get_token(), work.progress});
    }
    {
      MutexLock lock(mutex_);
      --busy_;
      stops_.erase(RefOf(work.spec.id()));
    }
    work.done(std::move(result));
  }
}

}  // namespace skep
