// A child process that talks over a socket pair and never outlives its parent.

#ifndef SKEP_WORKER_CHILD_PROCESS_H_
#define SKEP_WORKER_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace skep {

// How a process ended.
struct ProcessEnd {
  int exit_code = 0;  // if signal is 0
  int signal = 0;

  // "SIGKILL" or "exit code 3".
  std::string ToString() const;
};

// Owns one child: it is killed and reaped by the destructor. Start and destroy it on
// the same thread, and keep that thread alive: the kernel's death signal follows the
// thread.
class ChildProcess {
 public:
  // The descriptor at which the child finds its end of the socket pair.
  static constexpr int kChildFd = 3;

  // Runs `binary` with `args`. All other descriptors but 0, 1 and 2 are closed in it.
  static absl::StatusOr<ChildProcess> Start(const std::string& binary,
                                            const std::vector<std::string>& args);
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  pid_t pid() const { return pid_; }
  // Our end of the socket pair; the caller owns it from then on. Once.
  int TakeFd();

  void Kill(int signal);
  // Waits for its end; kills it if it has not ended after `patience`.
  ProcessEnd Reap(absl::Duration patience);

 private:
  ChildProcess(pid_t pid, int fd) : pid_(pid), fd_(fd) {}

  pid_t pid_;  // 0: reaped
  int fd_;     // -1: taken
};

}  // namespace skep

#endif  // SKEP_WORKER_CHILD_PROCESS_H_
