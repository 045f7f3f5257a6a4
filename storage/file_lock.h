// A file whose lock one process holds: guards a directory against two owners, and tells
// a folder in use from one whose owner was killed, since the lock ends with its
// process.

#ifndef SKEP_STORAGE_FILE_LOCK_H_
#define SKEP_STORAGE_FILE_LOCK_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace skep {

// Released on destruction; the file stays. An advisory lock (flock), so of the real
// file system only, and not inherited by programs that are started.
class FileLock {
 public:
  // Never waits. Makes the file if there is none and `make` says so. AlreadyExists:
  // another holds it, in this process or elsewhere. NotFound: no such file.
  static absl::StatusOr<FileLock> Take(const std::string& path, bool make = true);

  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace skep

#endif  // SKEP_STORAGE_FILE_LOCK_H_
