#include "storage/input_file.h"

#include <algorithm>
#include <string_view>

#include "base/coding.h"
#include "base/digest.h"
#include "base/status.h"
#include "storage/compression.h"

namespace skep {
namespace {

// Files that are written by programs differ at the beginning, in size, or at the end;
// reading them whole would cost as much as the job.
constexpr uint64_t kDigestedBytes = uint64_t{64} << 10;

struct Fingerprint {
  uint64_t digest;
  Compression compression;
};

// InputFile.digest: of the size (8 bytes, little-endian), the first 64 KiB, and as much
// of the last 64 KiB as is not in the first.
absl::StatusOr<Fingerprint> FingerprintOf(FileSystem& fs, const std::string& path,
                                          uint64_t size) {
  SKEP_ASSIGN_OR_RETURN(auto file, fs.OpenToRead(path));
  const uint64_t head = std::min(size, kDigestedBytes);
  const uint64_t tail = std::min(size - head, kDigestedBytes);
  std::string bytes(8 + head + tail, '\0');
  StoreLittle(size, bytes.data());
  SKEP_ASSIGN_OR_RETURN(uint64_t got, file->ReadAt(0, head, bytes.data() + 8));
  if (got == head && tail > 0) {
    SKEP_ASSIGN_OR_RETURN(const size_t more,
                          file->ReadAt(size - tail, tail, bytes.data() + 8 + head));
    got += more;
  }
  if (got != head + tail) {
    return FailedPrecondition("read ", path, ": shorter than its size of ", size,
                              " bytes; is it being written?");
  }
  const std::string_view beginning =
      std::string_view(bytes).substr(8, std::min<uint64_t>(head, kSniffBytes));
  return Fingerprint{Digest64(bytes), SniffCompression(beginning)};
}

}  // namespace

namespace {

// The kernel's files (/proc, /sys) say that they are empty, whatever is in them.
absl::Status CheckEmpty(FileSystem& fs, const std::string& path,
                        const std::string& name) {
  SKEP_ASSIGN_OR_RETURN(const auto file, fs.OpenToRead(path));
  char byte;
  SKEP_ASSIGN_OR_RETURN(const size_t read, file->ReadAt(0, 1, &byte));
  if (read == 0) return absl::OkStatus();
  return InvalidArgument(name,
                         ": has text in it but no size, like the files of /proc; ",
                         "pipe it into the command and name - as the input");
}

}  // namespace

absl::StatusOr<InputFile> DescribeInputFile(FileSystem& fs, const std::string& path,
                                            const std::string& name) {
  SKEP_ASSIGN_OR_RETURN(const FileInfo info, fs.Stat(path));
  if (info.is_directory) {
    return InvalidArgument(name, ": is a directory, a file is wanted");
  }
  if (info.is_special) {
    return InvalidArgument(name,
                           ": is a pipe, socket or device, not a file; to read it, ",
                           "pipe it into the command and name - as the input");
  }
  if (info.size == 0) SKEP_RETURN_IF_ERROR(CheckEmpty(fs, path, name));
  SKEP_ASSIGN_OR_RETURN(const Fingerprint fingerprint,
                        FingerprintOf(fs, path, info.size));
  InputFile file;
  file.set_path(path);
  file.set_name(name);
  file.set_size(info.size);
  file.set_modified_ns(absl::ToUnixNanos(info.modified));
  file.set_digest(fingerprint.digest);
  file.set_compression(fingerprint.compression);
  return file;
}

absl::Status VerifySameFile(FileSystem& fs, const InputFile& expected) {
  SKEP_ASSIGN_OR_RETURN(const FileInfo info, fs.Stat(expected.path()));
  if (info.is_directory || info.is_special) {
    return FailedPrecondition(expected.path(), ": is not a file here, but was one of ",
                              expected.size(), " bytes where the job was submitted");
  }
  if (info.size != expected.size()) {
    return FailedPrecondition(expected.path(), ": has ", info.size, " bytes here, had ",
                              expected.size(), " where the job was submitted: another ",
                              "file of that name, or changed since");
  }
  SKEP_ASSIGN_OR_RETURN(const Fingerprint fingerprint,
                        FingerprintOf(fs, expected.path(), info.size));
  if (fingerprint.digest != expected.digest()) {
    return FailedPrecondition(expected.path(), ": has the expected ", info.size,
                              " bytes, but other content than where the job was ",
                              "submitted: another file of that name, or changed since");
  }
  return absl::OkStatus();
}

}  // namespace skep
