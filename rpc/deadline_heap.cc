#include "rpc/deadline_heap.h"

#include <utility>

namespace skep {
namespace {

constexpr size_t kLeastQueue = 8;

}  // namespace

const DeadlineHeap::Entry& DeadlineHeap::First() const {
  if (queued_ == 0) return heap_.front();
  const Entry& queued = Queued(queue_begin_);
  return heap_.empty() || queued.deadline <= heap_.front().deadline ? queued
                                                                    : heap_.front();
}

void DeadlineHeap::PlaceAt(size_t at, Entry entry) {
  heap_[at] = entry;
  place_[entry.slot] = (at + 1) << 1 | kInHeap;
}

void DeadlineHeap::SiftUp(size_t at, Entry entry) {
  while (at > 0) {
    const size_t parent = (at - 1) / 2;
    if (heap_[parent].deadline <= entry.deadline) break;
    PlaceAt(at, heap_[parent]);
    at = parent;
  }
  PlaceAt(at, entry);
}

void DeadlineHeap::SiftDown(size_t at, Entry entry) {
  while (true) {
    size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].deadline < heap_[child].deadline) {
      ++child;
    }
    if (entry.deadline <= heap_[child].deadline) break;
    PlaceAt(at, heap_[child]);
    at = child;
  }
  PlaceAt(at, entry);
}

void DeadlineHeap::Remove(size_t at) {
  const Entry last = heap_.back();
  heap_.pop_back();
  if (at == heap_.size()) return;
  if (at > 0 && last.deadline < heap_[(at - 1) / 2].deadline) {
    SiftUp(at, last);
  } else {
    SiftDown(at, last);
  }
}

// The ring is full: of entries that were cleared, or it doubles.
void DeadlineHeap::MakeRoom() {
  std::vector<Entry> live;
  live.reserve(queued_);
  for (uint64_t i = queue_begin_; i < queue_end_; ++i) {
    if (IsLive(i)) live.push_back(Queued(i));
  }
  // At least half of it is free then, so that each entry is moved O(1) times.
  size_t capacity = kLeastQueue;
  while (capacity < 2 * live.size()) capacity *= 2;
  queue_.assign(capacity, Entry());
  queue_begin_ = queue_end_ = 1;
  for (const Entry& entry : live) {
    place_[entry.slot] = queue_end_ << 1;
    Queued(queue_end_++) = entry;
  }
}

void DeadlineHeap::Set(uint32_t slot, absl::Time deadline) {
  if (deadline == absl::InfiniteFuture()) return;
  if (slot >= place_.size()) place_.resize(slot + 1, 0);
  if (queued_ == 0) queue_begin_ = queue_end_;
  if (queued_ != 0 && deadline < Queued(queue_end_ - 1).deadline) {
    heap_.emplace_back();
    SiftUp(heap_.size() - 1, Entry{deadline, slot});
    return;
  }
  if (queue_end_ - queue_begin_ == queue_.size()) MakeRoom();
  place_[slot] = queue_end_ << 1;
  Queued(queue_end_++) = Entry{deadline, slot};
  ++queued_;
}

void DeadlineHeap::Clear(uint32_t slot) {
  if (slot >= place_.size() || place_[slot] == 0) return;
  const Place place = std::exchange(place_[slot], 0);
  if ((place & kInHeap) != 0) return Remove(static_cast<size_t>(place >> 1) - 1);
  --queued_;
  if (queued_ == 0) {
    queue_begin_ = queue_end_;
    return;
  }
  while (!IsLive(queue_begin_)) ++queue_begin_;
}

}  // namespace skep
