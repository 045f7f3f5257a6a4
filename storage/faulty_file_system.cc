#include "storage/faulty_file_system.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace skep {

class FaultyFileSystem::Reader final : public ReadableFile {
 public:
  Reader(FaultyFileSystem& fs, std::string path, std::unique_ptr<ReadableFile> base)
      : fs_(fs), path_(std::move(path)), base_(std::move(base)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size,
                                char* out) const override {
    SKEP_RETURN_IF_ERROR(fs_.Check(kRead, path_));
    SKEP_ASSIGN_OR_RETURN(const size_t got, base_->ReadAt(offset, size, out));
    return fs_.DamageRead(path_, offset, got, out);
  }

 private:
  FaultyFileSystem& fs_;
  const std::string path_;
  const std::unique_ptr<ReadableFile> base_;
};

class FaultyFileSystem::Writer final : public WritableFile {
 public:
  Writer(FaultyFileSystem& fs, std::string path, std::unique_ptr<WritableFile> base)
      : fs_(fs), path_(std::move(path)), base_(std::move(base)) {}

  absl::Status Append(std::string_view bytes) override {
    SKEP_RETURN_IF_ERROR(fs_.Check(kAppend, path_));
    const size_t fits = fs_.TakeSpace(bytes.size());
    SKEP_RETURN_IF_ERROR(base_->Append(bytes.substr(0, fits)));
    if (fits == bytes.size()) return absl::OkStatus();
    return ResourceExhausted("write ", path_, ": no space left on device (injected)");
  }
  absl::Status Sync() override {
    SKEP_RETURN_IF_ERROR(fs_.Check(kSync, path_));
    return base_->Sync();
  }
  absl::Status Close() override {
    SKEP_RETURN_IF_ERROR(fs_.Check(kClose, path_));
    return base_->Close();
  }

 private:
  FaultyFileSystem& fs_;
  const std::string path_;
  const std::unique_ptr<WritableFile> base_;
};

void FaultyFileSystem::Fail(Operation operation, std::string path_part,
                            absl::Status status, int skip, int times) {
  MutexLock lock(mutex_);
  failures_.push_back(
      {operation, std::move(path_part), std::move(status), skip, times});
}

void FaultyFileSystem::EndReadsAt(std::string path_part, uint64_t offset) {
  MutexLock lock(mutex_);
  read_faults_.push_back({std::move(path_part), offset, true});
}

void FaultyFileSystem::DamageByteAt(std::string path_part, uint64_t offset) {
  MutexLock lock(mutex_);
  read_faults_.push_back({std::move(path_part), offset, false});
}

void FaultyFileSystem::SetFreeBytes(uint64_t bytes) {
  MutexLock lock(mutex_);
  free_bytes_ = bytes;
}

void FaultyFileSystem::Heal() {
  MutexLock lock(mutex_);
  failures_.clear();
  read_faults_.clear();
  free_bytes_.reset();
}

absl::Status FaultyFileSystem::Check(Operation operation, const std::string& path) {
  MutexLock lock(mutex_);
  for (Failure& failure : failures_) {
    if (failure.operation != operation || failure.times == 0 ||
        path.find(failure.path_part) == std::string::npos) {
      continue;
    }
    if (failure.skip > 0) {
      --failure.skip;
      continue;
    }
    --failure.times;
    return failure.status;
  }
  return absl::OkStatus();
}

size_t FaultyFileSystem::DamageRead(const std::string& path, uint64_t offset,
                                    size_t size, char* bytes) {
  MutexLock lock(mutex_);
  for (const ReadFault& fault : read_faults_) {
    if (path.find(fault.path_part) == std::string::npos) continue;
    if (fault.offset >= offset + size) continue;
    const size_t at = std::max(fault.offset, offset) - offset;
    if (fault.ends) {
      size = at;
    } else if (fault.offset >= offset) {
      bytes[at] = ~bytes[at];
    }
  }
  return size;
}

size_t FaultyFileSystem::TakeSpace(size_t wanted) {
  MutexLock lock(mutex_);
  if (!free_bytes_.has_value()) return wanted;
  const size_t fits = std::min<uint64_t>(wanted, *free_bytes_);
  *free_bytes_ -= fits;
  return fits;
}

absl::StatusOr<std::unique_ptr<ReadableFile>> FaultyFileSystem::OpenToRead(
    const std::string& path) {
  SKEP_RETURN_IF_ERROR(Check(kOpenToRead, path));
  SKEP_ASSIGN_OR_RETURN(auto file, base_.OpenToRead(path));
  return std::make_unique<Reader>(*this, path, std::move(file));
}

absl::StatusOr<std::unique_ptr<WritableFile>> FaultyFileSystem::OpenToWrite(
    const std::string& path, IfExists if_exists) {
  SKEP_RETURN_IF_ERROR(Check(kOpenToWrite, path));
  SKEP_ASSIGN_OR_RETURN(auto file, base_.OpenToWrite(path, if_exists));
  return std::make_unique<Writer>(*this, path, std::move(file));
}

absl::StatusOr<FileInfo> FaultyFileSystem::Stat(const std::string& path) {
  SKEP_RETURN_IF_ERROR(Check(kStat, path));
  return base_.Stat(path);
}

absl::StatusOr<std::vector<DirectoryEntry>> FaultyFileSystem::List(
    const std::string& directory) {
  SKEP_RETURN_IF_ERROR(Check(kList, directory));
  return base_.List(directory);
}

absl::Status FaultyFileSystem::MakeDirectory(const std::string& path) {
  SKEP_RETURN_IF_ERROR(Check(kMakeDirectory, path));
  return base_.MakeDirectory(path);
}

absl::Status FaultyFileSystem::Rename(const std::string& from, const std::string& to) {
  SKEP_RETURN_IF_ERROR(Check(kRename, StrCat(from, "\n", to)));  // once for both
  return base_.Rename(from, to);
}

absl::Status FaultyFileSystem::RemoveFile(const std::string& path) {
  SKEP_RETURN_IF_ERROR(Check(kRemove, path));
  return base_.RemoveFile(path);
}

absl::Status FaultyFileSystem::RemoveAll(const std::string& path) {
  SKEP_RETURN_IF_ERROR(Check(kRemove, path));
  return base_.RemoveAll(path);
}

}  // namespace skep
