// Fakes of a task's doors, and an engine that runs a whole job through RunTask on one
// thread: what tests and the simulator compare the fleet with, and the fleet's code
// with LocalRunner.

#ifndef SKEP_WORKER_TASK_TESTING_H_
#define SKEP_WORKER_TASK_TESTING_H_

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "storage/file_system.h"
#include "storage/memory_file_system.h"
#include "worker/shuffle/shuffle_server.h"
#include "worker/task_environment.h"
#include "worker/task_runner.h"

namespace skep {

// Fetches from a ShuffleServer in this process, inside the call. Addresses are not
// looked at. Not thread-safe.
class LocalShuffle final : public ShuffleSource {
 public:
  explicit LocalShuffle(ShuffleServer& server) : server_(server) {}

  void Fetch(const std::string& address, const FetchRequest& request,
             Done done) override;

  // If set, asked first; an error is the answer.
  std::function<absl::Status(const FetchRequest&)> before;
  // If set, may change what was read.
  std::function<void(const FetchRequest&, std::string* bytes)> after;
  int fetches = 0;

 private:
  ShuffleServer& server_;
};

// Grants each task's commit to the first attempt that asks. Not thread-safe.
class FirstCommitter final : public Committer {
 public:
  void RequestCommit(const AttemptId& id, Done done) override;

 private:
  std::map<AttemptRef, uint32_t> winners_;
};

// The submitter's machine is another file system; without one nothing is there.
class FakeSubmitter final : public SubmitterFiles {
 public:
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenToRead(
      const JobContext& job, const InputFile& file, std::stop_token stop) override;
  std::unique_ptr<OutputStore> Output(const JobContext& job,
                                      std::stop_token stop) override;

  FileSystem* files = nullptr;
};

// One worker with fake doors.
struct FakeWorker {
  explicit FakeWorker(FileSystem& fs, const JobTable& jobs)
      : server(fs, "/scratch"),
        shuffle(server),
        environment{.local = fs,
                    .scratch = "/scratch",
                    .host = "testhost",
                    .jobs = jobs,
                    .shuffle = shuffle,
                    .submitter = submitter,
                    .committer = committer} {
    environment.fetch.min_backoff = absl::Microseconds(10);
    environment.fetch.max_backoff = absl::Microseconds(100);
    environment.fetch.unreachable_after = absl::Milliseconds(5);
    environment.fetch.busy_after = absl::Milliseconds(5);
  }

  TaskResult Run(const TaskSpec& spec) { return RunTask(spec, environment, {}); }

  ShuffleServer server;
  LocalShuffle shuffle;
  FakeSubmitter submitter;
  FirstCommitter committer;
  TaskEnvironment environment;
  uint64_t next_job = 1;
};

// What a whole job gave.
struct EngineResult {
  Answer answer;
  std::vector<std::string> parts;  // as published, in order
  std::map<std::string, uint64_t> counters;
  std::vector<std::string> warnings;
};

// Runs every task of the job once, one after the other, on `worker`, with its output in
// /out of the worker's file system. Internal: consumed is not what was produced.
absl::StatusOr<EngineResult> RunJob(const JobSpec& job, FakeWorker& worker);

}  // namespace skep

#endif  // SKEP_WORKER_TASK_TESTING_H_
