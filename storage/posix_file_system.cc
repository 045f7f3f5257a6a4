#include "storage/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/status.h"

namespace skep {
namespace {

// Closes on destruction.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { Close(); }

  int get() const { return fd_; }
  // 0, or errno.
  int Close() {
    if (fd_ < 0) return 0;
    const int fd = std::exchange(fd_, -1);
    // On Linux the descriptor is gone even when close is interrupted: never retry.
    return ::close(fd) == 0 || errno == EINTR ? 0 : errno;
  }

 private:
  int fd_;
};

int OpenRetrying(const std::string& path, int flags) {
  while (true) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EINTR) return fd;
  }
}

absl::Status Failed(std::string_view operation, const std::string& path) {
  const int error_number = errno;
  return ErrnoToStatus(error_number, StrCat(operation, " ", path));
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status SyncDirectory(const std::string& path) {
  FileDescriptor fd(OpenRetrying(path, O_RDONLY | O_DIRECTORY));
  if (fd.get() < 0) return Failed("open directory", path);
  // Some file systems cannot sync directories and say EINVAL: nothing to be done.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return Failed("sync directory", path);
  return absl::OkStatus();
}

class PosixReadableFile final : public ReadableFile {
 public:
  PosixReadableFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size,
                                char* out) const override {
    size_t done = 0;
    while (done < size) {
      const ssize_t n = ::pread(fd_.get(), out + done, size - done, offset + done);
      if (n == 0) break;
      if (n < 0) {
        if (errno == EINTR) continue;
        return Failed("read", path_);
      }
      done += n;
    }
    return done;
  }

 private:
  const std::string path_;
  const FileDescriptor fd_;
};

class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~PosixWritableFile() override { Close().IgnoreError(); }

  absl::Status Append(std::string_view bytes) override {
    SKEP_RETURN_IF_ERROR(CheckOpen());
    if (buffer_.size() + bytes.size() < kWriteBufferBytes) {
      buffer_.append(bytes);
      return absl::OkStatus();
    }
    SKEP_RETURN_IF_ERROR(Flush());
    if (bytes.size() >= kWriteBufferBytes) return Write(bytes);
    buffer_.append(bytes);
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    SKEP_RETURN_IF_ERROR(CheckOpen());
    SKEP_RETURN_IF_ERROR(Flush());
    if (::fdatasync(fd_.get()) != 0) return status_ = Failed("sync", path_);
    if (!directory_synced_) {
      SKEP_RETURN_IF_ERROR(SyncDirectory(ParentOf(path_)));
      directory_synced_ = true;
    }
    return absl::OkStatus();
  }

  absl::Status Close() override {
    if (fd_.get() < 0) return status_;
    if (status_.ok()) Flush().IgnoreError();  // kept in status_
    const int error_number = fd_.Close();
    if (status_.ok() && error_number != 0) {
      status_ = ErrnoToStatus(error_number, StrCat("close ", path_));
    }
    return status_;
  }

 private:
  absl::Status CheckOpen() const {
    if (!status_.ok()) return status_;
    if (fd_.get() < 0) return FailedPrecondition("write ", path_, ": already closed");
    return absl::OkStatus();
  }

  absl::Status Flush() {
    const absl::Status status = Write(buffer_);
    buffer_.clear();
    return status;
  }

  absl::Status Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
      if (n < 0) {
        if (errno == EINTR) continue;
        return status_ = Failed("write", path_);
      }
      bytes.remove_prefix(n);
    }
    return absl::OkStatus();
  }

  const std::string path_;
  FileDescriptor fd_;
  std::string buffer_;
  absl::Status status_;  // the first error
  bool directory_synced_ = false;
};

bool StatInto(const std::string& path, struct stat* info) {
  return ::stat(path.c_str(), info) == 0;
}

// A file system that leaves d_type unknown costs one lstat a name.
DirectoryEntry EntryOf(const std::string& directory, const dirent& entry) {
  DirectoryEntry result{.name = entry.d_name, .is_directory = entry.d_type == DT_DIR};
  if (entry.d_type != DT_UNKNOWN && entry.d_type != DT_LNK) return result;
  const std::string path = JoinPath(directory, result.name);
  struct stat info;
  result.is_link = ::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode);
  result.is_directory = StatInto(path, &info) && S_ISDIR(info.st_mode);
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReadableFile>> PosixFileSystem::OpenToRead(
    const std::string& path) {
  const int fd = OpenRetrying(path, O_RDONLY);
  if (fd < 0) return Failed("open", path);
  auto file = std::make_unique<PosixReadableFile>(path, fd);
  struct stat info;
  if (::fstat(fd, &info) != 0) return Failed("stat", path);
  if (S_ISDIR(info.st_mode)) {
    return InvalidArgument("open ", path, ": is a directory, a file is wanted");
  }
  return file;
}

absl::StatusOr<std::unique_ptr<WritableFile>> PosixFileSystem::OpenToWrite(
    const std::string& path, IfExists if_exists) {
  int flags = O_WRONLY | O_CREAT;
  switch (if_exists) {
    case IfExists::kTruncate:
      flags |= O_TRUNC;
      break;
    case IfExists::kFail:
      flags |= O_EXCL;
      break;
    case IfExists::kAppend:
      flags |= O_APPEND;
      break;
  }
  const int fd = OpenRetrying(path, flags);
  if (fd < 0) return Failed("create", path);
  return std::make_unique<PosixWritableFile>(path, fd);
}

absl::StatusOr<FileInfo> PosixFileSystem::Stat(const std::string& path) {
  struct stat info;
  if (!StatInto(path, &info)) return Failed("stat", path);
  const bool is_directory = S_ISDIR(info.st_mode);
  return FileInfo{.size = is_directory ? 0 : static_cast<uint64_t>(info.st_size),
                  .modified = absl::TimeFromTimespec(info.st_mtim),
                  .is_directory = is_directory,
                  .is_special = !is_directory && !S_ISREG(info.st_mode)};
}

absl::StatusOr<std::vector<DirectoryEntry>> PosixFileSystem::List(
    const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()),
                                                   &::closedir);
  if (stream == nullptr) return Failed("list", directory);
  std::vector<DirectoryEntry> entries;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") entries.push_back(EntryOf(directory, *entry));
  }
  if (errno != 0) return Failed("list", directory);
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

absl::Status PosixFileSystem::MakeDirectory(const std::string& path) {
  struct stat info;
  if (StatInto(path, &info) && S_ISDIR(info.st_mode)) return absl::OkStatus();
  if (::mkdir(path.c_str(), 0777) == 0) return absl::OkStatus();
  if (errno == ENOENT && ParentOf(path) != path) {
    SKEP_RETURN_IF_ERROR(MakeDirectory(ParentOf(path)));
    if (::mkdir(path.c_str(), 0777) == 0) return absl::OkStatus();
  }
  const int error_number = errno;
  // Someone else may have made it meanwhile.
  if (error_number == EEXIST && StatInto(path, &info) && S_ISDIR(info.st_mode)) {
    return absl::OkStatus();
  }
  return ErrnoToStatus(error_number, StrCat("make directory ", path));
}

absl::Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return Failed("rename", StrCat(from, " to ", to));
}

absl::Status PosixFileSystem::RemoveFile(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return absl::OkStatus();
  return Failed("remove", path);
}

absl::Status PosixFileSystem::RemoveAll(const std::string& path) {
  // Somebody else may be removing the same: what has gone meanwhile is no error. Each
  // round that ends so means that the other removed something, so there are few.
  constexpr int kRounds = 100'000;
  std::error_code error;
  for (int round = 0; round < kRounds; ++round) {
    std::filesystem::remove_all(path, error);  // does not follow links
    if (!error) return absl::OkStatus();
    if (error != std::errc::no_such_file_or_directory) break;
  }
  return ErrnoToStatus(error.value(), StrCat("remove ", path));
}

FileSystem& FileSystem::Real() {
  static PosixFileSystem& real = *new PosixFileSystem;
  return real;
}

absl::StatusOr<std::string> CurrentDirectory() {
  std::error_code error;
  std::string path = std::filesystem::current_path(error).string();
  if (error) return ErrnoToStatus(error.value(), "get the current directory");
  return path;
}

}  // namespace skep
