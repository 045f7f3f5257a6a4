// Finds slots by an id that somebody else chose: which of a connection's calls its peer
// wants cancelled.
//
// A hash table with chains, doubly linked through the slots' numbers: adding and
// removing touch no memory but their neighbours' and allocate nothing once there have
// been as many. Ids may be equal, and chosen to collide: that costs who looks for one
// of them, not who adds or removes.

#ifndef SKEP_RPC_SLOTS_BY_ID_H_
#define SKEP_RPC_SLOTS_BY_ID_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace skep {

// Not thread-safe.
class SlotsById {
 public:
  // Slot numbers are small, and each is in here once.
  void Add(uint32_t slot, uint64_t id) {
    if (slot >= links_.size()) Grow(slot);
    links_[slot].id = id;
    links_[slot].used = true;
    Link(slot);
  }

  void Remove(uint32_t slot) {
    Chain& link = links_[slot];
    link.used = false;
    (link.before == kNone ? heads_[Bucket(link.id)] : links_[link.before].behind) =
        link.behind;
    if (link.behind != kNone) links_[link.behind].before = link.before;
  }

  std::vector<uint32_t> Find(uint64_t id) const {
    std::vector<uint32_t> found;
    if (heads_.empty()) return found;
    for (uint32_t slot = heads_[Bucket(id)]; slot != kNone;
         slot = links_[slot].behind) {
      if (links_[slot].id == id) found.push_back(slot);
    }
    return found;
  }

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};
  struct Chain {
    uint64_t id = 0;
    uint32_t before = kNone;
    uint32_t behind = kNone;
    bool used = false;
  };

  // Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4): ids that count up
  // spread evenly.
  size_t Bucket(uint64_t id) const {
    return (id * 0x9e3779b97f4a7c15) >> 32 & (heads_.size() - 1);
  }
  void Link(uint32_t slot) {
    uint32_t& head = heads_[Bucket(links_[slot].id)];
    links_[slot].before = kNone;
    links_[slot].behind = head;
    if (head != kNone) links_[head].before = slot;
    head = slot;
  }
  void Grow(uint32_t slot) {
    const size_t size = std::bit_ceil(size_t{slot} + 1);
    links_.resize(size);
    heads_.assign(size, kNone);
    for (uint32_t i = 0; i < size; ++i) {
      if (links_[i].used) Link(i);
    }
  }

  std::vector<Chain> links_;     // by slot
  std::vector<uint32_t> heads_;  // as many, a power of two
};

}  // namespace skep

#endif  // SKEP_RPC_SLOTS_BY_ID_H_
