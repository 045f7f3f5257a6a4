// The next deadline of many, by slot.
//
// Deadlines mostly come in order, since calls of one channel share a timeout: those
// wait in a queue, where setting and clearing one is O(1). One that is earlier than the
// queue's last goes into a binary heap that knows where each slot is, O(log n). One
// executor timer, for the earliest, serves all.

#ifndef SKEP_RPC_DEADLINE_HEAP_H_
#define SKEP_RPC_DEADLINE_HEAP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace skep {

// Not thread-safe.
class DeadlineHeap {
 public:
  // `slot` must have no deadline now. An infinite one is none.
  void Set(uint32_t slot, absl::Time deadline);
  // Forgets the slot's deadline, if it has one.
  void Clear(uint32_t slot);

  bool empty() const { return heap_.empty() && queued_ == 0; }
  // absl::InfiniteFuture() if there is none.
  absl::Time Earliest() const {
    return empty() ? absl::InfiniteFuture() : First().deadline;
  }
  // The slot of Earliest(); not when empty.
  uint32_t EarliestSlot() const { return First().slot; }

 private:
  struct Entry {
    absl::Time deadline;
    uint32_t slot;
  };
  // Where a slot's entry is: 0 nowhere, else index << 1 | 1 in the heap, or index << 1
  // in the queue, both counted from 1.
  using Place = uint64_t;
  static constexpr Place kInHeap = 1;

  const Entry& First() const;
  // The queue's entry number `index`; its first is number queue_begin_.
  Entry& Queued(uint64_t index) { return queue_[index & (queue_.size() - 1)]; }
  const Entry& Queued(uint64_t index) const {
    return queue_[index & (queue_.size() - 1)];
  }
  // Whether it has not been cleared.
  bool IsLive(uint64_t index) const { return place_[Queued(index).slot] == index << 1; }
  void MakeRoom();

  void PlaceAt(size_t at, Entry entry);
  void SiftUp(size_t at, Entry entry);
  void SiftDown(size_t at, Entry entry);
  void Remove(size_t at);

  std::vector<Place> place_;  // by slot
  std::vector<Entry> heap_;
  // A ring, its size a power of two. Its first entry is live, unless it is empty; those
  // behind it may have been cleared.
  std::vector<Entry> queue_;
  uint64_t queue_begin_ = 1;
  uint64_t queue_end_ = 1;
  size_t queued_ = 0;  // live ones
};

}  // namespace skep

#endif  // SKEP_RPC_DEADLINE_HEAP_H_
