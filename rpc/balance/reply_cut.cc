#include "rpc/balance/reply_cut.h"

#include <algorithm>
#include <cstring>

#include "base/checksum.h"
#include "base/coding.h"

namespace skep {
namespace {

constexpr size_t kPayloadOffset = kFrameSizeBytes + kRpc0Tag.size();
// A head that is longer is not waited for.
constexpr size_t kMostHead = 1 << 10;
// Less is copied rather than given to the kernel at once.
constexpr size_t kBulkBytes = 16 << 10;

}  // namespace

ReplyCut::Verdict ReplyCut::Judge(std::string_view front, Envelope* head) {
  const bool long_enough = front.size() >= kPayloadOffset + kMostHead;
  if (front.size() < kHeadBytes) return Verdict::kTooEarly;
  if (!HasFixedLayout(front)) return Verdict::kNo;
  const size_t payload =
      LoadBig32(front.data()) - kFrameChecksumBytes - kRpc0Tag.size();
  const std::string_view begin = front.substr(kPayloadOffset, kMostHead);
  if (ParseEnvelopeHead(begin, payload, head, Envelope::kResponse) == 0 &&
      ParseEnvelopeHead(begin, payload, head, Envelope::kAttachment) == 0) {
    return long_enough ? Verdict::kNo : Verdict::kTooEarly;
  }
  return head->type == MessageType::kResponse && !head->id_repeated &&
                 head->error == WireError::kNone && head->status == 0
             ? Verdict::kYes
             : Verdict::kNo;
}

ReplyCut::ReplyCut(std::string_view front, uint64_t id)
    : size_(kFrameSizeBytes + LoadBig32(front.data())) {
  std::memcpy(before_, front.data() + kIdOffset, sizeof before_);
  StoreLittle(id, after_);
}

size_t ReplyCut::Pass(std::string_view in, Stream* to) {
  size_t taken = at_ == 0 ? PassHead(in, to) : 0;
  const size_t body_end = size_ - kFrameChecksumBytes;
  if (at_ < body_end) {
    const std::string_view body = in.substr(taken, body_end - at_);
    if (to != nullptr && body.size() >= kBulkBytes) {
      to->WriteBulk(body);
    } else if (to != nullptr) {
      to->Write(body);
    }
    at_ += body.size();
    taken += body.size();
  }
  if (at_ >= body_end) {
    const std::string_view tail = in.substr(taken, size_ - at_);
    std::memcpy(checksum_ + (at_ - body_end), tail.data(), tail.size());
    at_ += tail.size();
    taken += tail.size();
    if (complete()) PassChecksum(to);
  }
  return taken;
}

size_t ReplyCut::PassHead(std::string_view in, Stream* to) {
  at_ = kHeadBytes;
  if (to != nullptr) {
    to->Write(in.substr(0, kIdOffset));
    to->Write(std::string_view(after_, sizeof after_));
  }
  return kHeadBytes;
}

void ReplyCut::PassChecksum(Stream* to) const {
  if (to == nullptr) return;
  char patched[kFrameChecksumBytes];
  StoreBig32(PatchAdler32(
                 LoadBig32(checksum_), size_ - kFrameSizeBytes - kFrameChecksumBytes,
                 kIdOffset - kFrameSizeBytes, std::string_view(before_, sizeof before_),
                 std::string_view(after_, sizeof after_)),
             patched);
  to->Write(std::string_view(patched, sizeof patched));
}

}  // namespace skep
