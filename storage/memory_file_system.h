// A FileSystem in memory: the fake for tests and the simulator's disk.
//
// Starts with the empty directory "/"; relative paths stand in it. Behaves as a POSIX
// file system without links and permissions: a file can be created only in a directory
// that exists, an open file outlives its name. Times are logical, so that a run can be
// replayed: `modified` advances by a microsecond with every change. Thread-safe.

#ifndef SKEP_STORAGE_MEMORY_FILE_SYSTEM_H_
#define SKEP_STORAGE_MEMORY_FILE_SYSTEM_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "storage/file_system.h"

namespace skep {

class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFileSystem();
  ~MemoryFileSystem() override;

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

 private:
  class Contents;
  class Reader;
  class Writer;
  struct Ticks;
  // Null contents: a directory. Contents are shared by the name and by open files.
  using Node = std::shared_ptr<Contents>;
  using Nodes = std::map<std::string, Node, std::less<>>;

  bool IsDirectory(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasChildren(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckParent(const std::string& path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckReplaceable(const std::string& from, const std::string& to) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Shared with files, which may outlive the file system.
  const std::shared_ptr<Ticks> ticks_;
  mutable Mutex mutex_;
  // By normal path: "/a/b", the root "/".
  Nodes nodes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace skep

#endif  // SKEP_STORAGE_MEMORY_FILE_SYSTEM_H_
