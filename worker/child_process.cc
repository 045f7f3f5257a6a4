#include "worker/child_process.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "absl/time/clock.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr absl::Duration kReapPoll = absl::Milliseconds(2);

// In the child, between fork and exec. The parent has other threads, so only
// async-signal-safe calls are allowed: no allocation, no locks.
[[noreturn]] void ExecChild(pid_t parent, int fd, const char* binary,
                            char* const* argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before that line.
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (fd == ChildProcess::kChildFd) {
    // dup2 onto itself would leave close-on-exec set.
    const int copy = dup(fd);
    if (copy < 0) _exit(127);
    close(fd);
    if (dup2(copy, ChildProcess::kChildFd) < 0) _exit(127);
  } else if (dup2(fd, ChildProcess::kChildFd) < 0) {
    _exit(127);
  }
  close_range(ChildProcess::kChildFd + 1, ~0u, 0);
  execv(binary, argv);
  _exit(127);
}

}  // namespace

std::string ProcessEnd::ToString() const {
  if (signal == 0) return StrCat("exit code ", exit_code);
  const char* const name = sigabbrev_np(signal);
  return name == nullptr ? StrCat("signal ", signal) : StrCat("SIG", name);
}

absl::StatusOr<ChildProcess> ChildProcess::Start(const std::string& binary,
                                                 const std::vector<std::string>& args) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return ErrnoToStatus(errno, "socketpair for an executor process");
  }
  std::vector<char*> argv = {const_cast<char*>(binary.c_str())};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) ExecChild(parent, fds[1], binary.c_str(), argv.data());
  const int fork_error = errno;
  close(fds[1]);
  if (pid < 0) {
    close(fds[0]);
    return ErrnoToStatus(fork_error, "fork of an executor process");
  }
  return ChildProcess(pid, fds[0]);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), fd_(std::exchange(other.fd_, -1)) {}

ChildProcess::~ChildProcess() {
  if (fd_ >= 0) close(fd_);
  if (pid_ != 0) Reap(absl::ZeroDuration());
}

int ChildProcess::TakeFd() { return std::exchange(fd_, -1); }

void ChildProcess::Kill(int signal) {
  if (pid_ != 0) kill(pid_, signal);
}

ProcessEnd ChildProcess::Reap(absl::Duration patience) {
  if (pid_ == 0) return {};
  const absl::Time give_up = absl::Now() + patience;
  int status = 0;
  while (true) {
    const pid_t reaped = waitpid(pid_, &status, WNOHANG);
    if (reaped == pid_) break;
    if (reaped < 0 && errno != EINTR) break;  // nobody's child: nothing to report
    if (absl::Now() >= give_up) {
      kill(pid_, SIGKILL);
      while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
      }
      break;
    }
    absl::SleepFor(kReapPoll);
  }
  pid_ = 0;
  if (WIFSIGNALED(status)) return {.exit_code = 0, .signal = WTERMSIG(status)};
  return {.exit_code = WEXITSTATUS(status), .signal = 0};
}

}  // namespace skep
