#include "rpc/balance/whole_frame.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "base/coding.h"
#include "rpc/bulk.h"
#include "rpc/frame.h"

namespace skep {
namespace {

// Announced by peers and not all here, over the whole process: four of the largest.
constexpr size_t kMaxAnnounced = 4 * size_t{kMaxFrameSize};

std::atomic<size_t> announced{0};

}  // namespace

std::unique_ptr<WholeFrame> WholeFrame::Begin(std::string_view front) {
  if (front.size() < kFrameSizeBytes + kMinFrameSize) return nullptr;
  const size_t body = LoadBig32(front.data());
  const size_t size = body + kFrameSizeBytes;
  if (size < kLeastBulkBytes || body > kMaxFrameSize) return nullptr;
  if (announced.fetch_add(size, std::memory_order_relaxed) + size > kMaxAnnounced) {
    announced.fetch_sub(size, std::memory_order_relaxed);
    return nullptr;
  }
  return std::unique_ptr<WholeFrame>(new WholeFrame(size));
}

WholeFrame::WholeFrame(size_t size) : size_(size), bytes_(TakeBulk(size)) {}

WholeFrame::~WholeFrame() {
  announced.fetch_sub(size_, std::memory_order_relaxed);
  GiveBulk(std::move(bytes_));
}

size_t WholeFrame::Take(std::string_view in) {
  const size_t count = std::min(in.size(), size_ - filled_);
  std::memcpy(bytes_.data() + filled_, in.data(), count);
  filled_ += count;
  return count;
}

}  // namespace skep
