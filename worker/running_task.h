// What every kind of task keeps while user code runs: the context that user code sees.

#ifndef SKEP_WORKER_RUNNING_TASK_H_
#define SKEP_WORKER_RUNNING_TASK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "jobs/api/mapper.h"
#include "jobs/api/task.pb.h"
#include "worker/part_file.h"
#include "worker/task_environment.h"

namespace skep {

inline constexpr int kMaxWarnings = 20;

// Used from the task's thread only. Contexts cannot fail, so the first error of a write
// is kept: look at error() after each call of user code.
class RunningTask {
 public:
  // All borrowed. `part` is null if the task writes no output.
  RunningTask(const TaskSpec& spec, const Options& options, std::stop_token stop,
              PartFile* part)
      : spec_(spec), options_(options), stop_(std::move(stop)), part_(part) {}

  const TaskSpec& spec() const { return spec_; }
  const Options& options() const { return options_; }
  std::stop_token stop() const { return stop_; }

  void Count(std::string_view counter, uint64_t n);
  void SetResult(std::string result);
  void Write(std::string_view bytes);
  void Warn(std::string_view message);

  // Keeps the first error.
  void Fail(absl::Status status) {
    if (error_.ok()) error_ = std::move(status);
  }
  bool failed() const { return !error_.ok(); }
  // The first error; Cancelled once the attempt is not wanted any more.
  absl::Status error() const;

  // Moves result, counters and warnings into `result`.
  void MoveTo(TaskResult* result);

 private:
  const TaskSpec& spec_;
  const Options& options_;
  const std::stop_token stop_;
  PartFile* const part_;
  absl::Status error_;
  std::map<std::string, uint64_t, std::less<>> counters_;
  std::string result_;
  std::vector<std::string> warnings_;
};

// Base is MapContext or ReduceContext.
template <typename Base>
class ContextOver : public Base {
 public:
  explicit ContextOver(RunningTask& state) : state_(state) {}

  const Options& options() const override { return state_.options(); }
  std::string_view args() const override { return state_.spec().stage().args(); }
  int task() const override { return static_cast<int>(state_.spec().id().task()); }
  void Count(std::string_view counter, uint64_t n) override {
    state_.Count(counter, n);
  }
  void SetResult(std::string result) override { state_.SetResult(std::move(result)); }
  void Write(std::string_view bytes) override { state_.Write(bytes); }
  void Warn(std::string_view message) override { state_.Warn(message); }
  std::stop_token stop_token() const override { return state_.stop(); }

 protected:
  RunningTask& state() { return state_; }
  const RunningTask& state() const { return state_; }

 private:
  RunningTask& state_;
};

// What user code returned: codes by which the engine speaks to itself (Unavailable,
// Aborted, DataLoss, ...) become Unknown, so that a job cannot pass for a broken
// machine.
absl::Status FromUserCode(const absl::Status& status, const RunningTask& state);

}  // namespace skep

#endif  // SKEP_WORKER_RUNNING_TASK_H_
