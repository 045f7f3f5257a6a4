// The scheduler's dealings with jobs: from submission to the end.

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "base/strings.h"
#include "master/scheduler.h"

namespace skep {
namespace {

// The part of an ordered set of attempts that belongs to one job, removed from it.
std::vector<AttemptKey> TakeJob(std::set<AttemptKey>& attempts, JobId job) {
  const auto begin = attempts.lower_bound(AttemptKey{{job, 0, TASK_MAP, 0}, 0});
  auto end = begin;
  while (end != attempts.end() && end->task.job == job) ++end;
  std::vector<AttemptKey> taken(begin, end);
  attempts.erase(begin, end);
  return taken;
}

}  // namespace

void Scheduler::OnSubmitted(JobSubmitted event) {
  const JobId id(event.job());
  if (id < next_job()) return;  // submitted before
  last_job_ = id.value();
  const auto it =
      jobs_.try_emplace(id, id, std::move(*event.mutable_spec()), now_).first;
  Emit(Note{StrCat("job_submitted job=", id, " name=", it->second.spec().name(),
                   " splits=", it->second.spec().splits_size())});
  Emit(JobChanged{id});
  Touch(it->second);
}

void Scheduler::OnCancelled(const JobCancelled& event) {
  if (ActiveJob* job = FindJob(JobId(event.job()))) {
    EndJob(*job, JOB_CANCELLED,
           Cancelled(event.reason().empty() ? "cancelled" : event.reason()));
  }
}

// Takes a job as far as it goes without waiting for anything.
void Scheduler::Settle(ActiveJob& job) {
  if (const auto it = doomed_.find(job.id()); it != doomed_.end()) {
    return EndJob(job, JOB_FAILED, it->second);
  }
  while (job.PhaseDone()) {
    bool answered = false;
    switch (job.phase()) {
      case ActiveJob::Phase::kPlan:
        if (absl::Status s = job.TakePlan(&answered); !s.ok()) {
          return EndJob(job, JOB_FAILED, s);
        }
        if (answered) {
          if (job.spec().output().directory().empty()) {
            return EndJob(job, JOB_SUCCEEDED, absl::OkStatus());
          }
          job.BeginPublish();
          job.status().set_state(JOB_PUBLISHING);
        }
        break;
      case ActiveJob::Phase::kStage:
        LeaveStage(job, /*job_ended=*/false);
        if (absl::Status s = job.EndStage(); !s.ok()) {
          return EndJob(job, JOB_FAILED, s);
        }
        break;
      case ActiveJob::Phase::kPublish:
        job.AddWarnings(job.group(TASK_PUBLISH)[0].result);
        job.AddTimes(job.group(TASK_PUBLISH)[0].result);
        return EndJob(job, JOB_SUCCEEDED, absl::OkStatus());
    }
    Emit(JobChanged{job.id()});
  }
  if (job.ready_group() != nullptr) {
    ready_.insert(job.id());
  } else {
    ready_.erase(job.id());
  }
}

// Nothing of the stage is needed any more: attempts still running are cancelled, and
// workers that hold map outputs may go without harm.
void Scheduler::LeaveStage(ActiveJob& job, bool job_ended) {
  for (WorkerId id : job.workers) {
    WorkerEntry* worker = workers_.Find(id);
    if (worker == nullptr) continue;
    for (const AttemptKey& key : TakeJob(worker->live, job.id())) {
      const Attempt* attempt =
          job.group(key.task.kind).FindLive(key.task.task, key.attempt);
      if (worker->connected() && attempt != nullptr) {
        Emit(CancelTask{worker->connection, ToProto(key, attempt->epoch)});
      }
    }
    TakeJob(worker->held, job.id());
    if (job_ended && worker->connected()) {
      Emit(ReleaseJob{worker->connection, job.id()});
    }
  }
}

void Scheduler::EndJob(ActiveJob& job, JobState end, const absl::Status& error) {
  const JobId id = job.id();
  LeaveStage(job, /*job_ended=*/true);
  JobStatus status = job.Status();
  status.set_state(end);
  status.set_finished_ms(absl::ToUnixMillis(now_));
  status.set_error_code(static_cast<int>(error.code()));
  status.set_error_message(std::string(Message(error)));
  if (end == JOB_SUCCEEDED) {
    if (job.phase() == ActiveJob::Phase::kPublish) {
      status.mutable_output()->Assign(job.parts().begin(), job.parts().end());
      status.set_output_directory(job.spec().output().directory());
    }
  } else {
    status.clear_answer();
  }
  Emit(Note{StrCat("job_ended job=", id, " name=", job.spec().name(),
                   " state=", JobState_Name(end), " failed=", status.attempts_failed(),
                   " lost=", status.attempts_lost(), " maps_lost=", status.maps_lost(),
                   error.ok() ? "" : " error=", error.ok() ? "" : error.ToString())});
  Emit(JobChanged{id});
  Remember(id, std::move(status));
  ready_.erase(id);
  jobs_.erase(id);
}

// Forgets in the order of ends, not of ids: who waits for an old job that ran for long
// has only just been told of its end.
void Scheduler::Remember(JobId id, JobStatus status) {
  history_bytes_ += status.ByteSizeLong();
  history_.emplace(id, std::move(status));
  ended_.push_back(id);
  while (ended_.size() > 1 && (ended_.size() > options_.history ||
                               history_bytes_ > options_.history_bytes)) {
    const auto oldest = history_.find(ended_.front());
    history_bytes_ -= oldest->second.ByteSizeLong();
    history_.erase(oldest);
    ended_.pop_front();
  }
}

std::string Scheduler::WaitingFor(const ActiveJob& job) const {
  if (workers_.CountMatching(job.spec().binary_digest()) > 0) return "";
  const int others = workers_.CountMatching("");
  if (others == 0) {
    return "no worker is connected: start one with `skep worker --master ADDRESS`";
  }
  return StrCat(
      others == 1 ? "the one worker" : StrCat("none of the ", others, " workers"),
      others == 1 ? " does not have the binary" : " has the binary",
      " that submitted the job (", job.spec().binary_digest(),
      "): run the same build of skep on the workers and the submitter");
}

std::optional<JobStatus> Scheduler::Status(JobId id) const {
  if (const auto it = jobs_.find(id); it != jobs_.end()) {
    const ActiveJob& job = it->second;
    JobStatus status = job.Status();
    status.set_workers(workers_.CountMatching(job.spec().binary_digest()));
    status.set_waiting_for(WaitingFor(job));
    return status;
  }
  if (const auto it = history_.find(id); it != history_.end()) return it->second;
  return std::nullopt;
}

std::vector<FinishedTask> Scheduler::Outcomes(JobId id, size_t from,
                                              size_t max_bytes) const {
  std::vector<FinishedTask> found;
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) return found;
  const std::vector<FinishedTask>& all = it->second.outcomes();
  size_t bytes = 0;
  for (size_t i = from; i < all.size() && bytes < max_bytes; ++i) {
    bytes += all[i].ByteSizeLong();
    found.push_back(all[i]);
  }
  return found;
}

std::vector<JobId> Scheduler::Jobs() const {
  std::vector<JobId> ids;
  for (const auto& [id, status] : history_) ids.push_back(id);
  for (const auto& [id, job] : jobs_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace skep
