// The frame under every protocol of the family:
//
//   size (4 bytes, network order) | body | checksum (4 bytes, network order)
//
// size counts body and checksum; the checksum is Adler-32 of the body. What a body is,
// its first bytes tell: "RPC0" and an envelope (rpc0_codec.h), "PB" and a PbMessage
// (pb_codec.h), or a type name and a message (protobuf_codec.h).

#ifndef SKEP_RPC_FRAME_H_
#define SKEP_RPC_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace skep {

inline constexpr size_t kFrameSizeBytes = 4;
inline constexpr size_t kFrameChecksumBytes = 4;
// Both inclusive. A tag and a checksum are 8 bytes.
inline constexpr uint32_t kMinFrameSize = 8;
inline constexpr uint32_t kMaxFrameSize = 64 << 20;

struct Frame {
  enum class State { kReady, kNeedMore, kBad };
  State state = State::kNeedMore;
  // kReady: the body, a view of the input, and the whole frame's length.
  std::string_view body;
  size_t length = 0;
  // kBad: what is wrong: "size 7 is not in 8..67108864".
  std::string fault;
};

// Looks at the front of `in`. Nothing is judged before a smallest frame's bytes are
// there; then the size is, and once all has arrived the checksum. After kBad the
// stream cannot be read on.
Frame ParseFrame(std::string_view in, uint32_t min_size = kMinFrameSize);

// What is wrong with a frame of so many checksummed bytes: "checksum is ...".
std::string ChecksumFault(uint32_t told, uint32_t found, size_t bytes);

// Makes `frame`, which begins with 4 bytes of room and then holds a body, whole: fills
// in the size and appends the checksum. The caller keeps the size within its limits.
void SealFrame(std::string* frame);

}  // namespace skep

#endif  // SKEP_RPC_FRAME_H_
