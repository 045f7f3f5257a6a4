// The FileSystem door of the machine: POSIX calls. Get it from FileSystem::Real().
//
// Writes are gathered into pieces of kWriteBufferBytes, so that errors of an Append may
// be reported by a later one, by Sync or by Close; after an error every call repeats
// it. The first Sync of a file that was created here also syncs its directory: without
// that a crash could lose the name of a file whose bytes are safe.

#ifndef SKEP_STORAGE_POSIX_FILE_SYSTEM_H_
#define SKEP_STORAGE_POSIX_FILE_SYSTEM_H_

#include <memory>
#include <string>
#include <vector>

#include "storage/file_system.h"

namespace skep {

// One system call for 64 KiB is below 1 % of the cost of copying them to a disk.
inline constexpr size_t kWriteBufferBytes = size_t{64} << 10;

class PosixFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenToRead(
      const std::string& path) override;
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenToWrite(
      const std::string& path, IfExists if_exists = IfExists::kTruncate) override;
  absl::StatusOr<FileInfo> Stat(const std::string& path) override;
  absl::StatusOr<std::vector<DirectoryEntry>> List(
      const std::string& directory) override;
  absl::Status MakeDirectory(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status RemoveFile(const std::string& path) override;
  absl::Status RemoveAll(const std::string& path) override;
};

// The directory that relative paths of this process stand in.
absl::StatusOr<std::string> CurrentDirectory();

}  // namespace skep

#endif  // SKEP_STORAGE_POSIX_FILE_SYSTEM_H_
