// The master's answers to those who submit and watch jobs.

#include <memory>
#include <utility>

#include "base/status.h"
#include "master/master.h"

namespace skep {
namespace {

bool IsFinal(JobState state) {
  return state == JOB_SUCCEEDED || state == JOB_FAILED || state == JOB_CANCELLED;
}

absl::Status NoSuchJob(JobId job) {
  return NotFound("there is no job ", job,
                  ": it was never submitted, or ended so long ago that the master has "
                  "forgotten it");
}

}  // namespace

void Master::Submit(JobSpec spec, Done<JobId> done) {
  auto shared = std::make_shared<Done<JobId>>(std::move(done));
  Run(
      [this, spec = std::move(spec), shared]() mutable {
        if (spec.name().empty()) {
          return (*shared)(
              InvalidArgument("the job has no name: JobSpec.name is one of "
                              "the job table, as \"wordcount\""));
        }
        if (spec.splits_size() > static_cast<int>(kMaxTasks)) {
          return (*shared)(ResourceExhausted("the job has ", spec.splits_size(),
                                             " input splits; at most ", kMaxTasks,
                                             " are allowed"));
        }
        if (scheduler_.active_jobs() >= options_.max_active_jobs) {
          return (*shared)(
              ResourceExhausted(scheduler_.active_jobs(),
                                " jobs are waiting or running already: try "
                                "again when some have ended"));
        }
        const JobId id = scheduler_.next_job();
        Event event;
        event.mutable_job_submitted()->set_job(id.value());
        *event.mutable_job_submitted()->mutable_spec() = std::move(spec);
        Step(std::move(event));
        (*shared)(id);
      },
      [shared] { (*shared)(Stopping()); });
}

void Master::Get(JobId job, Done<JobStatus> done) {
  auto shared = std::make_shared<Done<JobStatus>>(std::move(done));
  Run(
      [this, job, shared] {
        std::optional<JobStatus> status = scheduler_.Status(job);
        status ? (*shared)(*std::move(status)) : (*shared)(NoSuchJob(job));
      },
      [shared] { (*shared)(Stopping()); });
}

void Master::Outcomes(JobId job, size_t from, Done<std::vector<FinishedTask>> done) {
  // With the last of them, of at most 48 MiB, below what a call may carry twice.
  constexpr size_t kMaxBytes = 1 << 20;
  auto shared = std::make_shared<Done<std::vector<FinishedTask>>>(std::move(done));
  Run(
      [this, job, from, shared] {
        if (!scheduler_.Status(job)) return (*shared)(NoSuchJob(job));
        (*shared)(scheduler_.Outcomes(job, from, kMaxBytes));
      },
      [shared] { (*shared)(Stopping()); });
}

void Master::List(Done<std::vector<JobStatus>> done) {
  auto shared = std::make_shared<Done<std::vector<JobStatus>>>(std::move(done));
  Run(
      [this, shared] {
        std::vector<JobStatus> all;
        for (JobId job : scheduler_.Jobs()) {
          all.push_back(*scheduler_.Status(job));
          all.back().clear_answer();
          all.back().clear_output();
        }
        (*shared)(std::move(all));
      },
      [shared] { (*shared)(Stopping()); });
}

void Master::Cancel(JobId job, std::string reason, Done<bool> done) {
  auto shared = std::make_shared<Done<bool>>(std::move(done));
  Run(
      [this, job, reason = std::move(reason), shared] {
        if (!scheduler_.Status(job)) return (*shared)(NoSuchJob(job));
        Event event;
        event.mutable_job_cancelled()->set_job(job.value());
        event.mutable_job_cancelled()->set_reason(reason);
        Step(std::move(event));
        (*shared)(true);
      },
      [shared] { (*shared)(Stopping()); });
}

void Master::Workers(Done<std::vector<WorkerStatus>> done) {
  auto shared = std::make_shared<Done<std::vector<WorkerStatus>>>(std::move(done));
  Run(
      [this, shared] {
        std::vector<WorkerStatus> all;
        for (const auto& [id, worker] : scheduler_.workers().all()) {
          WorkerStatus& status = all.emplace_back();
          status.set_id(id.value());
          status.set_name(worker.name);
          status.set_slots(worker.slots);
          status.set_running(static_cast<uint32_t>(worker.live.size()));
          status.set_outputs(static_cast<uint32_t>(worker.held.size()));
          status.set_connected(worker.connected());
          status.set_binary_digest(worker.binary_digest);
        }
        (*shared)(std::move(all));
      },
      [shared] { (*shared)(Stopping()); });
}

uint64_t Master::Watch(JobId job, Tell tell) {
  const uint64_t id = ++last_watch_;
  Run(
      [this, id, job, tell] {
        if (!scheduler_.Status(job)) return tell(NoSuchJob(job));
        watchers_[id] = Watcher{job, tell, ""};
        TellWatchers(job);
      },
      [tell] { tell(Stopping()); });
  return id;
}

void Master::Unwatch(uint64_t watch) {
  Run([this, watch] { watchers_.erase(watch); }, [] {});
}

// Tells those who watch `job` (all, if none is named) what has changed for them.
void Master::TellWatchers(std::optional<JobId> job) {
  for (auto it = watchers_.begin(); it != watchers_.end();) {
    Watcher& watcher = it->second;
    bool final = false;
    if (!job || watcher.job == *job) {
      const std::optional<JobStatus> status = scheduler_.Status(watcher.job);
      std::string serialized = status ? status->SerializeAsString() : "";
      if (!status) {
        watcher.tell(NoSuchJob(watcher.job));
      } else if (watcher.last.empty() || serialized != watcher.last) {
        watcher.last = std::move(serialized);
        watcher.tell(*status);
      }
      final = !status || IsFinal(status->state());
    }
    it = final ? watchers_.erase(it) : std::next(it);
  }
}

}  // namespace skep
