// What `skep run JOB` and `skep submit JOB` have in common: the job's own flags, taken
// from the job table, and the engine's.

#ifndef SKEP_TOOLS_COMMANDS_JOB_COMMAND_H_
#define SKEP_TOOLS_COMMANDS_JOB_COMMAND_H_

#include <functional>
#include <optional>
#include <string>

#include "base/logging.h"
#include "tools/client/job_request.h"
#include "tools/client/session.h"
#include "tools/command_line.h"

namespace skep {

struct JobCommand {
  JobRequest request;
  SessionOptions session;
  // What matters of troubles is in the job's status.
  LogOptions log = {.level = "error"};
};

// Parses "JOB [FLAGS] INPUT...". `more_flags` declares the command's own. Returns an
// exit code to end with (help was printed, or an error), or nothing.
std::optional<int> ParseJobCommand(const std::string& command,
                                   const std::string& summary, const Args& args,
                                   const std::function<void(CommandLine&)>& more_flags,
                                   JobCommand* parsed);

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_JOB_COMMAND_H_
