#include "rpc/buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace skep {
namespace {

constexpr size_t kLeastCapacity = 4096;

#ifdef __SANITIZE_ADDRESS__
// So that who looks at consumed bytes is found.
constexpr size_t kMostSpareBytes = 0;
#else
constexpr size_t kMostSpareBytes = 4 << 20;
#endif
constexpr size_t kMostSpares = 256;
// How many of the last are looked at for one that is large enough.
constexpr size_t kLooks = 4;

// What the buffers of one thread gave back when they were empty. The last is the next:
// it is in the cache still.
class Spares {
 public:
  ~Spares();

  std::unique_ptr<char[]> Take(size_t least, size_t* capacity) {
    const size_t looks = std::min(kLooks, spares_.size());
    for (size_t i = 0; i < looks; ++i) {
      Spare& spare = spares_[spares_.size() - 1 - i];
      if (spare.capacity < least) continue;
      std::swap(spare, spares_.back());
      Spare taken = std::move(spares_.back());
      spares_.pop_back();
      bytes_ -= taken.capacity;
      *capacity = taken.capacity;
      return std::move(taken.data);
    }
    *capacity = std::max(kLeastCapacity, least);
    return std::unique_ptr<char[]>(new char[*capacity]);
  }

  void Give(std::unique_ptr<char[]> data, size_t capacity) {
    if (bytes_ + capacity > kMostSpareBytes || spares_.size() == kMostSpares) return;
    bytes_ += capacity;
    spares_.push_back({std::move(data), capacity});
  }

 private:
  struct Spare {
    std::unique_ptr<char[]> data;
    size_t capacity = 0;
  };
  std::vector<Spare> spares_;
  size_t bytes_ = 0;
};

// Buffers may outlive their thread's spares.
thread_local bool spares_gone = false;
thread_local Spares spares;

Spares::~Spares() { spares_gone = true; }

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
  if (data_ == nullptr) return;
  if (!spares_gone) spares.Give(std::move(data_), capacity_);
  data_.reset();
  capacity_ = 0;
}

void Buffer::Reserve(size_t count) {
  if (room() >= count) return;
  const size_t held = size();
  if (data_ == nullptr && !spares_gone) {
    data_ = spares.Take(count, &capacity_);
  } else if (begin_ >= held && capacity_ - held >= count) {
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
