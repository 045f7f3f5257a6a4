#include "rpc/large_frame.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "base/checksum.h"
#include "base/coding.h"
#include "base/strings.h"
#include "rpc/bulk.h"

namespace skep {
namespace {

constexpr size_t kLeastLargeFrame = kLeastBulkBytes;
// An envelope that is longer has no attachment worth the trouble.
constexpr size_t kMaxHead = 16 << 10;
// Announced by peers, over the whole process: four of the largest frames.
constexpr size_t kMaxAnnounced = 4 * size_t{kMaxFrameSize};

std::atomic<size_t> announced{0};

}  // namespace

std::unique_ptr<LargeFrame> LargeFrame::Begin(std::string_view in) {
  constexpr size_t kFront = kFrameSizeBytes + kRpc0Tag.size();
  if (in.size() < kFront) return nullptr;
  const size_t size = LoadBig32(in.data());
  if (size < kLeastLargeFrame || size > kMaxFrameSize) return nullptr;
  const size_t body = size - kFrameChecksumBytes;
  // The whole body, unless the attachment is apart.
  size_t head = kFrameSizeBytes;
  if (in.substr(kFrameSizeBytes).starts_with(kRpc0Tag)) {
    Envelope envelope;
    const size_t attachment = ParseEnvelopeHead(in.substr(kFront, kMaxHead),
                                                body - kRpc0Tag.size(), &envelope);
    if (attachment != 0) head = kFront + attachment;
  }
  if (head == kFrameSizeBytes && in.size() < kFront + kMaxHead) return nullptr;
  const size_t bulk = kFrameSizeBytes + body - head;
  if (announced.fetch_add(bulk, std::memory_order_relaxed) + bulk > kMaxAnnounced) {
    announced.fetch_sub(bulk, std::memory_order_relaxed);
    return nullptr;
  }
  return std::unique_ptr<LargeFrame>(new LargeFrame(in.substr(0, head), bulk));
}

LargeFrame::LargeFrame(std::string_view head, size_t bulk_size)
    : head_(head),
      bulk_size_(bulk_size),
      bulk_(ReserveBulk(bulk_size)),
      checksum_(Adler32(head.substr(kFrameSizeBytes))),
      head_left_(head.size()) {
  if (head.size() > kFrameSizeBytes) {
    constexpr size_t kFront = kFrameSizeBytes + kRpc0Tag.size();
    ParseEnvelopeHead(std::string_view(head_).substr(kFront),
                      head.size() + bulk_size - kFront, &envelope_);
  }
}

LargeFrame::~LargeFrame() {
  announced.fetch_sub(bulk_size_, std::memory_order_relaxed);
  GiveBulk(std::move(bulk_));
}

void LargeFrame::Checksum(size_t count) {
  checksum_ = Adler32(checksum_, std::string_view(bulk_).substr(filled_, count));
  filled_ += count;
}

size_t LargeFrame::Take(std::string_view in) {
  const size_t of_head = std::min(head_left_, in.size());
  head_left_ -= of_head;
  std::string_view rest = in.substr(of_head);
  const size_t of_bulk = std::min(bulk_size_ - filled_, rest.size());
  for (size_t left = of_bulk; left > 0;) {
    if (filled_ == bulk_.size()) GrowBulk(bulk_, bulk_size_);
    const size_t count = std::min(left, bulk_.size() - filled_);
    std::memcpy(bulk_.data() + filled_, rest.data(), count);
    Checksum(count);
    rest.remove_prefix(count);
    left -= count;
  }
  const size_t of_tail = std::min(sizeof tail_ - tail_size_, rest.size());
  if (filled_ == bulk_size_) {
    std::memcpy(tail_ + tail_size_, rest.data(), of_tail);
    tail_size_ += of_tail;
  }
  return of_head + of_bulk + of_tail;
}

std::span<char> LargeFrame::Room() {
  if (head_left_ != 0) return {};
  if (filled_ == bulk_.size()) GrowBulk(bulk_, bulk_size_);
  return std::span<char>(bulk_).subspan(filled_);
}

void LargeFrame::Filled(size_t count) { Checksum(count); }

bool LargeFrame::Check(std::string* fault) const {
  const uint32_t told = LoadBig32(tail_);
  if (told == checksum_) return true;
  *fault = ChecksumFault(told, checksum_, head_.size() + bulk_size_ - kFrameSizeBytes);
  return false;
}

const Envelope* LargeFrame::envelope() {
  if (head_.size() == kFrameSizeBytes) return nullptr;
  envelope_.attachment = bulk_;
  envelope_.Set(Envelope::kAttachment);
  envelope_.owned_attachment = &bulk_;
  return &envelope_;
}

}  // namespace skep
