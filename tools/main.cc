// The skep command: finds the subcommand and runs it.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "glog/logging.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/exit_code.h"
#include "tools/signals.h"
#include "tools/standard_error.h"
#include "tools/standard_output.h"

namespace skep {
namespace {

struct Command {
  const char* name;
  const char* summary;  // null: not shown
  int (*run)(const Args& args);
};

constexpr Command kCommands[] = {
    {"run", "Run a job here, on a fleet inside this process", RunRun},
    {"submit", "Run a job on the fleet of a master", RunSubmit},
    {"jobs", "List a master's jobs", RunJobs},
    {"status", "Show one job", RunStatus},
    {"wait", "Wait for a job's end, and print its answer", RunWait},
    {"cancel", "Cancel a job", RunCancel},
    {"master", "Serve as a fleet's master", RunMaster},
    {"worker", "Serve a master as a worker", RunWorker},
    {"cert", "Make a fleet's certificates, and join a fleet", RunCert},
    {"serve", "Serve echo, sudoku, nqueens or median", RunServe},
    {"balance", "Spread RPC calls over backends", RunBalance},
    {"rpc", "Ask a server what it serves, or call it", RunRpc},
    {"load", "Load a server, and report rate and latency", RunLoad},
    {"bench", "Measure what calls cost here", RunBench},
    {"gen", "Make inputs for the jobs", RunGen},
    {"compare", "Compare algorithms, and balancing policies, side by side", RunCompare},
    {"executor", nullptr, RunExecutor},
    {"completion", "Print what completes commands in a shell", RunCompletion},
    {"version", "Print the version", RunVersion},
};

constexpr char kAbout[] = R"(skep runs MapReduce jobs.

Usage: skep COMMAND [ARGUMENTS]

Commands:
%s
`skep COMMAND --help`, or `skep help COMMAND`, explains one; `skep run --help` lists the
jobs.

Examples:
  skep run wordcount --top 10 /usr/share/common-licenses/*
  skep run median numbers.txt
  skep master & skep worker & skep submit wordcount --output counts books/

Exit codes:
  0  success
  1  the job failed (its message says why), or the answer is no: grep found no line
  2  the command line is wrong
  3  a server cannot be reached, or an address not be listened on
  4  the job was cancelled, by Ctrl-C or `skep cancel`
  5  before or after a job: an input cannot be read, or an output not be written
Where Ctrl-C has no job to cancel (wait, gen, bench, compare without --master) it ends
the command as it ends any: a shell says 130. Servers and load stop in order: 0.
)";

int Help() {
  std::string list;
  for (const Command& command : kCommands) {
    if (command.summary == nullptr) continue;
    std::string name = command.name;
    name.resize(12, ' ');
    list += "  " + name + command.summary + "\n";
  }
  std::printf(kAbout, list.c_str());
  return kOk;
}

// What may follow `skep`, for completion.
int ListCommands() {
  for (const Command& command : kCommands) {
    if (command.summary != nullptr) std::printf("%s\n", command.name);
  }
  std::printf("help\n--help\n--version\n");
  return kOk;
}

int UnknownCommand(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (command.summary != nullptr) names.push_back(command.name);
  }
  const std::string nearest = Nearest(name, names);
  WriteError("skep: unknown command '" + name + "'" +
             (nearest.empty() ? "" : "; did you mean " + nearest + "?") +
             " (see: skep --help)\n");
  return kUsage;
}

int Main(Args args) {
  if (args.empty()) {
    WriteError("skep: name a command (see: skep --help)\n");
    return kUsage;
  }
  // `skep help run wordcount` is `skep run wordcount --help`.
  if (args[0] == "help" && args.size() > 1) {
    args.erase(args.begin());
    if (args.back() != CommandLine::kComplete) args.push_back("--help");
  }
  const std::string& name = args[0];
  if (name == "--help" || name == "-h" || name == "help") return Help();
  if (name == "--version") return RunVersion({});
  if (name == CommandLine::kComplete) return ListCommands();
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run(Args(args.begin() + 1, args.end()));
  }
  return UnknownCommand(name);
}

// What was printed and is lost is an error, whatever the command did.
int Finish(int code) {
  const absl::Status flushed = FlushStandardOutput();
  if (flushed.ok()) return code;
  WriteError("skep: " + std::string(Message(flushed)) + "\n");
  return code == kOk ? ExitCodeOf(flushed) : code;
}

}  // namespace
}  // namespace skep

int main(int argc, char** argv) {
  skep::IgnoreBrokenPipes();
  // What matters of troubles is in the errors that commands report. Those that serve,
  // and those with --log-level, say otherwise by InitLogging.
  FLAGS_minloglevel = google::GLOG_ERROR;
  FLAGS_logtostderr = true;
  // The same of gRPC's.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  return skep::Finish(skep::Main(skep::Args(argv + 1, argv + argc)));
}
