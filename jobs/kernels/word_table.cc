#include "jobs/kernels/word_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/coding.h"

namespace skep {

WordTable::WordTable(uint64_t seed) : seed_(seed), slots_(kFirstSlots) {}

void WordTable::Add(std::string_view key, uint64_t n) {
  size_t at;
  if (key.size() <= kInlineBytes) {
    const Words words = LoadWords(key);
    const uint32_t hash = HashShort(words, key.size());
    at = FindShort(words, key.size(), hash);
    if (slots_[at].size_plus_1 == 0) {
      slots_[at].words = words;
      slots_[at].hash = hash;
    }
  } else {
    const uint32_t hash = HashLong(key);
    at = FindLong(key, hash);
    if (slots_[at].size_plus_1 == 0) {
      slots_[at].bytes = CopyToArena(key);
      slots_[at].hash = hash;
    }
  }
  Slot& slot = slots_[at];
  slot.count += n;
  if (slot.size_plus_1 != 0) return;
  slot.size_plus_1 = static_cast<uint32_t>(key.size() + 1);
  if (++size_ * 2 > slots_.size()) Grow();
}

uint64_t WordTable::Get(std::string_view key) const {
  if (key.size() > kInlineBytes) return slots_[FindLong(key, HashLong(key))].count;
  const Words words = LoadWords(key);
  return slots_[FindShort(words, key.size(), HashShort(words, key.size()))].count;
}

size_t WordTable::memory_used() const {
  return slots_.size() * sizeof(Slot) + arena_bytes_;
}

void WordTable::Clear() {
  std::memset(static_cast<void*>(slots_.data()), 0, slots_.size() * sizeof(Slot));
  size_ = 0;
  arena_.clear();
  arena_bytes_ = 0;
  arena_left_ = 0;
}

std::string_view WordTable::Slot::Key(char* buffer) const {
  const size_t size = size_plus_1 - 1;
  if (size > kInlineBytes) return {bytes, size};
  if (size >= 8) {
    StoreLittle(words.a, buffer);
    StoreLittle(words.b, buffer + size - 8);
  } else if (size >= 4) {
    StoreLittle(static_cast<uint32_t>(words.a), buffer);
    StoreLittle(static_cast<uint32_t>(words.a >> 32), buffer + size - 4);
  } else if (size > 0) {
    buffer[0] = static_cast<char>(words.a);
    buffer[size / 2] = static_cast<char>(words.a >> 8);
    buffer[size - 1] = static_cast<char>(words.a >> 16);
  }
  return {buffer, size};
}

// Overlapping loads from both ends: no byte outside the key is read, no loop is needed.
WordTable::Words WordTable::LoadWords(std::string_view key) {
  const char* p = key.data();
  const size_t size = key.size();
  if (size >= 8) return {LoadLittle<uint64_t>(p), LoadLittle<uint64_t>(p + size - 8)};
  if (size >= 4) {
    return {LoadLittle<uint32_t>(p) |
                static_cast<uint64_t>(LoadLittle<uint32_t>(p + size - 4)) << 32,
            0};
  }
  if (size == 0) return {0, 0};
  const auto byte = [&](size_t i) {
    return static_cast<uint64_t>(static_cast<uint8_t>(p[i]));
  };
  return {byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16, 0};
}

// A 64 x 64 -> 128 bit multiplication folded in two mixes every bit of both words into
// the result; the odd constants (digits of pi) keep zero words from cancelling it.
uint32_t WordTable::HashShort(Words words, size_t size) const {
  const auto product =
      static_cast<unsigned __int128>(words.a ^ seed_ ^ 0x243f6a8885a308d3) *
      (words.b ^ (size * 0x9e3779b97f4a7c15) ^ 0x13198a2e03707345);
  const uint64_t folded =
      static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  return static_cast<uint32_t>(folded ^ folded >> 32);
}

uint32_t WordTable::HashLong(std::string_view key) const {
  return static_cast<uint32_t>(XXH3_64bits_withSeed(key.data(), key.size(), seed_));
}

size_t WordTable::FindShort(Words words, size_t size, uint32_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  for (;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.size_plus_1 == size + 1 && slot.words.a == words.a &&
        slot.words.b == words.b) {
      return at;
    }
    if (slot.size_plus_1 == 0) return at;
  }
}

size_t WordTable::FindLong(std::string_view key, uint32_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  for (;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.size_plus_1 == 0) return at;
    if (slot.hash == hash && slot.size_plus_1 == key.size() + 1 &&
        std::memcmp(slot.bytes, key.data(), key.size()) == 0) {
      return at;
    }
  }
}

const char* WordTable::CopyToArena(std::string_view key) {
  // A key that would waste much of a block gets one of its own.
  if (key.size() > kArenaBlock / 8) {
    arena_.push_back(std::make_unique_for_overwrite<char[]>(key.size()));
    arena_bytes_ += key.size();
    std::memcpy(arena_.back().get(), key.data(), key.size());
    return arena_.back().get();
  }
  if (key.size() > arena_left_) {
    arena_.push_back(std::make_unique_for_overwrite<char[]>(kArenaBlock));
    arena_bytes_ += kArenaBlock;
    arena_next_ = arena_.back().get();
    arena_left_ = kArenaBlock;
  }
  char* copy = arena_next_;
  std::memcpy(copy, key.data(), key.size());
  arena_next_ += key.size();
  arena_left_ -= key.size();
  return copy;
}

void WordTable::Grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  const size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.size_plus_1 == 0) continue;
    size_t at = slot.hash & mask;
    while (slots_[at].size_plus_1 != 0) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

}  // namespace skep
