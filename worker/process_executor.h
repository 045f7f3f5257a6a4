// Runs attempts in a child process: a crash of user code costs one attempt, never the
// outputs that the worker holds.

#ifndef SKEP_WORKER_PROCESS_EXECUTOR_H_
#define SKEP_WORKER_PROCESS_EXECUTOR_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "rpc/channel.h"
#include "worker/child_process.h"
#include "worker/executor.h"

namespace skep {

class TcpTransport;

struct ProcessExecutorOptions {
  // The program: our own binary. "--fd=3" is added to its arguments; it then calls
  // ExecutorMain (executor_main.h).
  std::string binary = "/proc/self/exe";
  std::vector<std::string> args = {"executor"};
  // How long a cancelled attempt may go on before its process is killed.
  absl::Duration stop_grace = absl::Seconds(5);
  // Of the worker, as in TaskEnvironment.
  std::string scratch;
  std::string host;
};

// One child, started when first needed, kept for attempt after attempt, and replaced
// when it dies. How a child's death is reported:
//   SIGKILL, SIGTERM, SIGINT, SIGHUP  Unavailable: somebody outside did it (the kernel
//                                     out of memory, an operator); the attempt is lost
//   any other signal, or an exit      Unknown: the user's code did it; it counts
class ProcessExecutor final : public TaskExecutor {
 public:
  // Both borrowed.
  ProcessExecutor(TcpTransport& transport, Committer& committer,
                  ProcessExecutorOptions options);
  ~ProcessExecutor() override;

  TaskResult Run(const TaskSpec& spec, const AttemptControl& control) override;

 private:
  class Supervisor;
  struct Outcome;

  absl::Status EnsureChild();
  void DropChild();
  // Waits for the call's end; passes a stop on, and kills a child that ignores it.
  void Await(Outcome& outcome, const AttemptId& id, std::stop_token stop);

  TcpTransport& transport_;
  const ProcessExecutorOptions options_;
  const std::unique_ptr<Supervisor> supervisor_;
  std::optional<ChildProcess> child_;
  // shared: as ChannelOver makes it.
  std::shared_ptr<Channel> channel_;
};

// What the death of executor process `pid` means for the attempt that it ran.
absl::Status StatusOfDeath(const ProcessEnd& end, pid_t pid, const AttemptId& id);

}  // namespace skep

#endif  // SKEP_WORKER_PROCESS_EXECUTOR_H_
