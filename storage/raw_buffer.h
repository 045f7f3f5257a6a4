// A growable array of bytes that are not set to zero first (std::string's are): for
// buffers that a read is about to fill.

#ifndef SKEP_STORAGE_RAW_BUFFER_H_
#define SKEP_STORAGE_RAW_BUFFER_H_

#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

namespace skep {

class RawBuffer {
 public:
  char* data() { return bytes_.get(); }
  const char* data() const { return bytes_.get(); }
  size_t capacity() const { return capacity_; }

  // Makes room for `capacity` bytes; the first `keep` bytes stay what they are.
  void Reserve(size_t capacity, size_t keep = 0) {
    if (capacity <= capacity_) return;
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
    if (keep > 0) std::memcpy(bytes.get(), bytes_.get(), keep);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t capacity_ = 0;
};

}  // namespace skep

#endif  // SKEP_STORAGE_RAW_BUFFER_H_
