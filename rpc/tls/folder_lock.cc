#include "rpc/tls/folder_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/status.h"

namespace skep {
namespace {

// Between two looks: flock itself knows no deadline.
constexpr absl::Duration kLook = absl::Milliseconds(5);

}  // namespace

absl::StatusOr<FolderLock> FolderLock::Take(const std::string& path,
                                            absl::Duration wait) {
  FolderLock lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.fd_ < 0) return ErrnoToStatus(errno, "open " + path);
  const absl::Time deadline = Clock::Real().Now() + wait;
  while (flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return ErrnoToStatus(errno, "lock " + path);
    }
    if (Clock::Real().Now() >= deadline) {
      return Unavailable(path, " has been locked by another process for ",
                         absl::FormatDuration(wait), ": `fuser ", path,
                         "` tells which; try again when it has ended");
    }
    absl::SleepFor(kLook);
  }
  return lock;
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace skep
