#include "worker/running_task.h"

#include <utility>

#include "base/status.h"
#include "worker/attempt.h"
#include "worker/task_runner.h"

namespace skep {

void RunningTask::Count(std::string_view counter, uint64_t n) {
  const auto it = counters_.find(counter);
  if (it != counters_.end()) {
    it->second += n;
  } else {
    counters_.emplace(counter, n);
  }
}

void RunningTask::SetResult(std::string result) {
  if (result.size() > kMaxResultBytes) {
    Fail(InvalidArgument("the result of task ", AttemptName(spec_.id()), " has ",
                         result.size(), " bytes; at most ", kMaxResultBytes,
                         " can be given to the planner; write output instead"));
    return;
  }
  result_ = std::move(result);
}

void RunningTask::Write(std::string_view bytes) {
  if (!error_.ok()) return;
  if (part_ == nullptr) {
    Fail(
        FailedPrecondition("stage \"", spec_.stage().name(),
                           "\" wrote output, but its plan does not say writes_output"));
    return;
  }
  Fail(part_->Write(bytes));
}

void RunningTask::Warn(std::string_view message) {
  if (static_cast<int>(warnings_.size()) < kMaxWarnings)
    warnings_.emplace_back(message);
}

absl::Status RunningTask::error() const {
  if (!error_.ok()) return error_;
  if (stop_.stop_requested()) return Cancelled(AttemptName(spec_.id()), ": cancelled");
  return absl::OkStatus();
}

void RunningTask::MoveTo(TaskResult* result) {
  result->set_result(std::move(result_));
  for (const auto& [name, n] : counters_) (*result->mutable_counters())[name] = n;
  for (std::string& warning : warnings_) result->add_warnings(std::move(warning));
}

absl::Status FromUserCode(const absl::Status& status, const RunningTask& state) {
  SKEP_RETURN_IF_ERROR(state.error());
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return status;
    default:
      return absl::UnknownError(ToAbsl(StrCat("the job failed: ", status.ToString())));
  }
}

}  // namespace skep
