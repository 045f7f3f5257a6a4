// Changes what stands at fixed places of a frame, and its checksum by the difference.

#include <cstring>

#include "base/checksum.h"
#include "base/coding.h"
#include "rpc/frame.h"
#include "rpc/rpc0_codec.h"

namespace skep {
namespace {

constexpr char kTypeTag = 0x08;    // field 1, varint
constexpr char kIdTag = 0x11;      // field 2, fixed64
constexpr char kBudgetTag = 0x45;  // field 8, fixed32

// Changes bytes of a frame's head; returns its new checksum. `total` is the number of
// checksummed bytes.
uint32_t Patch(char* frame, size_t total, uint32_t checksum, size_t offset,
               std::string_view bytes) {
  checksum = PatchAdler32(checksum, total, offset - kFrameSizeBytes,
                          std::string_view(frame + offset, bytes.size()), bytes);
  std::memcpy(frame + offset, bytes.data(), bytes.size());
  return checksum;
}

void PatchWhole(char* frame, size_t size, size_t offset, std::string_view bytes) {
  char* const tail = frame + size - kFrameChecksumBytes;
  const size_t total = size - kFrameSizeBytes - kFrameChecksumBytes;
  StoreBig32(Patch(frame, total, LoadBig32(tail), offset, bytes), tail);
}

}  // namespace

bool HasFixedLayout(std::string_view frame) {
  return frame.size() >= kIdOffset + 8 &&
         frame.substr(kFrameSizeBytes, kRpc0Tag.size()) == kRpc0Tag &&
         frame[kTypeOffset - 1] == kTypeTag &&
         // One byte of type: what follows is the id's tag.
         (frame[kTypeOffset] & 0x80) == 0 && frame[kIdOffset - 1] == kIdTag;
}

bool HasFixedBudget(std::string_view frame) {
  return HasFixedLayout(frame) && frame.size() >= kBudgetOffset + 4 &&
         frame[kBudgetOffset - 1] == kBudgetTag;
}

void RewriteId(char* frame, size_t size, uint64_t id) {
  char bytes[8];
  StoreLittle(id, bytes);
  PatchWhole(frame, size, kIdOffset, std::string_view(bytes, sizeof bytes));
}

void RewriteBudget(char* frame, size_t size, uint32_t budget_us) {
  char bytes[4];
  StoreLittle(budget_us, bytes);
  PatchWhole(frame, size, kBudgetOffset, std::string_view(bytes, sizeof bytes));
}

void RewriteBudget(OutFrame* frame, uint32_t budget_us) {
  char bytes[4];
  StoreLittle(budget_us, bytes);
  frame->checksum =
      Patch(frame->head.data(), frame->size() - kFrameSizeBytes - kFrameChecksumBytes,
            frame->checksum, kBudgetOffset, std::string_view(bytes, sizeof bytes));
}

}  // namespace skep
