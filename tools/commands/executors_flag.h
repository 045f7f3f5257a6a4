// --executor: whether attempts run in processes of their own.

#ifndef SKEP_TOOLS_COMMANDS_EXECUTORS_FLAG_H_
#define SKEP_TOOLS_COMMANDS_EXECUTORS_FLAG_H_

#include "base/status.h"
#include "tools/command_line.h"
#include "worker/worker.h"

namespace skep {

// `*executors` holds the default.
inline void AddExecutorFlag(CommandLine& line, WorkerOptions::Executors* executors) {
  using Executors = WorkerOptions::Executors;
  line.ParsedFlag(
      "executor",
      "Run attempts as `thread`, or as `process`, whose crash costs one attempt",
      "process|thread", *executors == Executors::kProcesses ? "process" : "thread",
      [executors](const std::string& text) {
        if (text != "process" && text != "thread") {
          return InvalidArgument("'", text, "' is not process or thread");
        }
        *executors = text == "process" ? Executors::kProcesses : Executors::kInProcess;
        return absl::OkStatus();
      });
}

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_EXECUTORS_FLAG_H_
