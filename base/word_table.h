// Counts by key: an open-addressing table from bytes to uint64_t, made for very many
// additions to keys that are mostly short words. The word count kernel and the
// combiner of map tasks are this table.
//
// A slot is 32 bytes. Keys of up to 16 bytes live in their slot, padded with zeros, so
// that a hit costs one cache line and no pointer; longer ones lie in an arena. Probing
// is linear, the load at most one half, in large tables three quarters: memory that a
// process touches for the first time costs more than longer probes. A hit is decided by
// comparing whole keys. Large tables ask for huge pages (base/huge_pages.h) and grow in
// place: their memory is never held twice.
//
// AddEach is the fast way in: of a batch of keys all are loaded, hashed and their slots
// prefetched before the first is looked for. With AVX-512 a short key is one masked
// load; otherwise overlapping loads, and the branches on its size. Which of the two
// slots of its line holds a key is told by their tags, without a branch.
//
// The hash is keyed by a secret of the process, drawn once from the system: nobody can
// write a text whose words share their slots. The seed makes it another hash yet. So
// the order of the keys differs from process to process, and is no order to rely on.
//
// Not thread-safe.

#ifndef SKEP_BASE_WORD_TABLE_H_
#define SKEP_BASE_WORD_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/cpu_path.h"
#include "base/huge_pages.h"

namespace skep {

class WordTable {
 public:
  // Keys are shorter than this.
  static constexpr uint64_t kMaxKeyBytes = 0xffffffff;

  struct Options {
    uint64_t seed = 0;
    // The table refuses to grow beyond it, except for its first key.
    size_t memory_bytes = SIZE_MAX;
    CpuPath path = BestCpuPath();
  };
  WordTable() : WordTable(Options()) {}
  explicit WordTable(const Options& options);

  // Adds n to the count of the key, which is 0 if the key is new (it becomes known even
  // if n is 0). The key is copied. Counts wrap at 2^64. False, and nothing is added,
  // when the key is new and does not fit the memory: read the keys, Clear, add again.
  bool Add(std::string_view key, uint64_t n);

  // Adds 1 to the count of each key, in order. Returns how many were added: all, or
  // those before the first that does not fit.
  size_t AddEach(std::span<const std::string_view> keys);

  // The count of the key; 0 if it is unknown.
  uint64_t Get(std::string_view key) const;

  // Distinct keys.
  size_t size() const { return size_; }
  // Bytes held, slots and arena together. Grows by steps: doubles when the slots do.
  size_t memory_used() const;
  // Those of the arena: keys of more than 16 bytes.
  size_t arena_bytes() const { return arena_bytes_; }

  // Calls visit(std::string_view key, uint64_t count) for each key, in no order. The
  // views are valid until the table is changed.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (const Slot& slot : slots()) {
      if (slot.tag != 0) visit(slot.Key(), slot.count);
    }
  }

  // The same by places, at which a key and its count are found again until the table is
  // changed: visit(size_t place, uint64_t count).
  template <typename Visit>
  void ForEachPlace(Visit&& visit) const {
    for (size_t place = 0; place <= mask_; ++place) {
      if (slots_[place].tag != 0) visit(place, slots_[place].count);
    }
  }
  std::string_view KeyAt(size_t place) const { return slots_[place].Key(); }
  uint64_t CountAt(size_t place) const { return slots_[place].count; }

  // Forgets all keys. Keeps the slots, for the next filling of the same kind.
  void Clear();

 private:
  static constexpr size_t kInlineBytes = 16;
  static constexpr size_t kFirstSlots = 1024;
  static constexpr size_t kLargeSlots = 1 << 20;  // 32 MiB
  static constexpr size_t kArenaBlock = 256 << 10;
  static constexpr size_t kBatch = 32;

  // A key of up to 16 bytes, zeros after its end.
  struct Words {
    uint64_t a;
    uint64_t b;
  };

  // Of a key: its hash above its size plus 1. 0: the slot is empty.
  static constexpr uint64_t TagOf(size_t size, uint32_t hash) {
    return static_cast<uint64_t>(hash) << 32 | (size + 1);
  }
  static constexpr uint32_t HashOf(uint64_t tag) {
    return static_cast<uint32_t>(tag >> 32);
  }
  // No key's and no empty slot's.
  static constexpr uint64_t kNoTag = uint64_t{1} << 32;

  struct Slot {
    uint64_t count;
    uint64_t tag;
    union {
      Words words;
      const char* bytes;
    };

    std::string_view Key() const {
      const size_t size = (tag & 0xffffffff) - 1;
      return {size > kInlineBytes ? bytes : reinterpret_cast<const char*>(&words),
              size};
    }
  };
  static_assert(sizeof(Slot) == 32);

  std::span<const Slot> slots() const { return {slots_, mask_ + 1}; }
  static Words LoadWords(std::string_view key);
  // A key that is looked for. One of more than 16 bytes has kNoTag, and its hash in
  // words.a.
  struct alignas(32) Wanted {
    uint64_t tag;
    alignas(16) Words words;
  };

  static Words MakeSecret(uint64_t seed);
  uint32_t HashShort(Words words) const;
  uint32_t HashLong(std::string_view key) const;
  void Prepare(std::span<const std::string_view> keys, Wanted* wanted) const;
  void PrepareAvx512(std::span<const std::string_view> keys, Wanted* wanted) const;
  // AddEach for keys that were prepared.
  size_t AddPrepared(std::span<const std::string_view> keys, const Wanted* wanted);
  // Where probing begins: at the first slot of a cache line, which holds two.
  size_t Home(uint32_t hash) const { return hash & mask_ & ~size_t{1}; }
  // The slot of the key, or the empty one where it belongs.
  Slot* FindShort(Words words, uint64_t tag) const;
  Slot* FindLong(std::string_view key, uint32_t hash) const;
  bool AddShort(Words words, uint64_t tag, uint64_t n);
  bool AddLong(std::string_view key, uint32_t hash, uint64_t n);
  // Whether a new key of that size has a place; makes one if it can.
  bool MakeRoom(size_t arena_bytes);
  const char* CopyToArena(std::string_view key);
  void Grow();

  const Options options_;
  const Words secret_;
  size_t size_ = 0;
  GrowingMemory memory_;  // the slots
  Slot* slots_;
  size_t mask_;  // of slots there are mask_ + 1, a power of two
  std::vector<std::unique_ptr<char[]>> arena_;
  size_t arena_bytes_ = 0;
  size_t arena_left_ = 0;  // of the last block of kArenaBlock
  char* arena_next_ = nullptr;
};

}  // namespace skep

#endif  // SKEP_BASE_WORD_TABLE_H_
