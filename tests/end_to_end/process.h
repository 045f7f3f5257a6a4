// Runs programs as a person would, and looks at what they print and how they end.

#ifndef SKEP_TESTS_END_TO_END_PROCESS_H_
#define SKEP_TESTS_END_TO_END_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace skep {

// How a program ended and what it wrote.
struct Outcome {
  int exit_code = -1;  // 128 + signal if it was killed; 124 if it took too long
  std::string out;
  std::string err;
};

struct ProcessOptions {
  std::string directory;         // where it runs; empty: here
  std::string input;             // its standard input
  std::vector<std::string> env;  // "NAME=value", besides ours
  bool new_group = false;        // its own process group, for KillGroup
};

// One running program. Not thread-safe. What it writes goes into files, so that it
// never waits for us.
class Process {
 public:
  // argv[0] is looked up in PATH. Fails the test (and yields exit code 127) if it
  // cannot be started.
  explicit Process(const std::vector<std::string>& argv,
                   const ProcessOptions& options = {});
  // Kills it if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void Kill(int signal);
  // What it has written so far.
  std::string out() const;
  std::string err() const;

  // Waits for its end, for at most `patience`; kills it then.
  Outcome Wait(absl::Duration patience = absl::Minutes(2));
  // Waits until its output or error output contains `text`; false if it ended before or
  // took too long.
  bool WaitForText(const std::string& text,
                   absl::Duration patience = absl::Seconds(20));

 private:
  std::string directory_;  // ours: out, err, in
  pid_t pid_ = -1;
  bool reaped_ = false;
  int status_ = 0;
};

// Runs a program to its end.
Outcome RunProgram(const std::vector<std::string>& argv,
                   const ProcessOptions& options = {},
                   absl::Duration patience = absl::Minutes(2));
// A shell's command line, with bash and pipefail.
Outcome RunShell(const std::string& command, const ProcessOptions& options = {},
                 absl::Duration patience = absl::Minutes(2));

// The skep binary under test, and `skep ARGS` run to its end.
std::string SkepBinary();
Outcome Skep(const std::vector<std::string>& args, const ProcessOptions& options = {},
             absl::Duration patience = absl::Minutes(2));
std::vector<std::string> SkepArgv(const std::vector<std::string>& args);

// A folder of the running test's own, new and empty.
std::string TestFolder();

// A file below SKEP_TEST_DATA; "" if that is not set.
std::string TestData(const std::string& name);
// Skips the test where there is no test data.
#define SKEP_REQUIRE_TEST_DATA()   \
  if (TestData("kjv.txt").empty()) \
  GTEST_SKIP() << "SKEP_TEST_DATA is unset, and this test wants its files"

std::string ReadWholeFile(const std::string& path);
void WriteWholeFile(const std::string& path, const std::string& bytes);

// The word that follows `label` in what a program printed ("127.0.0.1:43211" after
// "listening on "); "" if the label is not there.
std::string WordAfter(const std::string& text, const std::string& label);

// The children of a process, by /proc.
std::vector<pid_t> ChildrenOf(pid_t parent);

}  // namespace skep

#endif  // SKEP_TESTS_END_TO_END_PROCESS_H_
