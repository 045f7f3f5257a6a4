// Wraps a FileSystem and makes it fail on purpose: a full disk, failed and short reads,
// damaged bytes, failed renames. For tests of what happens then.
//
//   FaultyFileSystem fs(memory);
//   fs.SetFreeBytes(1000);                                  // then ResourceExhausted
//   fs.Fail(FaultyFileSystem::kRename, "_SUCCESS", DataLoss("injected"));
//
// A fault applies to paths that contain its text; the first that applies wins. It may
// be set, and healed, while files are open. Thread-safe.

#ifndef SKEP_STORAGE_FAULTY_FILE_SYSTEM_H_
#define SKEP_STORAGE_FAULTY_FILE_SYSTEM_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "storage/file_system.h"

namespace skep {

class FaultyFileSystem final : public FileSystem {
 public:
  enum Operation {
    kOpenToRead,
    kOpenToWrite,
    kRead,
    kAppend,
    kSync,
    kClose,
    kStat,
    kList,
    kMakeDirectory,
    kRename,  // by either path
    kRemove,
  };

  // `base` must outlive this and its files.
  explicit FaultyFileSystem(FileSystem& base) : base_(base) {}

  // `operation` on such paths returns `status`, after the first `skip` times, `times`
  // times.
  void Fail(Operation operation, std::string path_part, absl::Status status,
            int skip = 0, int times = std::numeric_limits<int>::max());
  // Reading such files sees their end at `offset`.
  void EndReadsAt(std::string path_part, uint64_t offset);
  // Reading such files sees the byte at `offset` with all its bits changed.
  void DamageByteAt(std::string path_part, uint64_t offset);
  // The disk is full once so many bytes more were appended: what fits is written, then
  // ResourceExhausted.
  void SetFreeBytes(uint64_t bytes);
  // Forgets all of the above.
  void Heal();

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
  class Reader;
  class Writer;
  struct Failure {
    Operation operation;
    std::string path_part;
    absl::Status status;
    int skip;
    int times;
  };
  struct ReadFault {
    std::string path_part;
    uint64_t offset;
    bool ends;  // else: damaged
  };

  absl::Status Check(Operation operation, const std::string& path);
  // Applies read faults to `size` bytes that were read at `offset`; the new size.
  size_t DamageRead(const std::string& path, uint64_t offset, size_t size, char* bytes);
  // How many of `wanted` bytes still fit; takes them.
  size_t TakeSpace(size_t wanted);

  FileSystem& base_;
  Mutex mutex_;
  std::vector<Failure> failures_ ABSL_GUARDED_BY(mutex_);
  std::vector<ReadFault> read_faults_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> free_bytes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace skep

#endif  // SKEP_STORAGE_FAULTY_FILE_SYSTEM_H_
