#include "base/executor.h"

#include <algorithm>

namespace skep {

TimerId ManualExecutor::PostAfter(absl::Duration delay, Closure fn) {
  const uint64_t sequence = next_++;
  const absl::Time due = clock_.Now() + std::max(delay, absl::ZeroDuration());
  queue_.emplace(Key(due, sequence), std::move(fn));
  due_.emplace(sequence, due);
  return TimerId(sequence);
}

bool ManualExecutor::Cancel(TimerId timer) {
  const auto it = due_.find(timer.value());
  if (it == due_.end()) return false;
  queue_.erase(Key(it->second, it->first));
  due_.erase(it);
  return true;
}

bool ManualExecutor::RunOne() {
  if (queue_.empty()) return false;
  auto node = queue_.extract(queue_.begin());
  due_.erase(node.key().second);
  clock_.AdvanceTo(node.key().first);
  const bool was_running = std::exchange(running_, true);
  node.mapped()();
  running_ = was_running;
  return true;
}

void ManualExecutor::RunUntilIdle() {
  while (!queue_.empty() && queue_.begin()->first.first <= clock_.Now()) RunOne();
}

void ManualExecutor::RunFor(absl::Duration d) {
  const absl::Time end = clock_.Now() + d;
  while (!queue_.empty() && queue_.begin()->first.first <= end) RunOne();
  clock_.AdvanceTo(end);
}

}  // namespace skep
