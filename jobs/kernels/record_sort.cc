#include "jobs/kernels/record_sort.h"

#include <emmintrin.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "base/coding.h"
#include "base/key_prefix.h"
#include "jobs/kernels/prefetch.h"

namespace skep {
namespace {

constexpr size_t kAhead = 64;
constexpr size_t kLine = 64;
constexpr size_t kStageBytes = 100 * kLine;

// Fewer records are sorted before a sample is worth its time.
constexpr size_t kFewRecords = 4096;
constexpr size_t kSamples = 1024, kManyRecords = 1 << 18, kMoreSamples = 4096;
// So many words are sorted in one more pass, within the first-level cache.
constexpr size_t kBucketWords = 2048;
// A pass with more buckets would miss the cache at nearly every write.
constexpr int kMaxBucketBits = 12;

// Into the second-level cache: more loads can be under way than into the first. The
// machine itself finds the rest of a long record. Always inline: of a function that
// does nothing but prefetch g++ knows that it has no effect, and leaves out the call.
__attribute__((always_inline)) inline void PrefetchRecord(const char* at, size_t size) {
  size = std::min<size_t>(size, 256);
  for (size_t i = 0; i < size; i += kLine) __builtin_prefetch(at + i, 0, 2);
  __builtin_prefetch(at + size - 1, 0, 2);
}

// `to` is aligned to 16 bytes; so many are a multiple of 16.
void StreamLines(const char* from, size_t bytes, char* to) {
  for (size_t i = 0; i < bytes; i += sizeof(__m128i)) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
  }
}

// `record_at(i)` is the i-th in order. Writes past the caches: nothing of the output is
// read here, and a line that is not loaded first costs half as much. Whole lines only,
// so records pass through a stage.
template <typename RecordAt>
void CopyInOrder(size_t count, size_t record_size, RecordAt record_at, char* out) {
  std::vector<char> stage(kStageBytes + record_size);
  size_t staged = 0;
  const auto flush = [&](size_t bytes) {
    std::memcpy(out, stage.data(), bytes);
    out += bytes;
    staged -= bytes;
    std::memmove(stage.data(), stage.data() + bytes, staged);
  };
  const size_t before_line = -reinterpret_cast<uintptr_t>(out) % kLine;
  for (size_t i = 0; i < count; ++i) {
    PrefetchRecord(record_at(std::min(i + kAhead, count - 1)), record_size);
    std::memcpy(stage.data() + staged, record_at(i), record_size);
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

struct RecordSorter::Records {
  std::string_view bytes;
  size_t record_size;
  size_t key_size;

  size_t count() const { return bytes.size() / record_size; }
  const char* at(size_t i) const { return bytes.data() + i * record_size; }
  std::string_view key(size_t i) const { return {at(i), key_size}; }
};

// The bits of 64-bit prefixes in which some differ, moved to the top: order stays.
class RecordSorter::KeyBits {
 public:
  explicit KeyBits(uint64_t mask) : mask_(mask) {
    int length = 0;  // of the runs so far
    while (mask != 0) {
      const int top = std::countl_zero(mask);
      const int ones = std::countl_one(mask << top);
      const uint64_t run = ~uint64_t{0} << (64 - ones) >> top;
      runs_[count_++] = {run, top - length};
      length += ones;
      mask &= ~run;
    }
  }

  uint64_t mask() const { return mask_; }

  uint64_t Of(uint64_t prefix) const {
    uint64_t bits = 0;
    for (int i = 0; i < count_; ++i) bits |= (prefix & runs_[i].mask) << runs_[i].up;
    return bits;
  }

 private:
  struct Run {
    uint64_t mask;
    int up;
  };
  uint64_t mask_;
  int count_ = 0;
  Run runs_[32];
};

// Reads prefixes with one load each. Requires records of 8 bytes or more.
class RecordSorter::Prefixes {
 public:
  explicit Prefixes(const Records& records)
      : records_(records),
        mask_(records.key_size >= 8 ? ~uint64_t{0}
                                    : ~(~uint64_t{0} >> 8 * records.key_size)) {}
  uint64_t operator[](size_t i) const { return LoadBig64(records_.at(i)) & mask_; }

 private:
  const Records& records_;
  const uint64_t mask_;
};

std::optional<RecordSorter::KeyBits> RecordSorter::BitsOfSample(const Records& records,
                                                                int bucket_bits) {
  const size_t count = records.count();
  if (count < kFewRecords || count >> 32 != 0 || records.record_size < 8) return {};
  const Prefixes prefixes(records);
  std::vector<uint64_t> sample(count < kManyRecords ? kSamples : kMoreSamples);
  uint64_t differences = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    sample[i] = prefixes[count / sample.size() * i];
    differences |= sample[i] ^ sample[0];
  }
  const KeyBits bits(differences);
  std::sort(sample.begin(), sample.end());
  const uint64_t decisive = ~(~uint64_t{0} >> (bucket_bits + 32));
  size_t equal = 0;
  for (size_t i = 1; i < sample.size(); ++i) {
    equal += ((bits.Of(sample[i]) ^ bits.Of(sample[i - 1])) & decisive) == 0;
  }
  // Of all records each is equal to so many others, about; a quarter is too much.
  const size_t pairs = sample.size() * sample.size() / 2;
  if (equal * count > pairs / 4) return {};
  return bits;
}

void RecordSorter::Sort(std::string_view bytes, size_t record_size, size_t key_size,
                        char* out) {
  const Records records{bytes, record_size, key_size};
  const int bucket_bits =
      std::min<int>(kMaxBucketBits, std::bit_width(records.count() / kBucketWords));
  if (const std::optional<KeyBits> bits = BitsOfSample(records, bucket_bits)) {
    SortWords(records, *bits, bucket_bits, out);
  } else {
    SortItems(records, out);
  }
}

// Into scratch_words_, and counts how many choose each bucket.
std::vector<size_t> RecordSorter::ReadKeys(const Records& records, KeyBits bits,
                                           int bucket_bits) {
  const size_t count = records.count();
  const int shift = 64 - bucket_bits;
  const Prefixes prefixes(records);
  const uint64_t first = prefixes[0];
  while (true) {
    std::vector<size_t> sizes(size_t{1} << bucket_bits);
    uint64_t differences = 0;
    for (size_t i = 0; i < count; ++i) {
      PrefetchAhead(records.at(i));
      const uint64_t prefix = prefixes[i];
      differences |= prefix ^ first;
      const uint64_t key = bits.Of(prefix);
      scratch_words_[i] = key;
      ++sizes[key >> shift];
    }
    if ((differences & ~bits.mask()) == 0) return sizes;
    bits = KeyBits(differences | bits.mask());  // which the sample did not show
  }
}

void RecordSorter::SortWords(const Records& records, const KeyBits& bits,
                             int bucket_bits, char* out) {
  const size_t count = records.count();
  words_.resize(count);
  scratch_words_.resize(count);
  const std::vector<size_t> sizes = ReadKeys(records, bits, bucket_bits);
  std::vector<size_t> ends;
  for (size_t start = 0; const size_t size : sizes) {
    ends.push_back(start);
    start += size;
  }
  const int shift = 64 - bucket_bits;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t key = scratch_words_[i];
    words_[ends[key >> shift]++] = key << bucket_bits >> 32 << 32 | i;
  }
  uint64_t* bucket = words_.data();
  for (const size_t size : sizes) {
    SortByUpperHalf({bucket, size}, scratch_words_.data());
    SortEqualWords(records, {bucket, size});
    bucket += size;
  }
  CopyInOrder(
      count, records.record_size,
      [&](size_t i) { return records.at(static_cast<uint32_t>(words_[i])); }, out);
}

// Of a bucket's sorted words those whose upper halves are those of others, all at once:
// in the order of the keys each comes to a place of an equal one.
void RecordSorter::SortEqualWords(const Records& records, std::span<uint64_t> words) {
  const auto is_equal = [&](size_t i) {
    return (i > 0 && (words[i] ^ words[i - 1]) >> 32 == 0) ||
           (i + 1 < words.size() && (words[i] ^ words[i + 1]) >> 32 == 0);
  };
  items_.clear();
  for (size_t i = 0; i < words.size(); ++i) {
    if (!is_equal(i)) continue;
    const uint64_t id = static_cast<uint32_t>(words[i]);
    items_.push_back({KeyPrefix(records.key(id)), id});
  }
  if (items_.empty()) return;
  scratch_items_.resize(std::max(scratch_items_.size(), items_.size()));
  SortByKey(items_, scratch_items_.data(),
            [&](uint64_t id) { return records.key(id); });
  auto next = items_.begin();
  for (size_t i = 0; i < words.size(); ++i) {
    // Only lower halves change, so what is equal stays so.
    if (is_equal(i)) words[i] = words[i] >> 32 << 32 | next++->id;
  }
}

void RecordSorter::SortItems(const Records& records, char* out) {
  const size_t count = records.count();
  items_.resize(count);
  scratch_items_.resize(count);
  for (size_t i = 0; i < count; ++i) items_[i] = {KeyPrefix(records.key(i)), i};
  SortByKey(items_, scratch_items_.data(),
            [&](uint64_t id) { return records.key(id); });
  CopyInOrder(
      count, records.record_size, [&](size_t i) { return records.at(items_[i].id); },
      out);
}

}  // namespace skep
