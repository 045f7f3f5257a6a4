#include "base/word_table.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/coding.h"
#include "base/random.h"

namespace skep {
namespace {

// Every bit of the result depends on every bit of x (the end of splitmix64).
uint64_t Stir(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

}  // namespace

WordTable::Words WordTable::MakeSecret(uint64_t seed) {
  static const Words process = {SystemRandom64(), SystemRandom64()};
  return {process.a ^ Stir(seed), process.b ^ Stir(~seed)};
}

WordTable::WordTable(const Options& options)
    : options_(options), secret_(MakeSecret(options.seed)), mask_(kFirstSlots - 1) {
  memory_.Grow(kFirstSlots * sizeof(Slot));
  slots_ = static_cast<Slot*>(memory_.data());
}

WordTable::Slot* WordTable::FindShort(Words words, uint64_t tag) const {
  for (size_t at = Home(HashOf(tag));; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    // One branch for a hit.
    const uint64_t differences =
        (slot.words.a ^ words.a) | (slot.words.b ^ words.b) | (slot.tag ^ tag);
    if (differences == 0 || slot.tag == 0) return &slot;
  }
}

bool WordTable::AddShort(Words words, uint64_t tag, uint64_t n) {
  Slot* slot = FindShort(words, tag);
  if (slot->tag == 0) {
    if (!MakeRoom(0)) return false;
    slot = FindShort(words, tag);
    slot->tag = tag;
    slot->words = words;
    ++size_;
  }
  slot->count += n;
  return true;
}

bool WordTable::Add(std::string_view key, uint64_t n) {
  if (key.size() > kInlineBytes) return AddLong(key, HashLong(key), n);
  const Words words = LoadWords(key);
  return AddShort(words, TagOf(key.size(), HashShort(words)), n);
}

// Loads a key and hashes it. A key of more than 16 bytes is sought by its hash alone.
inline void WordTable::Prepare(std::span<const std::string_view> keys,
                               Wanted* wanted) const {
  for (const std::string_view key : keys) {
    uint32_t hash;
    if (key.size() <= kInlineBytes) [[likely]] {
      wanted->words = LoadWords(key);
      hash = HashShort(wanted->words);
      wanted->tag = TagOf(key.size(), hash);
    } else {
      hash = HashLong(key);
      *wanted = {kNoTag, {hash, 0}};
    }
    __builtin_prefetch(&slots_[Home(hash)], 1);
    ++wanted;
  }
}

// A key is one masked load.
__attribute__((target("avx512bw,avx512vl,bmi2"))) void WordTable::PrepareAvx512(
    std::span<const std::string_view> keys, Wanted* wanted) const {
  const Slot* const slots = slots_;
  const size_t homes = mask_ & ~size_t{1};
  for (const std::string_view key : keys) {
    uint32_t hash;
    if (key.size() <= kInlineBytes) [[likely]] {
      const __m128i words = _mm_maskz_loadu_epi8(
          static_cast<__mmask16>(_bzhi_u32(0xffff, static_cast<uint32_t>(key.size()))),
          key.data());
      hash = HashShort({static_cast<uint64_t>(_mm_cvtsi128_si64(words)),
                        static_cast<uint64_t>(_mm_extract_epi64(words, 1))});
      wanted->tag = TagOf(key.size(), hash);
      _mm_store_si128(reinterpret_cast<__m128i*>(&wanted->words), words);
    } else {
      hash = HashLong(key);
      *wanted = {kNoTag, {hash, 0}};
    }
    __builtin_prefetch(&slots[hash & homes], 1);
    ++wanted;
  }
}

size_t WordTable::AddPrepared(std::span<const std::string_view> keys,
                              const Wanted* wanted) {
  Slot* slots = slots_;
  size_t homes = mask_ & ~size_t{1};
  for (size_t i = 0; i < keys.size(); ++i) {
    const Wanted& want = wanted[i];
    // The one of two whose tag is the key's: no branch, for none could be foretold.
    Slot* slot = &slots[(want.tag >> 32) & homes];
    slot += slot->tag != want.tag;
    const uint64_t differences = (slot->words.a ^ want.words.a) |
                                 (slot->words.b ^ want.words.b) |
                                 (slot->tag ^ want.tag);
    if (differences == 0) [[likely]] {
      ++slot->count;
      continue;
    }
    if (want.tag == kNoTag ? !AddLong(keys[i], static_cast<uint32_t>(want.words.a), 1)
                           : !AddShort(want.words, want.tag, 1)) {
      return i;
    }
    slots = slots_;
    homes = mask_ & ~size_t{1};
  }
  return keys.size();
}

size_t WordTable::AddEach(std::span<const std::string_view> keys) {
  // One batch is prepared while the slots of the one before it are fetched.
  Wanted wanted[2][kBatch];
  const auto prepare = [&](size_t first, Wanted* batch) {
    const auto some = keys.subspan(first, std::min(kBatch, keys.size() - first));
    if (options_.path == CpuPath::kAvx512) {
      PrepareAvx512(some, batch);
    } else {
      Prepare(some, batch);
    }
  };
  if (!keys.empty()) prepare(0, wanted[0]);
  size_t parity = 0;
  for (size_t first = 0; first < keys.size(); first += kBatch) {
    const auto batch = keys.subspan(first, std::min(kBatch, keys.size() - first));
    if (first + kBatch < keys.size()) prepare(first + kBatch, wanted[1 - parity]);
    const size_t added = AddPrepared(batch, wanted[parity]);
    if (added < batch.size()) return first + added;
    parity = 1 - parity;
  }
  return keys.size();
}

bool WordTable::AddLong(std::string_view key, uint32_t hash, uint64_t n) {
  Slot* slot = FindLong(key, hash);
  if (slot->tag == 0) {
    if (!MakeRoom(key.size())) return false;
    slot = FindLong(key, hash);
    slot->tag = TagOf(key.size(), hash);
    slot->bytes = CopyToArena(key);
    ++size_;
  }
  slot->count += n;
  return true;
}

uint64_t WordTable::Get(std::string_view key) const {
  if (key.size() > kInlineBytes) return FindLong(key, HashLong(key))->count;
  const Words words = LoadWords(key);
  return FindShort(words, TagOf(key.size(), HashShort(words)))->count;
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

// A 64 x 64 -> 128 bit multiplication folded in two mixes every bit of both words into
// the result. Both factors are secret: of an open one a key could make a zero, whose
// products are all equal.
inline uint32_t WordTable::HashShort(Words words) const {
  const auto product =
      static_cast<unsigned __int128>(words.a ^ secret_.a) * (words.b ^ secret_.b);
  const uint64_t folded =
      static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  return static_cast<uint32_t>(folded ^ folded >> 32);
}

uint32_t WordTable::HashLong(std::string_view key) const {
  return static_cast<uint32_t>(XXH3_64bits_withSeed(key.data(), key.size(), secret_.a));
}

WordTable::Slot* WordTable::FindLong(std::string_view key, uint32_t hash) const {
  const uint64_t tag = TagOf(key.size(), hash);
  for (size_t at = Home(hash);; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    if (slot.tag == 0) return &slot;
    if (slot.tag == tag && std::memcmp(slot.bytes, key.data(), key.size()) == 0) {
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
  while (slots_[empty].tag != 0) ++empty;
  for (size_t i = 1; i <= old_size; ++i) {
    Slot& from = slots_[(empty + i) & (old_size - 1)];
    if (from.tag == 0) continue;
    const Slot slot = from;
    from = {};
    size_t at = Home(HashOf(slot.tag));
    while (slots_[at].tag != 0) at = (at + 1) & mask_;
    slots_[at] = slot;
  }
}

}  // namespace skep
