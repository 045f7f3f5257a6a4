#include "rpc/tls/pem_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"

namespace skep {
namespace {

absl::Status Write(const std::string& path, std::string_view text, int flags,
                   mode_t mode) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, mode);
  if (fd < 0 && errno == EEXIST) {
    return AlreadyExists(path,
                         " exists: it is not overwritten; take another folder, or ",
                         "move it away if nobody needs it any more");
  }
  if (fd < 0) return ErrnoToStatus(errno, "create " + path);
  int error = 0;
  while (!text.empty() && error == 0) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) error = errno;
    if (written > 0) text.remove_prefix(static_cast<size_t>(written));
  }
  if (error == 0 && fsync(fd) != 0) error = errno;
  close(fd);
  return error == 0 ? absl::OkStatus() : ErrnoToStatus(error, "write " + path);
}

}  // namespace

absl::Status MakePrivateFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoToStatus(errno, "make folder " + path);
}

absl::Status WritePrivateFile(const std::string& path, std::string_view text) {
  return Write(path, text, O_EXCL, 0600);
}

absl::Status WritePublicFile(const std::string& path, std::string_view text) {
  const std::string next = path + ".new";
  SKEP_RETURN_IF_ERROR(Write(next, text, O_TRUNC, 0644));
  if (rename(next.c_str(), path.c_str()) == 0) return absl::OkStatus();
  return ErrnoToStatus(errno, "rename " + next);
}

absl::StatusOr<std::string> ReadPublicFile(const std::string& path,
                                           std::string_view hint) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return NotFound("cannot read ", path, ": ", hint);
  if (fd < 0) return ErrnoToStatus(errno, "cannot read " + path);
  std::string text;
  char some[4096];
  int error = 0;
  while (true) {
    const ssize_t count = read(fd, some, sizeof some);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) error = errno;
    if (count <= 0) break;
    text.append(some, static_cast<size_t>(count));
  }
  close(fd);
  // What breaks off in the middle is not the file.
  if (error != 0) return ErrnoToStatus(error, "cannot read " + path);
  return text;
}

absl::StatusOr<std::string> ReadIfThere(const std::string& path,
                                        std::string_view hint) {
  // A link to nothing is there.
  struct stat info;
  if (lstat(path.c_str(), &info) != 0 && errno == ENOENT) return "";
  SKEP_ASSIGN_OR_RETURN(std::string text, ReadPublicFile(path, hint));
  if (text.empty()) return FailedPrecondition(path, " is empty: ", hint);
  return text;
}

absl::StatusOr<std::string> ReadPrivateFile(const std::string& path,
                                            std::string_view hint) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return PermissionDenied("refused to use ", path,
                            ": others on this machine may read it; chmod 600 it");
  }
  return ReadPublicFile(path, hint);
}

}  // namespace skep
