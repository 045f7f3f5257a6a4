// Closures by due time: a 4-ary heap over a slab of slots.

#ifndef SKEP_RPC_TIMER_QUEUE_H_
#define SKEP_RPC_TIMER_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "base/executor.h"

namespace skep {

// Add, Cancel and PopDue take O(log n). Timers that are due at the same time come in
// the order in which they were added. Not thread-safe.
class TimerQueue {
 public:
  TimerId Add(absl::Time due, Closure fn);
  // Takes a pending timer out, so that the caller decides where its closure dies. An
  // empty closure if there is no such timer.
  Closure Cancel(TimerId timer);
  // The closure of the first timer that is due at `now`; empty if none is.
  Closure PopDue(absl::Time now);
  // When the first timer is due; absl::InfiniteFuture() without timers.
  absl::Time next_due() const;
  size_t size() const { return heap_.size(); }

 private:
  // An id is generation << kSlotBits | slot: 16 million timers at once, and an id comes
  // again only after 10^12 timers of its slot.
  static constexpr int kSlotBits = 24;
  static constexpr size_t kArity = 4;

  struct Slot {
    uint64_t generation = 1;
    size_t heap_index = 0;
    Closure fn;
  };
  struct Entry {
    absl::Time due;
    uint64_t sequence;
    uint32_t slot;
    bool Before(const Entry& other) const {
      return due != other.due ? due < other.due : sequence < other.sequence;
    }
  };

  Closure RemoveAt(size_t index);
  void Place(size_t index, const Entry& entry);
  void SiftUp(size_t index, const Entry& entry);
  void SiftDown(size_t index, const Entry& entry);

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  uint64_t next_sequence_ = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_TIMER_QUEUE_H_
