#include "rpc/deadline_heap.h"

#include <cstddef>

namespace skep {

void DeadlineHeap::Place(size_t at, Entry entry) {
  heap_[at] = entry;
  position_[entry.slot] = static_cast<uint32_t>(at + 1);
}

void DeadlineHeap::SiftUp(size_t at, Entry entry) {
  while (at > 0) {
    const size_t parent = (at - 1) / 2;
    if (heap_[parent].deadline <= entry.deadline) break;
    Place(at, heap_[parent]);
    at = parent;
  }
  Place(at, entry);
}

void DeadlineHeap::SiftDown(size_t at, Entry entry) {
  while (true) {
    size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].deadline < heap_[child].deadline) {
      ++child;
    }
    if (entry.deadline <= heap_[child].deadline) break;
    Place(at, heap_[child]);
    at = child;
  }
  Place(at, entry);
}

void DeadlineHeap::Set(uint32_t slot, absl::Time deadline) {
  if (deadline == absl::InfiniteFuture()) return;
  if (slot >= position_.size()) position_.resize(slot + 1, 0);
  heap_.emplace_back();
  SiftUp(heap_.size() - 1, Entry{deadline, slot});
}

void DeadlineHeap::Clear(uint32_t slot) {
  if (slot >= position_.size() || position_[slot] == 0) return;
  const size_t at = position_[slot] - 1;
  position_[slot] = 0;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (at == heap_.size()) return;
  if (at > 0 && last.deadline < heap_[(at - 1) / 2].deadline) {
    SiftUp(at, last);
  } else {
    SiftDown(at, last);
  }
}

}  // namespace skep
