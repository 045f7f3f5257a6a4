// A large frame on its way in, collected in one string that is then handed on: its
// bytes are read to where they stay, and leave from there.

#ifndef SKEP_RPC_BALANCE_WHOLE_FRAME_H_
#define SKEP_RPC_BALANCE_WHOLE_FRAME_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace skep {

class WholeFrame {
 public:
  // For the front of a frame of which not all is there. Null: its reader is to collect
  // it, because it is small, has a size that no frame has, or announced frames hold
  // too much of the process's memory already (a peer may announce much and send
  // little). Takes nothing of `front`.
  static std::unique_ptr<WholeFrame> Begin(std::string_view front);
  ~WholeFrame();
  WholeFrame(const WholeFrame&) = delete;
  WholeFrame& operator=(const WholeFrame&) = delete;

  // Takes what is the frame's from the front of `in`; how many bytes that was.
  size_t Take(std::string_view in);
  // Where its next bytes belong; Filled says that so many came.
  std::span<char> Room();
  void Filled(size_t count) { filled_ += count; }

  size_t filled() const { return filled_; }
  size_t size() const { return size_; }
  bool complete() const { return filled_ == size_; }
  // All of the frame, once complete; may be moved from, once.
  std::string& bytes() { return bytes_; }

 private:
  explicit WholeFrame(size_t size);

  const size_t size_;
  std::string bytes_;
  size_t filled_ = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_WHOLE_FRAME_H_
