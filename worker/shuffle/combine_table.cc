#include "worker/shuffle/combine_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace skep {
namespace {

constexpr size_t kInitialSlots = 1024;
// Of ten slots; linear probing stays short below it (Knuth 6.4: 2.2 probes a hit).
constexpr size_t kMaxLoadTenths = 7;
constexpr uint64_t kHashSeed = 0x5bd1e9955bd1e995;

uint32_t HashKey(std::string_view key) {
  return static_cast<uint32_t>(XXH3_64bits_withSeed(key.data(), key.size(), kHashSeed));
}

}  // namespace

CombineTable::CombineTable(size_t memory_bytes)
    : memory_bytes_(memory_bytes), slots_(kInitialSlots) {}

bool CombineTable::Add(std::string_view key, uint64_t count) {
  const uint32_t hash = HashKey(key);
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    Slot& slot = slots_[i];
    if (slot.key == nullptr) return Insert(key, hash, count);
    if (slot.hash == hash && std::string_view(slot.key, slot.key_size) == key) {
      slot.count += count;
      return true;
    }
  }
}

bool CombineTable::Insert(std::string_view key, uint32_t hash, uint64_t count) {
  if (size_ > 0 && memory() + arena_.GrowthFor(key.size() + 1) > memory_bytes_) {
    return false;
  }
  if ((size_ + 1) * 10 > slots_.size() * kMaxLoadTenths && !Grow()) return false;
  // One byte more than the key, so that an empty key has an address too.
  char* const copy = arena_.Allocate(key.size() + 1);
  key.copy(copy, key.size());
  const size_t mask = slots_.size() - 1;
  size_t i = hash & mask;
  while (slots_[i].key != nullptr) i = (i + 1) & mask;
  slots_[i] = {copy, static_cast<uint32_t>(key.size()), hash, count};
  ++size_;
  return true;
}

bool CombineTable::Grow() {
  const size_t old_slots = slots_.size();
  // While growing, both tables are in memory.
  if (arena_.memory() + 3 * old_slots * sizeof(Slot) > memory_bytes_) return false;
  std::vector<Slot> bigger(2 * old_slots);
  const size_t mask = bigger.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.key == nullptr) continue;
    size_t i = slot.hash & mask;
    while (bigger[i].key != nullptr) i = (i + 1) & mask;
    bigger[i] = slot;
  }
  slots_.swap(bigger);
  return true;
}

void CombineTable::Clear() {
  std::vector<Slot>(kInitialSlots).swap(slots_);
  arena_.Clear();
  size_ = 0;
}

}  // namespace skep
