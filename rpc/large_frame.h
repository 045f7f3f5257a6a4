// A large frame on its way in. Its bytes are put where they will stay while they come:
// the attachment into a string of its own, which is handed on and not copied, or, where
// a frame has none, the whole body into one. The checksum is computed on the way, while
// the bytes are in the cache.

#ifndef SKEP_RPC_LARGE_FRAME_H_
#define SKEP_RPC_LARGE_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "rpc/frame.h"
#include "rpc/rpc0_codec.h"

namespace skep {

class LargeFrame {
 public:
  // Looks at a frame of which not all is there: `in`, its front. Null where it is to be
  // collected by the caller, because it is small, or too little has come to tell where
  // its bytes belong, or such frames hold too much of the process's memory already (a
  // peer may announce much and send little). Takes none of `in`.
  static std::unique_ptr<LargeFrame> Begin(std::string_view in);
  ~LargeFrame();
  LargeFrame(const LargeFrame&) = delete;
  LargeFrame& operator=(const LargeFrame&) = delete;

  // Takes what is the frame's from the front of `in`; how many bytes that was.
  size_t Take(std::string_view in);
  // Where its next bytes belong, if they are many; Filled says that so many came.
  std::span<char> Room();
  void Filled(size_t count);

  // Bytes of it that have come.
  size_t received() const { return head_.size() + filled_ + tail_size_; }
  bool complete() const { return tail_size_ == kFrameChecksumBytes; }
  // --- Once complete ---
  // False: the checksum is wrong, and *fault says so.
  bool Check(std::string* fault) const;
  // If its attachment is apart: the envelope, a view of this, with that attachment.
  // Else null, and body() is all of the body.
  const Envelope* envelope();
  std::string_view body() const { return bulk_; }

 private:
  LargeFrame(std::string_view head, size_t bulk_size);
  void Checksum(size_t count);

  const std::string head_;  // the frame in front of bulk_
  const size_t bulk_size_;  // also when bulk_ has been taken
  Envelope envelope_;       // of head_
  std::string bulk_;
  size_t filled_ = 0;
  uint32_t checksum_;
  size_t head_left_;  // of it, Take has still to see
  char tail_[kFrameChecksumBytes] = {};
  size_t tail_size_ = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_LARGE_FRAME_H_
