// A large reply that is cut through: its bytes are passed on as they come, under
// another id, and its checksum is patched at its end by what the id changed. Nothing is
// checked on the way: damage stays visible to the receiver.

#ifndef SKEP_RPC_BALANCE_REPLY_CUT_H_
#define SKEP_RPC_BALANCE_REPLY_CUT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rpc/frame.h"
#include "rpc/rpc0_codec.h"
#include "rpc/transport.h"

namespace skep {

class ReplyCut {
 public:
  enum class Verdict { kTooEarly, kNo, kYes };
  // Whether the frame of which `front` has come, and not all, can be cut through: a
  // reply in our layout of which all that is still to come is one field, the response
  // or the attachment. So nothing behind it can change what the head says: its id, and
  // that it is no error. With kYes *head is its parsed head.
  static Verdict Judge(std::string_view front, Envelope* head);

  // For a frame that was judged kYes: passes it on under `id`.
  ReplyCut(std::string_view front, uint64_t id);

  // Takes what is the frame's from the front of `in`, at first what was judged, and
  // writes it to `to` or, if that is null, nowhere. Returns how many bytes it took.
  size_t Pass(std::string_view in, Stream* to);

  // Bytes that are still to come.
  size_t left() const { return size_ - at_; }
  bool complete() const { return at_ == size_; }

 private:
  static constexpr size_t kHeadBytes = kIdOffset + 8;

  size_t PassHead(std::string_view in, Stream* to);
  void PassChecksum(Stream* to) const;

  const size_t size_;
  char before_[8], after_[8];  // the ids
  size_t at_ = 0;
  char checksum_[kFrameChecksumBytes] = {};
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_REPLY_CUT_H_
