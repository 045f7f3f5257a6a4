#include "tools/binary_digest.h"

#include <unistd.h>

#include <climits>

#include "base/digest.h"
#include "base/status.h"
#include "storage/file_system.h"

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
  SKEP_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(FileSystem::Real(), kSelf));
  return DigestOf(bytes).ToString();
}

}  // namespace skep
