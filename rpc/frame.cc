#include "rpc/frame.h"

#include "base/checksum.h"
#include "base/coding.h"
#include "base/strings.h"

namespace skep {

Frame ParseFrame(std::string_view in, uint32_t min_size) {
  Frame frame;
  if (in.size() < kFrameSizeBytes + min_size) return frame;
  // A negative size of the peers' int32 is a huge one of ours: out of range either way.
  const uint32_t size = LoadBig32(in.data());
  if (size < min_size || size > kMaxFrameSize) {
    frame.state = Frame::State::kBad;
    frame.fault = StrCat("size ", size, " is not in ", min_size, "..", kMaxFrameSize);
    return frame;
  }
  if (in.size() < kFrameSizeBytes + size) return frame;
  const std::string_view body = in.substr(kFrameSizeBytes, size - kFrameChecksumBytes);
  const uint32_t told = LoadBig32(body.data() + body.size());
  const uint32_t found = Adler32(body);
  if (told != found) {
    frame.state = Frame::State::kBad;
    frame.fault = ChecksumFault(told, found, body.size());
    return frame;
  }
  frame.state = Frame::State::kReady;
  frame.body = body;
  frame.length = kFrameSizeBytes + size;
  return frame;
}

std::string ChecksumFault(uint32_t told, uint32_t found, size_t bytes) {
  return StrCat("checksum is ", absl::Hex(told, absl::kZeroPad8), ", its ", bytes,
                " bytes have ", absl::Hex(found, absl::kZeroPad8));
}

void SealFrame(std::string* frame) {
  const std::string_view body = std::string_view(*frame).substr(kFrameSizeBytes);
  char checksum[kFrameChecksumBytes];
  StoreBig32(Adler32(body), checksum);
  StoreBig32(static_cast<uint32_t>(body.size() + kFrameChecksumBytes), frame->data());
  frame->append(checksum, sizeof checksum);
}

}  // namespace skep
