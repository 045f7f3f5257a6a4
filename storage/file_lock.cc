#include "storage/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/status.h"

namespace skep {

absl::StatusOr<FileLock> FileLock::Take(const std::string& path, bool make) {
  const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0);
  FileLock lock(::open(path.c_str(), flags, 0666));
  if (lock.fd_ < 0) return ErrnoToStatus(errno, StrCat("open ", path));
  if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return AlreadyExists(path, " is locked by another process");
    return ErrnoToStatus(errno, StrCat("lock ", path));
  }
  // Who held it before may have removed it meanwhile: then this locks nothing.
  struct stat info;
  if (::fstat(lock.fd_, &info) != 0 || info.st_nlink == 0) {
    return AlreadyExists(path, " is being removed by another process");
  }
  return lock;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace skep
