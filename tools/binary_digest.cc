#include "tools/binary_digest.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "base/digest.h"
#include "base/status.h"

namespace skep {
namespace {
// Names the running binary's file even after it has been replaced or removed.
constexpr char kSelf[] = "/proc/self/exe";
}  // namespace

std::string BinaryPath() {
  char path[PATH_MAX];
  const ssize_t size = readlink(kSelf, path, sizeof path);
  const std::string binary = size > 0 ? std::string(path, size) : "";
  return !binary.empty() && access(binary.c_str(), X_OK) == 0 ? binary : kSelf;
}

absl::StatusOr<std::string> BinaryDigest() {
  // Mapped rather than read: most of its pages are there already, and every command
  // that runs a job waits for this.
  const int file = open(kSelf, O_RDONLY | O_CLOEXEC);
  if (file < 0) return ErrnoToStatus(errno, "open the running binary");
  struct stat info;
  absl::Status failed;
  void* bytes = MAP_FAILED;
  if (fstat(file, &info) == 0) {
    bytes = mmap(nullptr, info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
  }
  if (bytes == MAP_FAILED) failed = ErrnoToStatus(errno, "map the running binary");
  close(file);
  SKEP_RETURN_IF_ERROR(failed);
  const size_t size = info.st_size;
  const Digest128 digest = DigestOf({static_cast<const char*>(bytes), size});
  munmap(bytes, size);
  return digest.ToString();
}

}  // namespace skep
