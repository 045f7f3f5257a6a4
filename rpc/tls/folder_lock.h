// The lock of an authority's folder: what is written down there and what is called back
// is changed by one at a time, thread or process. Else a certificate that is renewed
// while its holder is called back would stay good, or one of two lists signed at once
// would be lost.

#ifndef SKEP_RPC_TLS_FOLDER_LOCK_H_
#define SKEP_RPC_TLS_FOLDER_LOCK_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace skep {

// Given back on destruction, and when its process ends; the file stays. Advisory
// (flock).
class FolderLock {
 public:
  // Longer than anybody signs, shorter than the 10 s for which who renews from another
  // machine waits: so that it is told why.
  static constexpr absl::Duration kWait = absl::Seconds(5);

  // Makes the file if there is none. Blocks at most `wait`: then Unavailable, which
  // names the file.
  static absl::StatusOr<FolderLock> Take(const std::string& path,
                                         absl::Duration wait = kWait);

  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace skep

#endif  // SKEP_RPC_TLS_FOLDER_LOCK_H_
