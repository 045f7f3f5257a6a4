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

WholeFrame::WholeFrame(size_t size) : size_(size), bytes_(ReserveBulk(size)) {}

WholeFrame::~WholeFrame() {
  announced.fetch_sub(size_, std::memory_order_relaxed);
  GiveBulk(std::move(bytes_));
}

size_t WholeFrame::Take(std::string_view in) {
  const size_t all = std::min(in.size(), size_ - filled_);
  for (size_t left = all; left > 0;) {
    const std::span<char> room = Room();
    const size_t count = std::min(left, room.size());
    std::memcpy(room.data(), in.data(), count);
    in.remove_prefix(count);
    filled_ += count;
    left -= count;
  }
  return all;
}

std::span<char> WholeFrame::Room() {
  if (filled_ == bytes_.size()) GrowBulk(bytes_, size_);
  return std::span<char>(bytes_).subspan(filled_);
}

}  // namespace skep
