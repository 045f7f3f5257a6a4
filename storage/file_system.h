// The FileSystem door: named files, whole directories, atomic renames.
//
// The real one (posix_file_system.h) is the machine's; MemoryFileSystem is the fake and
// the simulator's disk; FaultyFileSystem wraps any of them and injects full disks,
// short reads and I/O errors. One conformance suite runs on all. Paths are ordinary
// strings with '/'. Thread-safe; the file objects are not, unless said.
//
// Errors: NotFound (no such file), AlreadyExists, PermissionDenied, InvalidArgument (a
// directory where a file was wanted), ResourceExhausted (disk full: the message says
// which path), DataLoss (an I/O error).

#ifndef SKEP_STORAGE_FILE_SYSTEM_H_
#define SKEP_STORAGE_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace skep {

// A file opened for reading at any offset. Thread-safe.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  // Reads up to `size` bytes at `offset` into `out`; fewer only at the end of the file.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size,
                                        char* out) const = 0;
};

// A file opened for writing from its start (or its end, where it was opened to append).
class WritableFile {
 public:
  // Closes without reporting errors; call Close to see them.
  virtual ~WritableFile() = default;
  virtual absl::Status Append(std::string_view bytes) = 0;
  // Everything written so far survives a crash of the machine.
  virtual absl::Status Sync() = 0;
  // Idempotent. Reports errors that were held back.
  virtual absl::Status Close() = 0;
};

struct FileInfo {
  uint64_t size = 0;
  absl::Time modified;
  bool is_directory = false;
  bool is_special = false;  // a device, pipe or socket: has no size, reading may block
};

struct DirectoryEntry {
  std::string name;           // without the directory
  bool is_directory = false;  // of what a link points to, where it points to something
  bool is_link = false;       // a symbolic link
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<ReadableFile>> OpenToRead(
      const std::string& path) = 0;
  enum class IfExists { kTruncate, kFail, kAppend };
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> OpenToWrite(
      const std::string& path, IfExists if_exists = IfExists::kTruncate) = 0;
  // Follows symbolic links.
  virtual absl::StatusOr<FileInfo> Stat(const std::string& path) = 0;
  // In byte order of the names; without "." and "..".
  virtual absl::StatusOr<std::vector<DirectoryEntry>> List(
      const std::string& directory) = 0;
  // With its parents; Ok if it exists.
  virtual absl::Status MakeDirectory(const std::string& path) = 0;
  // Atomic; replaces a file that exists.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status RemoveFile(const std::string& path) = 0;
  // A directory with all that is in it, or a file; Ok if there is none.
  virtual absl::Status RemoveAll(const std::string& path) = 0;

  // The machine's file system. Lives for ever.
  static FileSystem& Real();
};

// Reads a whole file; ResourceExhausted if it is larger than `max_bytes`.
absl::StatusOr<std::string> ReadFile(FileSystem& fs, const std::string& path,
                                     uint64_t max_bytes = uint64_t{1} << 30);
// Writes a file whole or not at all: a temporary beside it, synced, then renamed.
absl::Status WriteFileAtomically(FileSystem& fs, const std::string& path,
                                 std::string_view bytes);
// "a" + "b" -> "a/b"; an absolute `name` wins.
std::string JoinPath(std::string_view directory, std::string_view name);

}  // namespace skep

#endif  // SKEP_STORAGE_FILE_SYSTEM_H_
