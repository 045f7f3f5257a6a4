#include "jobs/kernels/frequent_words.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/coding.h"
#include "base/status.h"

namespace skep {

void FrequentWords::AddEach(std::span<const std::string_view> words) {
  table_.AddEach(words);
  total_ += words.size();
  if (table_.size() >= 2 * counters_) Shrink();
}

// Takes the (k + 1)-th largest count from all: k + 1 counters or more lose it, so what
// is lost in all by a word is at most total / (k + 1).
void FrequentWords::Shrink() {
  if (table_.size() <= counters_) return;
  std::vector<uint64_t> counts;
  std::vector<CountedKey> left;
  table_.ForEach([&](std::string_view, uint64_t count) { counts.push_back(count); });
  const auto next = counts.begin() + static_cast<ptrdiff_t>(counters_);
  std::nth_element(counts.begin(), next, counts.end(), std::greater<>());
  const uint64_t taken = *next;
  table_.ForEach([&](std::string_view key, uint64_t count) {
    if (count > taken) left.push_back({std::string(key), count - taken});
  });
  table_.Clear();
  for (const CountedKey& word : left) table_.Add(word.key, word.count);
  error_ += taken;
}

void FrequentWords::Merge(const FrequentWords& other) {
  other.table_.ForEach(
      [this](std::string_view key, uint64_t count) { table_.Add(key, count); });
  error_ += other.error_;
  total_ += other.total_;
  Shrink();
}

std::string FrequentWords::Encode() {
  Shrink();
  std::string bytes;
  PutVarint(&bytes, error_);
  PutVarint(&bytes, total_);
  // In a defined order: equal streams are equal bytes.
  for (const CountedKey& word : Top(counters_)) {
    PutBytes(&bytes, word.key);
    PutVarint(&bytes, word.count - error_);
  }
  return bytes;
}

absl::Status FrequentWords::MergeEncoded(std::string_view bytes) {
  FrequentWords other(counters_);
  const size_t size = bytes.size();
  bool good = GetVarint(&bytes, &other.error_) && GetVarint(&bytes, &other.total_);
  while (good && !bytes.empty()) {
    std::string_view word;
    uint64_t count = 0;
    good = GetBytes(&bytes, &word) && GetVarint(&bytes, &count);
    if (good) other.table_.Add(word, count);
  }
  if (!good) return DataLoss("a summary of words, ", size, " bytes, is malformed");
  Merge(other);
  return absl::OkStatus();
}

std::vector<CountedKey> FrequentWords::Top(size_t k) const {
  TopK top(k);
  table_.ForEach(
      [&](std::string_view key, uint64_t count) { top.Add(key, count + error_); });
  return top.Take();
}

}  // namespace skep
