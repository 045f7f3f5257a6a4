#include "worker/attempt_table.h"

#include <utility>

namespace skep {

AttemptTable::Found AttemptTable::Join(const AttemptId& id, Waiter waiter) {
  TaskResult result;
  {
    MutexLock lock(mutex_);
    const auto [it, is_new] = attempts_.try_emplace(RefOf(id));
    Attempt& attempt = it->second;
    if (is_new) attempt.id = id;
    if (!attempt.finished) {
      attempt.waiters.push_back(std::move(waiter));
      return is_new ? Found::kNew : Found::kRunning;
    }
    result = attempt.result;
  }
  waiter(result);
  return Found::kFinished;
}

void AttemptTable::SetProgress(const AttemptRef& key, float fraction) {
  MutexLock lock(mutex_);
  const auto it = attempts_.find(key);
  if (it != attempts_.end()) it->second.progress = fraction;
}

bool AttemptTable::Finish(const AttemptRef& key, TaskResult result) {
  std::vector<Waiter> waiters;
  bool keep = false;
  {
    MutexLock lock(mutex_);
    const auto it = attempts_.find(key);
    if (it == attempts_.end()) return false;
    Attempt& attempt = it->second;
    waiters = std::exchange(attempt.waiters, {});
    keep = !attempt.forget;
    if (keep) {
      attempt.finished = true;
      attempt.result = result;
    } else {
      attempts_.erase(it);
    }
  }
  for (Waiter& waiter : waiters) waiter(result);
  return keep;
}

void AttemptTable::Abandon(const AttemptRef& key) {
  MutexLock lock(mutex_);
  attempts_.erase(key);
}

std::vector<AttemptRef> AttemptTable::ReleaseJob(uint64_t job) {
  MutexLock lock(mutex_);
  std::vector<AttemptRef> running;
  for (auto it = attempts_.begin(); it != attempts_.end();) {
    if (it->first.job != job) {
      ++it;
    } else if (it->second.finished) {
      it = attempts_.erase(it);
    } else {
      it->second.forget = true;
      running.push_back(it->first);
      ++it;
    }
  }
  return running;
}

bool AttemptTable::Drop(const AttemptRef& key) {
  MutexLock lock(mutex_);
  const auto it = attempts_.find(key);
  if (it == attempts_.end()) return false;
  if (it->second.finished) {
    attempts_.erase(it);
    return false;
  }
  it->second.forget = true;
  return true;
}

void AttemptTable::Describe(RegisterRequest* request) const {
  MutexLock lock(mutex_);
  for (const auto& [key, attempt] : attempts_) {
    if (attempt.forget) continue;
    *(attempt.finished ? request->add_finished() : request->add_running()) = attempt.id;
  }
}

void AttemptTable::Describe(HeartbeatRequest* request) const {
  MutexLock lock(mutex_);
  for (const auto& [key, attempt] : attempts_) {
    if (attempt.finished || attempt.forget) continue;
    AttemptProgress& progress = *request->add_running();
    *progress.mutable_id() = attempt.id;
    progress.set_fraction(attempt.progress);
  }
}

int AttemptTable::running() const {
  MutexLock lock(mutex_);
  int running = 0;
  for (const auto& [key, attempt] : attempts_) running += attempt.finished ? 0 : 1;
  return running;
}

}  // namespace skep
