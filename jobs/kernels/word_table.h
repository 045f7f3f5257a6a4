// Counts by key: an open-addressing table from bytes to uint64_t, made for very many
// additions to keys that are mostly short words.
//
// A slot is 32 bytes. Keys of up to 16 bytes live in their slot as two words, so that a
// hit costs one cache line and no pointer; longer ones lie in an arena. Probing is
// linear, the load at most one half, a hit is decided by comparing whole keys.
//
// The seed makes the order of the slots unpredictable from outside and, more often,
// independent of another hash over the same keys: a table filled with one partition of
// a hash-partitioned set must not use the same hash again.
//
// Not thread-safe.

#ifndef SKEP_JOBS_KERNELS_WORD_TABLE_H_
#define SKEP_JOBS_KERNELS_WORD_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace skep {

class WordTable {
 public:
  // Keys are shorter than this.
  static constexpr uint64_t kMaxKeyBytes = 0xffffffff;

  explicit WordTable(uint64_t seed = 0);

  // Adds n to the count of the key, which is 0 if the key is new (it becomes known even
  // if n is 0). The key is copied. Counts wrap at 2^64.
  void Add(std::string_view key, uint64_t n);

  // The count of the key; 0 if it is unknown.
  uint64_t Get(std::string_view key) const;

  // Distinct keys.
  size_t size() const { return size_; }
  // Bytes held, slots and arena together. Grows by steps: doubles when the slots do.
  size_t memory_used() const;

  // Calls visit(std::string_view key, uint64_t count) for each key, in no order. The
  // view is valid during the call only. The table must not be changed meanwhile.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (const Slot& slot : slots_) {
      if (slot.size_plus_1 == 0) continue;
      char buffer[kInlineBytes];
      visit(slot.Key(buffer), slot.count);
    }
  }

  // Forgets all keys. Keeps the slots, for the next filling of the same kind.
  void Clear();

 private:
  static constexpr size_t kInlineBytes = 16;
  static constexpr size_t kFirstSlots = 1024;
  static constexpr size_t kArenaBlock = 256 << 10;

  // What a key is compared by. Up to 16 bytes: its bytes as two words, which overlap
  // when it is shorter (unique among keys of one size). Longer: the hash's high half
  // and nothing; the bytes decide.
  struct Words {
    uint64_t a;
    uint64_t b;
  };

  struct Slot {
    uint64_t count;
    uint32_t size_plus_1;  // 0: the slot is empty
    uint32_t hash;
    union {
      Words words;
      const char* bytes;
    };

    // The key; `buffer` is where an inline one is put together.
    std::string_view Key(char* buffer) const;
  };
  static_assert(sizeof(Slot) == 32);

  static Words LoadWords(std::string_view key);
  uint32_t HashShort(Words words, size_t size) const;
  uint32_t HashLong(std::string_view key) const;
  // The slot of the key, or the empty one where it belongs.
  size_t FindShort(Words words, size_t size, uint32_t hash) const;
  size_t FindLong(std::string_view key, uint32_t hash) const;
  const char* CopyToArena(std::string_view key);
  void Grow();

  uint64_t seed_;
  size_t size_ = 0;
  std::vector<Slot> slots_;  // a power of two
  std::vector<std::unique_ptr<char[]>> arena_;
  size_t arena_bytes_ = 0;
  size_t arena_left_ = 0;  // of the last block of kArenaBlock
  char* arena_next_ = nullptr;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_WORD_TABLE_H_
