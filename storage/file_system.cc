#include "storage/file_system.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "base/random.h"
#include "base/status.h"

namespace skep {
namespace {

absl::Status WriteAndSync(FileSystem& fs, const std::string& path,
                          std::string_view bytes) {
  SKEP_ASSIGN_OR_RETURN(auto file, fs.OpenToWrite(path, FileSystem::IfExists::kFail));
  SKEP_RETURN_IF_ERROR(file->Append(bytes));
  SKEP_RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(FileSystem& fs, const std::string& path,
                                     uint64_t max_bytes) {
  SKEP_ASSIGN_OR_RETURN(auto file, fs.OpenToRead(path));
  // The size is not asked for: what matters is how many bytes come, and files of /proc
  // have size 0. So read in growing steps until one comes up short.
  std::string bytes;
  size_t step = size_t{64} << 10;
  while (true) {
    const size_t before = bytes.size();
    bytes.resize(before + step);
    SKEP_ASSIGN_OR_RETURN(const size_t got,
                          file->ReadAt(before, step, bytes.data() + before));
    bytes.resize(before + got);
    if (bytes.size() > max_bytes) {
      return ResourceExhausted("read ", path, ": larger than the ", max_bytes,
                               " bytes that are allowed here");
    }
    if (got < step) return bytes;
    step = std::min(step * 2, size_t{8} << 20);
  }
}

absl::Status WriteFileAtomically(FileSystem& fs, const std::string& path,
                                 std::string_view bytes) {
  // A random name, so that two writers of one path do not share the temporary.
  const std::string temporary =
      StrCat(path, absl::StrFormat(".tmp-%016x", SystemRandom64()));
  absl::Status status = WriteAndSync(fs, temporary, bytes);
  if (status.ok()) status = fs.Rename(temporary, path);
  if (!status.ok()) {
    fs.RemoveAll(temporary).IgnoreError();  // the first error is the one to report
    return Annotate(status, StrCat("write ", path));
  }
  return status;
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  if (directory.empty() || name.starts_with('/')) return std::string(name);
  if (name.empty()) return std::string(directory);
  return StrCat(directory, directory.ends_with('/') ? "" : "/", name);
}

}  // namespace skep
