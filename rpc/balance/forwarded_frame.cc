#include "rpc/balance/forwarded_frame.h"

#include <cstring>
#include <string>
#include <utility>

#include "base/checksum.h"
#include "base/coding.h"
#include "base/status.h"
#include "rpc/frame.h"

namespace skep {
namespace {

// Frames of this size and more go to the kernel uncopied.
constexpr size_t kBulkBytes = 32 << 10;
// What changes is in front of this.
constexpr size_t kHeadBytes = kBudgetOffset + 4;

// Whether both can be replaced where they are. With a second id the receiver would go
// by that one: a client could so name the call of another.
bool CanPatch(std::string_view frame, const Envelope& envelope, bool budget) {
  if (!HasFixedLayout(frame) || envelope.id_repeated) return false;
  return !budget ||
         (HasFixedBudget(frame) &&
          LoadLittle<uint32_t>(frame.data() + kBudgetOffset) == envelope.budget_us);
}

// The head and the checksum apart, so that the rest need not be touched.
void WritePatchedBulk(Stream& to, std::string_view frame, uint64_t id,
                      std::optional<uint32_t> budget_us) {
  char head[kHeadBytes];
  std::memcpy(head, frame.data(), kHeadBytes);
  StoreLittle(id, head + kIdOffset);
  if (budget_us) StoreLittle(*budget_us, head + kBudgetOffset);
  const size_t checked = frame.size() - kFrameSizeBytes - kFrameChecksumBytes;
  const size_t changed = kHeadBytes - kIdOffset;
  char checksum[kFrameChecksumBytes];
  StoreBig32(PatchAdler32(LoadBig32(frame.data() + frame.size() - kFrameChecksumBytes),
                          checked, kIdOffset - kFrameSizeBytes,
                          frame.substr(kIdOffset, changed),
                          std::string_view(head + kIdOffset, changed)),
             checksum);
  to.Write(std::string_view(head, kHeadBytes));
  to.WriteBulk(
      frame.substr(kHeadBytes, frame.size() - kHeadBytes - kFrameChecksumBytes));
  to.Write(std::string_view(checksum, kFrameChecksumBytes));
}

absl::StatusOr<std::string> EncodeAnew(std::string_view frame, const Envelope& envelope,
                                       uint64_t id, std::optional<uint32_t> budget_us) {
  Envelope changed = envelope;
  changed.id = id;
  if (budget_us) {
    changed.budget_us = *budget_us;
    changed.Set(Envelope::kBudget);
  }
  OutFrame out;
  // Fails for a frame near the limit: the encoder leaves itself some room.
  SKEP_RETURN_IF_ERROR(
      EncodeFrame(changed, nullptr, std::string(envelope.attachment), &out));
  // Its checksum is of what was read here just now: should our memory have changed that
  // since the old one was checked, nobody else would notice.
  if (ParseFrame(frame).state != Frame::State::kReady) {
    return DataLoss("a frame of ", frame.size(), " bytes changed in the balancer");
  }
  return out.ToString();
}

}  // namespace

absl::Status WriteForwarded(Stream& to, std::string_view frame,
                            const Envelope& envelope, uint64_t id,
                            std::optional<uint32_t> budget_us, std::string* owned) {
  if (CanPatch(frame, envelope, budget_us.has_value())) {
    if (owned != nullptr && frame.size() >= kBulkBytes) {
      RewriteId(owned->data(), owned->size(), id);
      if (budget_us) RewriteBudget(owned->data(), owned->size(), *budget_us);
      to.WriteOwned(std::move(*owned));
      return absl::OkStatus();
    }
    if (frame.size() >= kBulkBytes) {
      WritePatchedBulk(to, frame, id, budget_us);
      return absl::OkStatus();
    }
    char* const copy = to.BeginWrite(frame.size());
    std::memcpy(copy, frame.data(), frame.size());
    RewriteId(copy, frame.size(), id);
    if (budget_us) RewriteBudget(copy, frame.size(), *budget_us);
    to.EndWrite(frame.size());
    return absl::OkStatus();
  }
  SKEP_ASSIGN_OR_RETURN(const std::string anew,
                        EncodeAnew(frame, envelope, id, budget_us));
  to.Write(anew);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ForwardedFrame(std::string_view frame,
                                           const Envelope& envelope, uint64_t id,
                                           std::string* owned) {
  if (!CanPatch(frame, envelope, /*budget=*/false)) {
    return EncodeAnew(frame, envelope, id, std::nullopt);
  }
  std::string whole = owned != nullptr ? std::move(*owned) : std::string(frame);
  RewriteId(whole.data(), whole.size(), id);
  return whole;
}

}  // namespace skep
