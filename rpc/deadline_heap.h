// The next deadline of many, by slot: a binary heap that knows where each slot is.
//
// Deadlines mostly come in order (calls of one channel share a timeout), so setting one
// is an append; clearing one is O(log n). One executor timer, for the earliest, serves
// all.

#ifndef SKEP_RPC_DEADLINE_HEAP_H_
#define SKEP_RPC_DEADLINE_HEAP_H_

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

  bool empty() const { return heap_.empty(); }
  // absl::InfiniteFuture() if there is none.
  absl::Time Earliest() const {
    return heap_.empty() ? absl::InfiniteFuture() : heap_.front().deadline;
  }
  // The slot of Earliest(); not when empty.
  uint32_t EarliestSlot() const { return heap_.front().slot; }

 private:
  struct Entry {
    absl::Time deadline;
    uint32_t slot;
  };
  void Place(size_t at, Entry entry);
  void SiftUp(size_t at, Entry entry);
  void SiftDown(size_t at, Entry entry);

  std::vector<Entry> heap_;
  std::vector<uint32_t> position_;  // by slot: index in heap_ + 1; 0: none
};

}  // namespace skep

#endif  // SKEP_RPC_DEADLINE_HEAP_H_
