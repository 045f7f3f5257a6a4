#include "jobs/kernels/record_sort.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/key_sort.h"

namespace skep {
namespace {

constexpr size_t kAhead = 64;
constexpr size_t kStageBytes = 6400;

// Into the second-level cache: more loads can be under way than into the first. The
// machine itself finds the rest of a long record.
void PrefetchRecord(const char* at, size_t size) {
  size = std::min<size_t>(size, 256);
  for (size_t i = 0; i < size; i += 64) __builtin_prefetch(at + i, 0, 2);
  __builtin_prefetch(at + size - 1, 0, 2);
}

// `to` is aligned to 16 bytes; so many are a multiple of 16.
void StreamLines(const char* from, size_t bytes, char* to) {
  for (size_t i = 0; i < bytes; i += sizeof(__m128i)) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
  }
}

// Writes past the caches: nothing of the output is read here, and a line that is not
// loaded first costs half as much. Whole lines only, so records pass through a stage.
void CopyInOrder(std::string_view records, size_t record_size,
                 std::span<const SortItem> items, char* out) {
  constexpr size_t kLine = 64;
  std::vector<char> stage(kStageBytes + record_size);
  size_t staged = 0;
  const auto flush = [&](size_t bytes) {
    std::memcpy(out, stage.data(), bytes);
    out += bytes;
    staged -= bytes;
    std::memmove(stage.data(), stage.data() + bytes, staged);
  };
  const size_t before_line = -reinterpret_cast<uintptr_t>(out) % kLine;
  for (size_t i = 0; i < items.size(); ++i) {
    const size_t next = std::min(i + kAhead, items.size() - 1);
    PrefetchRecord(records.data() + items[next].id, record_size);
    std::memcpy(stage.data() + staged, records.data() + items[i].id, record_size);
    staged += record_size;
    if (staged < kStageBytes) continue;
    if (reinterpret_cast<uintptr_t>(out) % kLine != 0) flush(before_line);
    const size_t bytes = staged / kLine * kLine;
    StreamLines(stage.data(), bytes, out);
    out += bytes;
    staged -= bytes;
    std::memcpy(stage.data(), stage.data() + bytes, staged);
  }
  flush(staged);
  _mm_sfence();
}

}  // namespace

void RecordSorter::Sort(std::string_view records, size_t record_size, size_t key_size,
                        char* out) {
  const size_t count = records.size() / record_size;
  const auto key_of = [&](uint64_t at) { return records.substr(at, key_size); };
  items_.resize(count);
  scratch_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    items_[i] = {KeyPrefix(key_of(i * record_size)), i * record_size};
  }
  SortByKey(items_, scratch_.data(), key_of);
  CopyInOrder(records, record_size, items_, out);
}

}  // namespace skep
