#include "tools/scratch_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "base/status.h"
#include "glog/logging.h"
#include "storage/file_system.h"

namespace skep {
namespace {

constexpr char kPrefix[] = "skep-scratch-";
constexpr char kLock[] = "lock";

// Not a link, and not somebody else's: the parent may be /tmp.
bool IsOwnFolder(const std::string& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) &&
         info.st_uid == ::geteuid();
}

// A folder without a lock file is just being made, or was left in that moment: empty.
void DeleteAbandoned(const std::string& parent) {
  FileSystem& fs = FileSystem::Real();
  const auto entries = fs.List(parent);
  if (!entries.ok()) return;
  for (const DirectoryEntry& entry : *entries) {
    if (!entry.name.starts_with(kPrefix)) continue;
    const std::string path = JoinPath(parent, entry.name);
    if (!IsOwnFolder(path)) continue;
    // Held while deleting, so that only one process does.
    const auto lock = FileLock::Take(JoinPath(path, kLock), /*make=*/false);
    if (!lock.ok()) continue;
    const absl::Status removed = fs.RemoveAll(path);
    LOG(INFO) << "scratch_deleted folder=" << path << " status=" << removed;
  }
}

}  // namespace

absl::StatusOr<ScratchFolder> ScratchFolder::Make(const std::string& parent) {
  FileSystem& fs = FileSystem::Real();
  SKEP_RETURN_IF_ERROR(fs.MakeDirectory(parent));
  DeleteAbandoned(parent);
  const std::string path =
      JoinPath(parent, StrCat(kPrefix, absl::Hex(SystemRandom64(), absl::kZeroPad16)));
  SKEP_RETURN_IF_ERROR(fs.MakeDirectory(path));
  SKEP_ASSIGN_OR_RETURN(FileLock lock, FileLock::Take(JoinPath(path, kLock)));
  return ScratchFolder(path, std::move(lock));
}

ScratchFolder::~ScratchFolder() {
  if (path_.empty()) return;
  const absl::Status removed = FileSystem::Real().RemoveAll(path_);
  LOG_IF(WARNING, !removed.ok()) << "cannot delete " << path_ << ": " << removed;
}

}  // namespace skep
