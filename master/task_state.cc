#include "master/task_state.h"

#include <algorithm>
#include <utility>

#include "glog/logging.h"

namespace skep {

void TaskGroup::Reset(size_t count) {
  tasks_.clear();
  tasks_.resize(count);
  waiting_.clear();
  for (size_t i = 0; i < count; ++i) waiting_.insert(waiting_.end(), i);
  running_ = done_ = 0;
  cpu_seconds_ = 0;
}

Attempt* TaskGroup::FindLive(uint32_t task, uint32_t attempt) {
  if (task >= tasks_.size()) return nullptr;
  for (Attempt& a : tasks_[task].live) {
    if (a.number == attempt) return &a;
  }
  return nullptr;
}

Attempt& TaskGroup::Start(uint32_t task, WorkerId worker, uint64_t epoch,
                          absl::Time now) {
  Task& t = tasks_[task];
  CHECK_EQ(waiting_.erase(task), 1u);
  t.state = TaskState::kRunning;
  ++running_;
  return t.live.emplace_back(Attempt{++t.attempts, epoch, worker, now, {}});
}

std::vector<Attempt> TaskGroup::Finish(uint32_t task, uint32_t attempt,
                                       TaskResult result) {
  Task& t = tasks_[task];
  Attempt* winner = FindLive(task, attempt);
  CHECK(winner != nullptr);
  t.winner = *winner;
  t.result = std::move(result);
  t.state = TaskState::kDone;
  --running_;
  ++done_;
  cpu_seconds_ += t.result.cpu_seconds();
  std::vector<Attempt> others = std::move(t.live);
  t.live.clear();
  std::erase_if(others, [&](const Attempt& a) { return a.number == attempt; });
  return others;
}

void TaskGroup::Restore(uint32_t task, TaskResult result) {
  Task& t = tasks_[task];
  CHECK_EQ(waiting_.erase(task), 1u);
  t.result = std::move(result);
  t.state = TaskState::kDone;
  ++done_;
  cpu_seconds_ += t.result.cpu_seconds();
}

void TaskGroup::End(uint32_t task, uint32_t attempt, Why why) {
  Task& t = tasks_[task];
  CHECK_EQ(std::erase_if(t.live, [&](const Attempt& a) { return a.number == attempt; }),
           1u);
  if (t.committer == attempt) t.committer = 0;
  ++(why == Why::kFailed ? t.failures : t.losses);
  if (!t.live.empty()) return;
  t.state = why == Why::kFailed ? TaskState::kWaiting : TaskState::kLost;
  --running_;
  waiting_.insert(task);
}

void TaskGroup::LoseOutput(uint32_t task) {
  Task& t = tasks_[task];
  CHECK(t.state == TaskState::kDone);
  t.state = TaskState::kLost;
  t.committer = 0;
  ++t.losses;
  --done_;
  cpu_seconds_ -= t.result.cpu_seconds();
  waiting_.insert(task);
}

}  // namespace skep
