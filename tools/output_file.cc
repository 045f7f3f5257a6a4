#include "tools/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "base/status.h"
#include "storage/file_system.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

namespace fs = std::filesystem;

absl::Status Refused(std::string_view flag, const std::string& path,
                     std::string_view why) {
  return EndsWith(kFiles,
                  FailedPrecondition(flag, " ", path, " cannot be written: ", why));
}

// What is written to, not replaced: a device, a pipe, and what a name of /dev/stdout's
// kind stands for, which the command's own output goes to as well.
bool IsSpecial(const std::string& path) {
  std::error_code error;
  const std::string absolute = fs::absolute(path, error).lexically_normal().string();
  if (absolute.starts_with("/dev/") || absolute.starts_with("/proc/")) return true;
  return fs::exists(path, error) && !fs::is_regular_file(path, error);
}

// A file is replaced where it is, not the link to it, which may point at none yet.
std::string Resolved(const std::string& path) {
  std::error_code error;
  const fs::path resolved = fs::canonical(path, error);
  if (!error) return resolved.string();
  if (!fs::is_symlink(path, error)) return path;
  return (fs::path(path).parent_path() / fs::read_symlink(path, error)).string();
}

}  // namespace

absl::Status CheckOutputFile(std::string_view flag, const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  std::error_code error;
  if (fs::is_directory(path, error)) return Refused(flag, path, "it is a directory");
  if (fs::exists(path, error) && access(path.c_str(), W_OK) != 0) {
    return Refused(flag, path, Message(ErrnoToStatus(errno, "open it")));
  }
  if (IsSpecial(path)) return absl::OkStatus();
  // As a file is written: beside its place, and renamed.
  const std::string beside =
      StrCat(Resolved(path), ".", absl::Hex(SystemRandom64(), absl::kZeroPad16));
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return Refused(flag, path, Message(ErrnoToStatus(errno, "make a file")));
  close(fd);
  unlink(beside.c_str());
  return absl::OkStatus();
}

absl::Status WriteOutputFile(std::string_view flag, const std::string& path,
                             std::string_view bytes) {
  if (path.empty()) return absl::OkStatus();
  if (IsSpecial(path)) {
    std::ofstream file(path, std::ios::binary | std::ios::app);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    return file ? absl::OkStatus() : Refused(flag, path, "is there room in it?");
  }
  const std::string place = Resolved(path);
  std::error_code error;
  const fs::file_status before = fs::status(place, error);
  const absl::Status written = WriteFileAtomically(FileSystem::Real(), place, bytes);
  if (!written.ok()) return Refused(flag, path, Message(written));
  // Who may read the one that was there may read this one.
  if (fs::exists(before)) fs::permissions(place, before.permissions(), error);
  return absl::OkStatus();
}

}  // namespace skep
