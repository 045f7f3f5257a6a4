#include "tools/client/outcomes.h"

#include <algorithm>

#include "base/duration_words.h"
#include "base/strings.h"

namespace skep {

void Outcomes::Add(const FinishedTask& finished, bool here) {
  StageOutcomes& stage = stages_[finished.stage()];
  stage.name = finished.stage_name();
  const auto [it, is_new] =
      stage.results.try_emplace(finished.task(), finished.result().result());
  if (!is_new) return;
  stage.cpu_seconds += finished.result().cpu_seconds();
  if (!here) return;
  ++stage.tasks_here;
  stage.cpu_seconds_here += finished.result().cpu_seconds();
}

// The first tasks begin the count: how long they took to come is not known, because
// workers may have started late, or long before we looked.
void Outcomes::Add(const std::vector<FinishedTask>& finished, absl::Time now) {
  for (const FinishedTask& task : finished) {
    StageOutcomes& stage = stages_[task.stage()];
    const bool first = stage.since == absl::InfiniteFuture();
    if (first) stage.since = now;
    Add(task, now > stage.since);
  }
}

const Outcomes::StageOutcomes* Outcomes::Running(const JobStatus& status) const {
  if (status.state() != JOB_RUNNING || status.stages().empty()) return nullptr;
  const auto it = stages_.find(static_cast<uint32_t>(status.stages_size() - 1));
  return it == stages_.end() ? nullptr : &it->second;
}

std::string Outcomes::Partial() const {
  if (job_ == nullptr) return "";
  for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) {
    std::vector<std::string> results;
    results.reserve(stage->second.results.size());
    for (const auto& [task, result] : stage->second.results) results.push_back(result);
    std::string partial = job_->partial(stage->second.name, results);
    if (!partial.empty()) return partial;
  }
  return "";
}

std::optional<absl::Duration> Outcomes::TimeLeft(const JobStatus& status,
                                                 absl::Time now) const {
  const StageOutcomes* const stage = Running(status);
  if (stage == nullptr || stage->tasks_here < kLeastTasks || now <= stage->since ||
      stage->cpu_seconds_here <= 0) {
    return std::nullopt;
  }
  const TaskCounts& maps = status.stages(status.stages_size() - 1).maps();
  // Those that run are half done, on average.
  const double left = maps.waiting() + 0.5 * maps.running();
  const double each = stage->cpu_seconds / static_cast<double>(stage->results.size());
  const double rate =
      stage->cpu_seconds_here / absl::ToDoubleSeconds(now - stage->since);
  return absl::Seconds(left * each / rate);
}

std::string Outcomes::Remark(const JobStatus& status, absl::Time now) const {
  std::string remark = Partial();
  if (const auto left = TimeLeft(status, now)) {
    StrAppend(&remark, remark.empty() ? "" : ", ", InWords(*left), " left");
  }
  return remark;
}

}  // namespace skep
