// Adds up counts by key while a map task emits them: the framework's combiner for
// Combine::kSum, so that a word that occurs a million times is shuffled once.
//
// Open addressing with linear probing over 24-byte slots; keys live in an arena. The
// hash is seeded apart from the one that chooses partitions: a reducer's keys, which
// agree in the partition hash, still spread over a whole table.

#ifndef SKEP_WORKER_SHUFFLE_COMBINE_TABLE_H_
#define SKEP_WORKER_SHUFFLE_COMBINE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "worker/shuffle/arena.h"

namespace skep {

// Not thread-safe.
class CombineTable {
 public:
  // Refuses to grow beyond `memory_bytes`, except for its first key.
  explicit CombineTable(size_t memory_bytes);

  // Adds `count` to the key's, modulo 2^64. False, and nothing is added, when the key
  // is new and does not fit: read the entries, Clear, add again.
  [[nodiscard]] bool Add(std::string_view key, uint64_t count);

  // Calls fn(std::string_view key, uint64_t count) for every key, in no order. The
  // views are valid until Clear.
  template <typename Fn>
  void ForEach(Fn fn) const {
    for (const Slot& slot : slots_) {
      if (slot.key != nullptr)
        fn(std::string_view(slot.key, slot.key_size), slot.count);
    }
  }

  // Forgets all keys and gives back most memory.
  void Clear();

  size_t size() const { return size_; }
  // Bytes of memory held.
  size_t memory() const { return arena_.memory() + slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    const char* key = nullptr;  // null: empty
    uint32_t key_size = 0;
    uint32_t hash = 0;
    uint64_t count = 0;
  };

  bool Insert(std::string_view key, uint32_t hash, uint64_t count);
  bool Grow();

  const size_t memory_bytes_;
  Arena arena_;
  std::vector<Slot> slots_;  // a power of two of them
  size_t size_ = 0;
};

}  // namespace skep

#endif  // SKEP_WORKER_SHUFFLE_COMBINE_TABLE_H_
