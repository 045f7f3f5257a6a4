#include "tests/bench/self_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>

#include "absl/time/clock.h"
#include "base/status.h"
#include "base/strings.h"

namespace skep {
namespace {

constexpr char kSelf[] = "/proc/self/exe";
constexpr absl::Duration kUntilItServes = absl::Seconds(20);

std::vector<char*> ArgvOf(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  return argv;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The first line that comes out of the pipe, without its end; what there is of it if
// the pipe ends or time is over.
std::string ReadLine(int pipe) {
  const absl::Time until = absl::Now() + kUntilItServes;
  std::string line;
  char c;
  while (true) {
    pollfd waiting = {.fd = pipe, .events = POLLIN, .revents = 0};
    const int64_t left = absl::ToInt64Milliseconds(until - absl::Now());
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) <= 0) return line;
    if (read(pipe, &c, 1) != 1 || c == '\n') return line;
    line += c;
  }
}

}  // namespace

absl::StatusOr<SelfRun> RunSelf(const BenchFolder& folder,
                                const std::vector<std::string>& arguments) {
  const std::vector<char*> argv = ArgvOf(arguments);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, 1, folder.Path("out").c_str(), kFlags,
                                   0600);
  posix_spawn_file_actions_addopen(&actions, 2, folder.Path("err").c_str(), kFlags,
                                   0600);
  SelfRun run{.begin = absl::Now()};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, kSelf, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoToStatus(error, "start skep");
  rusage usage;
  while (wait4(pid, &run.status, 0, &usage) < 0) {
    if (errno != EINTR) return ErrnoToStatus(errno, "wait for skep");
  }
  run.end = absl::Now();
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  run.cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  run.out = ReadAll(folder.Path("out"));
  run.err = ReadAll(folder.Path("err"));
  return run;
}

absl::StatusOr<std::unique_ptr<SelfServer>> SelfServer::Start(
    const std::vector<std::string>& arguments) {
  const std::vector<char*> argv = ArgvOf(arguments);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "make a pipe");
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ends[1], STDOUT_FILENO);
    execv(kSelf, argv.data());
    _exit(127);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return ErrnoToStatus(errno, "start a server");
  }
  std::unique_ptr<SelfServer> server(new SelfServer(pid));
  const std::string line = ReadLine(ends[0]);
  close(ends[0]);
  server->address_ = line.substr(line.rfind(' ') + 1);
  if (server->address_.find(':') == std::string::npos) {
    return Unavailable("`", arguments[0], " ", arguments[1], "` does not serve: '",
                       line, "'");
  }
  return server;
}

SelfServer::~SelfServer() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace skep
