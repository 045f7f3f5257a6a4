#include "tools/standard_output.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "base/status.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

bool ReaderIsGone() {
  pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

}  // namespace

absl::Status StandardOutputError(int error_number) {
  return EndsWith(kFiles,
                  error_number == EBADF
                      ? FailedPrecondition("standard output is closed")
                      : ErrnoToStatus(error_number, "write to standard output"));
}

absl::Status FlushStandardOutput() {
  const bool lost_before = std::ferror(stdout) != 0;
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  const int error_number = errno;
  if (flushed && !lost_before) return absl::OkStatus();
  if (error_number == EPIPE || ReaderIsGone()) return absl::OkStatus();
  // The error of an earlier write is not known any more; most often it is this.
  return StandardOutputError(!flushed && error_number != 0 ? error_number : ENOSPC);
}

}  // namespace skep
