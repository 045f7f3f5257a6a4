// The subcommands of skep, one a file: commands/NAME.cc defines RunNAME, a line here
// declares it, and a line in main.cc puts it into the table.
//
// Each takes the arguments after its own name and returns the exit code (exit_code.h).

#ifndef SKEP_TOOLS_COMMANDS_COMMANDS_H_
#define SKEP_TOOLS_COMMANDS_COMMANDS_H_

#include <string>
#include <vector>

namespace skep {

using Args = std::vector<std::string>;

int RunRun(const Args& args);
int RunSubmit(const Args& args);
int RunJobs(const Args& args);
int RunStatus(const Args& args);
int RunWait(const Args& args);
int RunCancel(const Args& args);
int RunMaster(const Args& args);
int RunWorker(const Args& args);
int RunExecutor(const Args& args);
int RunServe(const Args& args);
int RunBalance(const Args& args);
int RunRpc(const Args& args);
int RunLoad(const Args& args);
int RunCompare(const Args& args);
int RunBench(const Args& args);
int RunCert(const Args& args);
int RunGen(const Args& args);
int RunCompletion(const Args& args);
int RunVersion(const Args& args);

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_COMMANDS_H_
