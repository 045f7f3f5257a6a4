#include "storage/memory_file_system.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "base/status.h"

namespace skep {
namespace {

// "/a/b" for "a//b/", "/./a/b"; "/" for "" and ".". ".." is not resolved.
std::string NormalPath(std::string_view path) {
  std::string normal;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") {
      normal += '/';
      normal += part;
    }
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return normal.empty() ? "/" : normal;
}

std::string ParentOf(const std::string& normal) {
  const size_t slash = normal.find_last_of('/');
  return slash == 0 ? "/" : normal.substr(0, slash);
}

// What the paths of everything below a directory begin with.
std::string PrefixBelow(const std::string& normal) {
  return normal == "/" ? normal : normal + "/";
}

absl::Status IsADirectory(std::string_view operation, std::string_view path) {
  return InvalidArgument(operation, " ", path, ": is a directory, a file is wanted");
}

absl::Status NoSuchFile(std::string_view operation, std::string_view path) {
  return NotFound(operation, " ", path, ": no such file or directory");
}

}  // namespace

struct MemoryFileSystem::Ticks {
  absl::Time Next() {
    return absl::UnixEpoch() + absl::Microseconds(changes.fetch_add(1) + 1);
  }
  std::atomic<int64_t> changes = 0;
};

class MemoryFileSystem::Contents {
 public:
  explicit Contents(absl::Time now) : modified_(now) {}

  size_t ReadAt(uint64_t offset, size_t size, char* out) const {
    MutexLock lock(mutex_);
    if (offset >= bytes_.size()) return 0;
    const size_t n = std::min<uint64_t>(size, bytes_.size() - offset);
    std::memcpy(out, bytes_.data() + offset, n);
    return n;
  }
  void Append(std::string_view bytes, absl::Time now) {
    MutexLock lock(mutex_);
    bytes_.append(bytes);
    modified_ = now;
  }
  void Clear(absl::Time now) {
    MutexLock lock(mutex_);
    bytes_.clear();
    modified_ = now;
  }
  FileInfo Info() const {
    MutexLock lock(mutex_);
    return {.size = bytes_.size(), .modified = modified_};
  }

 private:
  mutable Mutex mutex_;
  std::string bytes_ ABSL_GUARDED_BY(mutex_);
  absl::Time modified_ ABSL_GUARDED_BY(mutex_);
};

class MemoryFileSystem::Reader final : public ReadableFile {
 public:
  explicit Reader(Node contents) : contents_(std::move(contents)) {}
  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size,
                                char* out) const override {
    return contents_->ReadAt(offset, size, out);
  }

 private:
  const Node contents_;
};

class MemoryFileSystem::Writer final : public WritableFile {
 public:
  Writer(std::string path, Node contents, std::shared_ptr<Ticks> ticks)
      : path_(std::move(path)),
        contents_(std::move(contents)),
        ticks_(std::move(ticks)) {}

  absl::Status Append(std::string_view bytes) override {
    SKEP_RETURN_IF_ERROR(CheckOpen());
    contents_->Append(bytes, ticks_->Next());
    return absl::OkStatus();
  }
  absl::Status Sync() override { return CheckOpen(); }
  absl::Status Close() override {
    closed_ = true;
    return absl::OkStatus();
  }

 private:
  absl::Status CheckOpen() const {
    if (closed_) return FailedPrecondition("write ", path_, ": already closed");
    return absl::OkStatus();
  }

  const std::string path_;
  const Node contents_;
  const std::shared_ptr<Ticks> ticks_;
  bool closed_ = false;
};

MemoryFileSystem::MemoryFileSystem() : ticks_(std::make_shared<Ticks>()) {
  nodes_["/"] = nullptr;
}

MemoryFileSystem::~MemoryFileSystem() = default;

bool MemoryFileSystem::IsDirectory(const std::string& path) const {
  const auto node = nodes_.find(path);
  return node != nodes_.end() && node->second == nullptr;
}

bool MemoryFileSystem::HasChildren(const std::string& path) const {
  const std::string prefix = PrefixBelow(path);
  const auto next = nodes_.upper_bound(prefix);
  return next != nodes_.end() && next->first.starts_with(prefix);
}

absl::Status MemoryFileSystem::CheckParent(const std::string& path) const {
  if (IsDirectory(ParentOf(path))) return absl::OkStatus();
  return NotFound("create ", path, ": no such directory: ", ParentOf(path));
}

absl::StatusOr<std::unique_ptr<ReadableFile>> MemoryFileSystem::OpenToRead(
    const std::string& path) {
  MutexLock lock(mutex_);
  const auto node = nodes_.find(NormalPath(path));
  if (node == nodes_.end()) return NoSuchFile("open", path);
  if (node->second == nullptr) return IsADirectory("open", path);
  return std::make_unique<Reader>(node->second);
}

absl::StatusOr<std::unique_ptr<WritableFile>> MemoryFileSystem::OpenToWrite(
    const std::string& path, IfExists if_exists) {
  MutexLock lock(mutex_);
  const std::string normal = NormalPath(path);
  const auto node = nodes_.find(normal);
  if (node == nodes_.end()) {
    SKEP_RETURN_IF_ERROR(CheckParent(normal));
    Node contents = std::make_shared<Contents>(ticks_->Next());
    nodes_[normal] = contents;
    return std::make_unique<Writer>(path, std::move(contents), ticks_);
  }
  if (if_exists == IfExists::kFail) {
    return AlreadyExists("create ", path, ": file exists");
  }
  if (node->second == nullptr) return IsADirectory("create", path);
  if (if_exists == IfExists::kTruncate) node->second->Clear(ticks_->Next());
  return std::make_unique<Writer>(path, node->second, ticks_);
}

absl::StatusOr<FileInfo> MemoryFileSystem::Stat(const std::string& path) {
  MutexLock lock(mutex_);
  const auto node = nodes_.find(NormalPath(path));
  if (node == nodes_.end()) return NoSuchFile("stat", path);
  if (node->second == nullptr) {
    return FileInfo{.modified = absl::UnixEpoch(), .is_directory = true};
  }
  return node->second->Info();
}

absl::StatusOr<std::vector<DirectoryEntry>> MemoryFileSystem::List(
    const std::string& directory) {
  MutexLock lock(mutex_);
  const std::string normal = NormalPath(directory);
  if (!IsDirectory(normal)) {
    return NotFound("list ", directory, ": no such directory");
  }
  const std::string prefix = PrefixBelow(normal);
  std::vector<DirectoryEntry> entries;
  for (auto node = nodes_.upper_bound(prefix);
       node != nodes_.end() && node->first.starts_with(prefix); ++node) {
    std::string name = node->first.substr(prefix.size());
    if (name.find('/') != std::string::npos) continue;  // deeper
    entries.push_back(
        {.name = std::move(name), .is_directory = node->second == nullptr});
  }
  return entries;
}

absl::Status MemoryFileSystem::MakeDirectory(const std::string& path) {
  MutexLock lock(mutex_);
  const std::string normal = NormalPath(path);
  for (size_t end = 1; end != std::string::npos && end < normal.size();) {
    end = normal.find('/', end);
    const std::string part = normal.substr(0, end);
    const auto [node, created] = nodes_.try_emplace(part);
    if (!created && node->second != nullptr) {
      return AlreadyExists("make directory ", path, ": ", part, " is a file");
    }
    if (end != std::string::npos) ++end;
  }
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::CheckReplaceable(const std::string& from,
                                                const std::string& to) const {
  const auto target = nodes_.find(to);
  if (target == nodes_.end()) return absl::OkStatus();
  const bool from_directory = nodes_.find(from)->second == nullptr;
  const bool to_directory = target->second == nullptr;
  if (from_directory && !to_directory) {
    return NotFound("rename ", from, " to ", to, ": not a directory");
  }
  if (!from_directory && to_directory) {
    return InvalidArgument("rename ", from, " to ", to, ": is a directory");
  }
  if (to_directory && HasChildren(to)) {
    return AlreadyExists("rename ", from, " to ", to, ": directory not empty");
  }
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(mutex_);
  const std::string source = NormalPath(from);
  const std::string target = NormalPath(to);
  if (!nodes_.contains(source)) return NoSuchFile("rename", from);
  SKEP_RETURN_IF_ERROR(CheckParent(target));
  if (source == target) return absl::OkStatus();
  if (target.starts_with(PrefixBelow(source))) {
    return InvalidArgument("rename ", from, " to ", to, ": into itself");
  }
  SKEP_RETURN_IF_ERROR(CheckReplaceable(source, target));
  nodes_[target] = nodes_.extract(source).mapped();
  const std::string prefix = PrefixBelow(source);
  while (true) {
    const auto child = nodes_.upper_bound(prefix);
    if (child == nodes_.end() || !child->first.starts_with(prefix)) break;
    auto moved = nodes_.extract(child);
    moved.key() = PrefixBelow(target) + moved.key().substr(prefix.size());
    nodes_.insert(std::move(moved));
  }
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::RemoveFile(const std::string& path) {
  MutexLock lock(mutex_);
  const auto node = nodes_.find(NormalPath(path));
  if (node == nodes_.end()) return NoSuchFile("remove", path);
  if (node->second == nullptr) return IsADirectory("remove", path);
  nodes_.erase(node);
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::RemoveAll(const std::string& path) {
  MutexLock lock(mutex_);
  const std::string normal = NormalPath(path);
  if (normal == "/") return InvalidArgument("remove /: the root cannot be removed");
  const std::string prefix = PrefixBelow(normal);
  nodes_.erase(normal);
  std::erase_if(nodes_,
                [&](const auto& node) { return node.first.starts_with(prefix); });
  return absl::OkStatus();
}

}  // namespace skep
