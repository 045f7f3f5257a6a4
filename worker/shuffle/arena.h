// Bytes that live until all of them are dropped at once.

#ifndef SKEP_WORKER_SHUFFLE_ARENA_H_
#define SKEP_WORKER_SHUFFLE_ARENA_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

namespace skep {

// Bump allocation in chunks. Not thread-safe. Addresses stay valid until Clear.
class Arena {
 public:
  static constexpr size_t kChunkBytes = 256 << 10;

  // `size` bytes, not aligned.
  char* Allocate(size_t size) {
    if (size > left_) NewChunk(size);
    char* const result = next_;
    next_ += size;
    left_ -= size;
    return result;
  }

  // Bytes of memory that Allocate(size) would add.
  size_t GrowthFor(size_t size) const {
    return size <= left_ ? 0 : std::max(size, kChunkBytes);
  }

  // Bytes of memory held.
  size_t memory() const { return memory_; }

  // Forgets everything; keeps the first chunk for what comes next, if it is of the
  // usual size: one that a large record needed would use up the budgets of those after
  // it.
  void Clear() {
    chunks_.resize(first_bytes_ > kChunkBytes ? 0
                                              : std::min<size_t>(chunks_.size(), 1));
    memory_ = chunks_.empty() ? 0 : first_bytes_;
    next_ = chunks_.empty() ? nullptr : chunks_[0].get();
    left_ = memory_;
  }

 private:
  void NewChunk(size_t size) {
    const size_t bytes = std::max(size, kChunkBytes);
    if (chunks_.empty()) first_bytes_ = bytes;
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
    next_ = chunks_.back().get();
    left_ = bytes;
    memory_ += bytes;
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  size_t first_bytes_ = 0;
  size_t memory_ = 0;
  char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace skep

#endif  // SKEP_WORKER_SHUFFLE_ARENA_H_
