#include "base/word_table.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/coding.h"

namespace skep {

WordTable::WordTable(const Options& options)
    : options_(options), mask_(kFirstSlots - 1) {
  memory_.Grow(kFirstSlots * sizeof(Slot));
  slots_ = static_cast<Slot*>(memory_.data());
}

inline WordTable::Slot* WordTable::FindShort(Words words, size_t size,
                                             uint32_t hash) const {
  for (size_t at = Home(hash);; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    // One branch for a hit.
    const uint64_t differences = (slot.words.a ^ words.a) | (slot.words.b ^ words.b) |
                                 (slot.size_plus_1 ^ (size + 1));
    if (differences == 0 || slot.size_plus_1 == 0) return &slot;
  }
}

// Inlined: a call for each word would cost as much as the rest.
__attribute__((always_inline)) inline bool WordTable::AddShort(Words words, size_t size,
                                                               uint32_t hash,
                                                               uint64_t n) {
  Slot* slot = FindShort(words, size, hash);
  if (slot->size_plus_1 == 0) [[unlikely]] {
    if (!MakeRoom(0)) return false;
    slot = FindShort(words, size, hash);
    slot->size_plus_1 = static_cast<uint32_t>(size + 1);
    slot->hash = hash;
    slot->words = words;
    ++size_;
  }
  slot->count += n;
  return true;
}

bool WordTable::Add(std::string_view key, uint64_t n) {
  if (key.size() > kInlineBytes) return AddLong(key, HashLong(key), n);
  const Words words = LoadWords(key);
  return AddShort(words, key.size(), HashShort(words, key.size()), n);
}

size_t WordTable::AddEach(std::span<const std::string_view> keys) {
  size_t added = 0;
  while (!keys.empty()) {
    const auto batch = keys.first(std::min(kBatch, keys.size()));
    keys = keys.subspan(batch.size());
    Words words[kBatch];
    if (options_.path == CpuPath::kAvx512) {
      LoadEachAvx512(batch, words);
    } else {
      for (size_t i = 0; i < batch.size(); ++i) {
        if (batch[i].size() <= kInlineBytes) words[i] = LoadWords(batch[i]);
      }
    }
    uint32_t hashes[kBatch];
    for (size_t i = 0; i < batch.size(); ++i) {
      const size_t size = batch[i].size();
      hashes[i] = size > kInlineBytes ? HashLong(batch[i]) : HashShort(words[i], size);
      __builtin_prefetch(&slots_[Home(hashes[i])], 1);
    }
    for (size_t i = 0; i < batch.size(); ++i, ++added) {
      const size_t size = batch[i].size();
      if (!(size > kInlineBytes ? AddLong(batch[i], hashes[i], 1)
                                : AddShort(words[i], size, hashes[i], 1))) {
        return added;
      }
    }
  }
  return added;
}

bool WordTable::AddLong(std::string_view key, uint32_t hash, uint64_t n) {
  Slot* slot = FindLong(key, hash);
  if (slot->size_plus_1 == 0) {
    if (!MakeRoom(key.size())) return false;
    slot = FindLong(key, hash);
    slot->size_plus_1 = static_cast<uint32_t>(key.size() + 1);
    slot->hash = hash;
    slot->bytes = CopyToArena(key);
    ++size_;
  }
  slot->count += n;
  return true;
}

uint64_t WordTable::Get(std::string_view key) const {
  if (key.size() > kInlineBytes) return FindLong(key, HashLong(key))->count;
  const Words words = LoadWords(key);
  return FindShort(words, key.size(), HashShort(words, key.size()))->count;
}

size_t WordTable::memory_used() const { return slots().size_bytes() + arena_bytes_; }

void WordTable::Clear() {
  std::memset(static_cast<void*>(slots_), 0, slots().size_bytes());
  size_ = 0;
  arena_.clear();
  arena_bytes_ = 0;
  arena_left_ = 0;
}

// Overlapping loads from both ends, the upper one shifted to its place: no byte outside
// the key is read, no loop is needed.
WordTable::Words WordTable::LoadWords(std::string_view key) {
  const char* p = key.data();
  const size_t size = key.size();
  if (size >= 8) {
    // By at most 64 bits, which one shift cannot.
    const size_t half = 4 * (16 - size);
    return {LoadLittle<uint64_t>(p),
            LoadLittle<uint64_t>(p + size - 8) >> half >> half};
  }
  if (size >= 4) {
    const uint64_t high = LoadLittle<uint32_t>(p + size - 4);
    return {LoadLittle<uint32_t>(p) | high << (8 * (size - 4)), 0};
  }
  if (size == 0) return {0, 0};
  const auto byte = [&](size_t i) {
    return static_cast<uint64_t>(static_cast<uint8_t>(p[i])) << (8 * i);
  };
  return {byte(0) | byte(size / 2) | byte(size - 1), 0};
}

// The first 16 bytes of longer keys are loaded, too, and not used.
__attribute__((target("avx512bw,avx512vl,bmi2"))) void WordTable::LoadEachAvx512(
    std::span<const std::string_view> keys, Words* words) {
  for (const std::string_view key : keys) {
    const auto size = static_cast<uint32_t>(std::min(key.size(), kInlineBytes));
    const auto mask = static_cast<__mmask16>(_bzhi_u32(0xffff, size));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(words++),
                     _mm_maskz_loadu_epi8(mask, key.data()));
  }
}

// A 64 x 64 -> 128 bit multiplication folded in two mixes every bit of both words into
// the result; the odd constants (digits of pi) keep zero words from cancelling it.
uint32_t WordTable::HashShort(Words words, size_t size) const {
  const auto product =
      static_cast<unsigned __int128>(words.a ^ options_.seed ^ 0x243f6a8885a308d3) *
      (words.b ^ (size * 0x9e3779b97f4a7c15) ^ 0x13198a2e03707345);
  const uint64_t folded =
      static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  return static_cast<uint32_t>(folded ^ folded >> 32);
}

uint32_t WordTable::HashLong(std::string_view key) const {
  return static_cast<uint32_t>(
      XXH3_64bits_withSeed(key.data(), key.size(), options_.seed));
}

WordTable::Slot* WordTable::FindLong(std::string_view key, uint32_t hash) const {
  for (size_t at = Home(hash);; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    if (slot.size_plus_1 == 0) return &slot;
    if (slot.hash == hash && slot.size_plus_1 == key.size() + 1 &&
        std::memcmp(slot.bytes, key.data(), key.size()) == 0) {
      return &slot;
    }
  }
}

bool WordTable::MakeRoom(size_t arena_bytes) {
  const size_t arena_growth =
      arena_bytes <= arena_left_ ? 0 : std::max(arena_bytes, kArenaBlock);
  const size_t half = (mask_ + 1) / 2;
  const bool grow = size_ + 1 > (2 * half < kLargeSlots ? half : half + half / 2);
  const size_t slots_growth = grow ? slots().size_bytes() : 0;
  const size_t used = memory_used();
  // A key that costs nothing is taken whatever the limit: else a table with a limit
  // below that of its first slots would take one key at a time.
  const size_t growth = arena_growth + slots_growth;
  if (size_ > 0 && growth > 0 &&
      (used > options_.memory_bytes || growth > options_.memory_bytes - used)) {
    return false;
  }
  if (grow) Grow();
  return true;
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

// In place: every key is taken out and put in again, in the order of the probes from an
// empty slot on. A key's place was at or after its home, and what lies between has been
// put in again by then, so a key goes to its own slot, one before, or the upper half.
// The first empty slot comes last: keys that wrap around the new end may have got
// there.
void WordTable::Grow() {
  const size_t old_size = mask_ + 1;
  memory_.Grow(2 * slots().size_bytes());
  slots_ = static_cast<Slot*>(memory_.data());
  mask_ = 2 * old_size - 1;
  size_t empty = 0;
  while (slots_[empty].size_plus_1 != 0) ++empty;
  for (size_t i = 1; i <= old_size; ++i) {
    Slot& from = slots_[(empty + i) & (old_size - 1)];
    if (from.size_plus_1 == 0) continue;
    const Slot slot = from;
    from = {};
    size_t at = Home(slot.hash);
    while (slots_[at].size_plus_1 != 0) at = (at + 1) & mask_;
    slots_[at] = slot;
  }
}

}  // namespace skep
