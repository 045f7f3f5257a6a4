#include "rpc/buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace skep {
namespace {

constexpr size_t kLeastCapacity = 4096;

}  // namespace

void Buffer::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  Reserve(bytes.size());
  std::memcpy(Tail(), bytes.data(), bytes.size());
  Commit(bytes.size());
}

void Buffer::Consume(size_t count) {
  begin_ += count;
  if (begin_ != end_) return;
  begin_ = end_ = 0;
  if (capacity_ > kKeptBytes) {
    data_.reset();
    capacity_ = 0;
  }
}

void Buffer::Reserve(size_t count) {
  if (room() >= count) return;
  const size_t held = size();
  if (begin_ >= held && capacity_ - held >= count) {
    if (held != 0) std::memcpy(data_.get(), data_.get() + begin_, held);
  } else {
    const size_t capacity = std::max({kLeastCapacity, capacity_ * 2, held + count});
    std::unique_ptr<char[]> grown(new char[capacity]);
    if (held != 0) std::memcpy(grown.get(), data_.get() + begin_, held);
    data_ = std::move(grown);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = held;
}

}  // namespace skep
