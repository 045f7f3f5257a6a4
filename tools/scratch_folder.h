// A folder for a process's scratch files that does not stay behind for ever when the
// process is killed: the next one to make a folder there deletes it.

#ifndef SKEP_TOOLS_SCRATCH_FOLDER_H_
#define SKEP_TOOLS_SCRATCH_FOLDER_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "storage/file_lock.h"

namespace skep {

class ScratchFolder {
 public:
  // Makes PARENT/skep-scratch-RANDOM, and deletes this user's folders of that name that
  // no living process holds. Makes the parent too.
  static absl::StatusOr<ScratchFolder> Make(const std::string& parent);

  ScratchFolder(ScratchFolder&& other) noexcept
      : path_(std::exchange(other.path_, "")), lock_(std::move(other.lock_)) {}
  // Deletes it.
  ~ScratchFolder();

  const std::string& path() const { return path_; }

 private:
  ScratchFolder(std::string path, FileLock lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  FileLock lock_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_SCRATCH_FOLDER_H_
