#include "rpc/timer_queue.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace skep {

TimerId TimerQueue::Add(absl::Time due, Closure fn) {
  uint32_t slot_index;
  if (free_.empty()) {
    slot_index = static_cast<uint32_t>(slots_.size());
    CHECK_LT(slot_index, 1u << kSlotBits) << "too many timers at once";
    slots_.emplace_back();
  } else {
    slot_index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[slot_index];
  slot.fn = std::move(fn);
  heap_.emplace_back();
  SiftUp(heap_.size() - 1, Entry{due, next_sequence_++, slot_index});
  return TimerId(slot.generation << kSlotBits | slot_index);
}

Closure TimerQueue::Cancel(TimerId timer) {
  const uint64_t slot_index = timer.value() & ((uint64_t{1} << kSlotBits) - 1);
  if (slot_index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[slot_index];
  if (slot.generation != timer.value() >> kSlotBits) return nullptr;
  // A slot's generation moves on as its timer leaves, so this one is in the heap unless
  // the id is of the future: forged.
  if (slot.heap_index >= heap_.size() || heap_[slot.heap_index].slot != slot_index) {
    return nullptr;
  }
  return RemoveAt(slot.heap_index);
}

Closure TimerQueue::PopDue(absl::Time now) {
  if (heap_.empty() || heap_.front().due > now) return nullptr;
  return RemoveAt(0);
}

absl::Time TimerQueue::next_due() const {
  return heap_.empty() ? absl::InfiniteFuture() : heap_.front().due;
}

Closure TimerQueue::RemoveAt(size_t index) {
  const uint32_t slot_index = heap_[index].slot;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (index < heap_.size()) {
    // The last one fills the hole; it may belong above it as well as below.
    if (index > 0 && last.Before(heap_[(index - 1) / kArity])) {
      SiftUp(index, last);
    } else {
      SiftDown(index, last);
    }
  }
  Slot& slot = slots_[slot_index];
  ++slot.generation;
  free_.push_back(slot_index);
  return std::exchange(slot.fn, nullptr);
}

void TimerQueue::Place(size_t index, const Entry& entry) {
  heap_[index] = entry;
  slots_[entry.slot].heap_index = index;
}

void TimerQueue::SiftUp(size_t index, const Entry& entry) {
  while (index > 0) {
    const size_t parent = (index - 1) / kArity;
    if (!entry.Before(heap_[parent])) break;
    Place(index, heap_[parent]);
    index = parent;
  }
  Place(index, entry);
}

void TimerQueue::SiftDown(size_t index, const Entry& entry) {
  while (true) {
    const size_t first = index * kArity + 1;
    if (first >= heap_.size()) break;
    const size_t end = std::min(first + kArity, heap_.size());
    size_t least = first;
    for (size_t child = first + 1; child < end; ++child) {
      if (heap_[child].Before(heap_[least])) least = child;
    }
    if (!heap_[least].Before(entry)) break;
    Place(index, heap_[least]);
    index = least;
  }
  Place(index, entry);
}

}  // namespace skep
