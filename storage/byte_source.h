// Bytes read once, from first to last: a range of a file, a string, a decompressor over
// another source, a fetch from another worker.

#ifndef SKEP_STORAGE_BYTE_SOURCE_H_
#define SKEP_STORAGE_BYTE_SOURCE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "storage/file_system.h"

namespace skep {

// Not thread-safe.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Reads between 1 and `size` bytes into `out`; 0 only at the end. `size` is not 0.
  virtual absl::StatusOr<size_t> Read(char* out, size_t size) = 0;
};

// Reads until `size` bytes are there or the source ends; how many.
absl::StatusOr<size_t> ReadFully(ByteSource& source, char* out, size_t size);

// [offset, offset + length) of a file, or less where the file ends before.
class FileRangeSource final : public ByteSource {
 public:
  // Borrows `file`.
  FileRangeSource(const ReadableFile& file, uint64_t offset, uint64_t length)
      : file_(file), offset_(offset), left_(length) {}
  absl::StatusOr<size_t> Read(char* out, size_t size) override;

 private:
  const ReadableFile& file_;
  uint64_t offset_;
  uint64_t left_;
};

class StringSource final : public ByteSource {
 public:
  // Gives at most `max_read` bytes a call: a test's slow network.
  explicit StringSource(std::string bytes, size_t max_read = ~size_t{0})
      : bytes_(std::move(bytes)), max_read_(max_read) {}
  absl::StatusOr<size_t> Read(char* out, size_t size) override;

 private:
  const std::string bytes_;
  const size_t max_read_;
  size_t position_ = 0;
};

}  // namespace skep

#endif  // SKEP_STORAGE_BYTE_SOURCE_H_
