#include "tests/end_to_end/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kPollInterval = absl::Milliseconds(5);

std::string NewFolder(const std::string& prefix) {
  const char* const base = std::getenv("TEST_TMPDIR");
  std::string path =
      std::string(base != nullptr ? base : "/tmp") + "/" + prefix + "XXXXXX";
  if (mkdtemp(path.data()) == nullptr) ADD_FAILURE() << "mkdtemp " << path;
  return path;
}

// In the child: only calls that are allowed after fork.
[[noreturn]] void Exec(const std::vector<char*>& argv, const ProcessOptions& options,
                       const std::string& folder) {
  const int in = open((folder + "/in").c_str(), O_RDONLY);
  const int out = open((folder + "/out").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int err = open((folder + "/err").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(in, 0);
  dup2(out, 1);
  dup2(err, 2);
  if (options.new_group) setpgid(0, 0);
  if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(127);
  for (const std::string& entry : options.env) putenv(const_cast<char*>(entry.c_str()));
  execvp(argv[0], argv.data());
  _exit(127);
}

}  // namespace

Process::Process(const std::vector<std::string>& argv, const ProcessOptions& options)
    : directory_(NewFolder("process")) {
  WriteWholeFile(directory_ + "/in", options.input);
  WriteWholeFile(directory_ + "/out", "");
  WriteWholeFile(directory_ + "/err", "");
  std::vector<char*> raw;
  for (const std::string& arg : argv) raw.push_back(const_cast<char*>(arg.c_str()));
  raw.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) Exec(raw, options, directory_);
  if (pid_ < 0) ADD_FAILURE() << "fork failed";
}

Process::~Process() {
  if (running()) {
    Kill(SIGKILL);
    Wait();
  }
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

bool Process::running() {
  if (reaped_ || pid_ <= 0) return false;
  reaped_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return !reaped_;
}

void Process::Kill(int signal) {
  if (running()) kill(pid_, signal);
}

std::string Process::out() const { return ReadWholeFile(directory_ + "/out"); }
std::string Process::err() const { return ReadWholeFile(directory_ + "/err"); }

Outcome Process::Wait(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  bool late = false;
  while (running()) {
    if (!late && absl::Now() > deadline) {
      late = true;
      kill(pid_, SIGKILL);
    }
    absl::SleepFor(kPollInterval);
  }
  Outcome outcome;
  outcome.out = out();
  outcome.err = err();
  if (late) {
    outcome.exit_code = 124;
  } else {
    outcome.exit_code =
        WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
  }
  return outcome;
}

bool Process::WaitForText(const std::string& text, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (true) {
    const bool was_running = running();
    if (out().find(text) != std::string::npos ||
        err().find(text) != std::string::npos) {
      return true;
    }
    if (!was_running || absl::Now() > deadline) return false;
    absl::SleepFor(kPollInterval);
  }
}

Outcome RunProgram(const std::vector<std::string>& argv, const ProcessOptions& options,
                   absl::Duration patience) {
  return Process(argv, options).Wait(patience);
}

Outcome RunShell(const std::string& command, const ProcessOptions& options,
                 absl::Duration patience) {
  return RunProgram({"bash", "-o", "pipefail", "-c", command}, options, patience);
}

std::string SkepBinary() {
  // Tests run at the top of their runfiles.
  return (fs::current_path() / "tools" / "skep").string();
}

std::vector<std::string> SkepArgv(const std::vector<std::string>& args) {
  std::vector<std::string> argv = {SkepBinary()};
  argv.insert(argv.end(), args.begin(), args.end());
  return argv;
}

Outcome Skep(const std::vector<std::string>& args, const ProcessOptions& options,
             absl::Duration patience) {
  return RunProgram(SkepArgv(args), options, patience);
}

std::string TestFolder() { return NewFolder("test"); }

std::string TestData(const std::string& name) {
  const char* const folder = std::getenv("SKEP_TEST_DATA");
  return folder == nullptr || *folder == '\0' ? "" : std::string(folder) + "/" + name;
}

std::string ReadWholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void WriteWholeFile(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  if (!file.flush()) ADD_FAILURE() << "cannot write " << path;
}

std::string WordAfter(const std::string& text, const std::string& label) {
  const size_t at = text.find(label);
  if (at == std::string::npos) return "";
  const size_t begin = at + label.size();
  return text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& task :
       fs::directory_iterator("/proc/" + std::to_string(parent) + "/task")) {
    std::ifstream list(task.path() / "children");
    pid_t child;
    while (list >> child) children.push_back(child);
  }
  return children;
}

}  // namespace skep
