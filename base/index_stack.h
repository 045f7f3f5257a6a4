// A stack of numbers that many threads push and pop: which places of a table are free.
// Lock-free.
//
// Treiber's stack, as in mpsc_list.h, with its pop. The ABA problem (between a popper's
// look at the top's successor and its swap, the top is popped, and pushed again on top
// of another) is met by his counter: every change of the head makes it another, and a
// popper would have to sleep through 2^32 of them.
//
// Memory orders: a push releases what was done to the number's place, and the pop that
// gets it acquires it, also over changes in between, which continue the release
// sequence. Successors are read by poppers that may be too late: hence atomic, and the
// swap fails.

#ifndef SKEP_BASE_INDEX_STACK_H_
#define SKEP_BASE_INDEX_STACK_H_

#include <atomic>
#include <cstdint>

namespace skep {

// Thread-safe. Each number has a std::atomic<uint32_t> of its user's, its link, which
// is the stack's while the number is in it and must stay readable from then on.
class IndexStack {
 public:
  static constexpr uint32_t kNone = ~uint32_t{0};

  // `index` is in no stack, and not kNone.
  void Push(uint32_t index, std::atomic<uint32_t>& link) {
    uint64_t head = head_.load(std::memory_order_relaxed);
    do {
      link.store(IndexOf(head), std::memory_order_relaxed);
    } while (!head_.compare_exchange_weak(
        head, Next(head, index), std::memory_order_release, std::memory_order_relaxed));
  }

  // kNone if it is empty. `link_of(index)` is that number's link.
  template <typename LinkOf>
  uint32_t Pop(LinkOf link_of) {
    // Acquire: the place of a number that this thread sees for the first time is there.
    uint64_t head = head_.load(std::memory_order_acquire);
    while (IndexOf(head) != kNone) {
      const uint32_t below = link_of(IndexOf(head)).load(std::memory_order_relaxed);
      if (head_.compare_exchange_weak(head, Next(head, below),
                                      std::memory_order_acquire,
                                      std::memory_order_acquire)) {
        return IndexOf(head);
      }
    }
    return kNone;
  }

 private:
  // Changes << 32 | top.
  static uint32_t IndexOf(uint64_t head) { return static_cast<uint32_t>(head); }
  static uint64_t Next(uint64_t head, uint32_t index) {
    return ((head >> 32) + 1) << 32 | index;
  }

  std::atomic<uint64_t> head_{kNone};
};

}  // namespace skep

#endif  // SKEP_BASE_INDEX_STACK_H_
