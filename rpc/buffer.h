// A growing run of bytes: appended at the back, consumed from the front.

#ifndef SKEP_RPC_BUFFER_H_
#define SKEP_RPC_BUFFER_H_

#include <cstddef>
#include <memory>
#include <string_view>

namespace skep {

// Amortized O(1) a byte for any mixture of appends and consumption: bytes move only
// when the free space in front is at least as large as what is moved, or when it
// doubles. An empty buffer holds no memory: what it had goes to the next of its thread,
// which keeps a few MiB for that. Not thread-safe.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  std::string_view view() const { return {data_.get() + begin_, size()}; }

  void Append(std::string_view bytes);
  void Consume(size_t count);

  // In place: makes room for `count` bytes at the back, to be written to Tail();
  // Commit then counts in those that were. Not initialized.
  void Reserve(size_t count);
  char* Tail() { return data_.get() + end_; }
  size_t room() const { return capacity_ - end_; }
  void Commit(size_t count) { end_ += count; }

 private:
  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_BUFFER_H_
