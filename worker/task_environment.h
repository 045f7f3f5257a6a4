// The doors through which a task touches the world, so that the same task code runs in
// an executor process, in a thread and in a test.

#ifndef SKEP_WORKER_TASK_ENVIRONMENT_H_
#define SKEP_WORKER_TASK_ENVIRONMENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "jobs/api/fleet.pb.h"
#include "jobs/api/job.h"
#include "jobs/api/task.pb.h"
#include "storage/file_system.h"
#include "worker/output_store.h"

namespace skep {

// How a reducer fetches: see worker/shuffle/fetcher.h.
struct FetchOptions {
  // Outputs that are fetched at a time, one piece of each in flight: their product
  // bounds the bytes in flight, and covers a 10 Gbit/s link of 10 ms.
  int max_outputs = 12;
  uint64_t piece_bytes = 1 << 20;
  // A worker that cannot be reached for this long has lost its outputs: well over the 3
  // s of a lease, and over what a dropped connection takes to come back.
  absl::Duration unreachable_after = absl::Seconds(8);
  // The same for one that answers, but only that it is too busy.
  absl::Duration busy_after = absl::Seconds(60);
  absl::Duration min_backoff = absl::Milliseconds(50);
  absl::Duration max_backoff = absl::Seconds(1);
};

// Where reducers get map output from. Thread-safe.
class ShuffleSource {
 public:
  struct Piece {
    uint64_t total_bytes = 0;  // of the whole partition
    std::string bytes;         // those from the offset asked for, as many as were sent
  };
  using Done = absl::AnyInvocable<void(absl::StatusOr<Piece>)>;

  virtual ~ShuffleSource() = default;
  // Asks the worker at `address`. `done` runs once, on any thread, perhaps inside
  // this call. NotFound and DataLoss: the output is gone for good.
  virtual void Fetch(const std::string& address, const FetchRequest& request,
                     Done done) = 0;
};

// The files of the machine where the job was submitted. Thread-safe.
class SubmitterFiles {
 public:
  virtual ~SubmitterFiles() = default;
  // `file.path` there. Reads block; they are retried while the submitter is
  // unreachable.
  virtual absl::StatusOr<std::unique_ptr<ReadableFile>> OpenToRead(
      const JobContext& job, const InputFile& file, std::stop_token stop) = 0;
  virtual std::unique_ptr<OutputStore> Output(const JobContext& job,
                                              std::stop_token stop) = 0;
};

// The master's word on whose output counts. Thread-safe.
class Committer {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<bool>)>;

  virtual ~Committer() = default;
  // `done` runs once, on any thread, perhaps inside this call: whether this attempt's
  // output is the task's. Idempotent.
  virtual void RequestCommit(const AttemptId& id, Done done) = 0;
};

// What a task is given besides its spec. Everything is borrowed and outlives the task.
struct TaskEnvironment {
  FileSystem& local;
  // Exists; the worker's own. A job's files are in JobFolder(job) below it.
  std::string scratch;
  std::string host;  // for messages
  const JobTable& jobs;
  ShuffleSource& shuffle;
  SubmitterFiles& submitter;
  Committer& committer;
  FetchOptions fetch = {};
};

// What is different for each attempt.
struct AttemptControl {
  std::stop_token stop;
  // 0 to 1; called from the task's thread, at most a few times a second. May be empty.
  std::function<void(float fraction)> progress;
};

}  // namespace skep

#endif  // SKEP_WORKER_TASK_ENVIRONMENT_H_
