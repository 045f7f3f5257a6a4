#include "jobs/kernels/frequent_words.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "base/status.h"

namespace skep {
namespace {

// Of a word's size, count and error, encoded; more only of counts above 10^12.
constexpr size_t kNumberBytes = 16;

// Of the error and the total.
constexpr size_t kTotalBytes = 20;

struct Counter {
  uint64_t count;
  size_t bytes;
};
bool LargerCount(const Counter& a, const Counter& b) { return a.count > b.count; }

}  // namespace

void FrequentWords::AddEach(std::span<const std::string_view> words) {
  table_.AddEach(words);
  total_ += words.size();
  if (table_.size() >= 2 * counters_ || table_.arena_bytes() > 2 * kMostBytes) {
    Shrink(counters_, kMostBytes);
  }
}

// Takes the (k + 1)-th largest count from all: k + 1 counters or more lose it, so what
// is lost in all by a word is at most total / (k + 1). Of equal counts all are kept or
// none, so that their order does not matter.
void FrequentWords::Shrink(size_t most_counters, size_t most_bytes) {
  std::vector<Counter> counters;
  counters.reserve(table_.size());
  size_t bytes = 0;
  table_.ForEach([&](std::string_view key, uint64_t count) {
    counters.push_back({count, key.size() + kNumberBytes});
    bytes += counters.back().bytes;
  });
  if (counters.size() <= most_counters && bytes <= most_bytes) return;
  if (counters.size() > most_counters) {
    // Only as many as may stay, and the next, need an order.
    std::nth_element(counters.begin(),
                     counters.begin() + static_cast<ptrdiff_t>(most_counters),
                     counters.end(), LargerCount);
    counters.resize(most_counters + 1);
  }
  std::sort(counters.begin(), counters.end(), LargerCount);
  size_t next = 0;
  bytes = 0;
  while (next < std::min(most_counters, counters.size()) &&
         counters[next].bytes <= most_bytes - bytes) {
    bytes += counters[next++].bytes;
  }
  const uint64_t taken = counters[next].count;
  std::vector<FrequentWord> left;
  table_.ForEach([&](std::string_view key, uint64_t count) {
    if (count > taken) left.push_back({std::string(key), count - taken, MissedBy(key)});
  });
  table_.Clear();
  missed_.Clear();
  for (const FrequentWord& word : left) {
    table_.Add(word.word, word.count);
    missed_.Add(word.word, 1 + word.error);
  }
  error_ += taken;
}

// A word without a counter had lost at most what all counters lost until then.
uint64_t FrequentWords::MissedBy(std::string_view word) const {
  const uint64_t missed = missed_.Get(word);
  return missed > 0 ? missed - 1 : error_;
}

void FrequentWords::Merge(const FrequentWords& other) {
  // A word that one of them does not count may have been there as often as its error.
  std::vector<std::pair<std::string, uint64_t>> missed;
  table_.ForEach([&](std::string_view key, uint64_t) {
    const bool both = other.table_.Get(key) > 0;
    missed.emplace_back(key,
                        MissedBy(key) + (both ? other.MissedBy(key) : other.error_));
  });
  other.table_.ForEach([&](std::string_view key, uint64_t) {
    if (table_.Get(key) == 0) missed.emplace_back(key, error_ + other.MissedBy(key));
  });
  missed_.Clear();
  for (const auto& [key, count] : missed) missed_.Add(key, 1 + count);
  other.table_.ForEach(
      [this](std::string_view key, uint64_t count) { table_.Add(key, count); });
  error_ += other.error_;
  total_ += other.total_;
  Shrink(counters_, kMostBytes);
}

std::string FrequentWords::Encode(size_t most_bytes) {
  Shrink(counters_, most_bytes - std::min(most_bytes, kTotalBytes));
  std::string bytes;
  PutVarint(&bytes, error_);
  PutVarint(&bytes, total_);
  // In a defined order: equal streams are equal bytes.
  for (const FrequentWord& word : Top(counters_)) {
    PutBytes(&bytes, word.word);
    PutVarint(&bytes, word.count - error_);
    PutVarint(&bytes, word.error);
  }
  return bytes;
}

absl::Status FrequentWords::MergeEncoded(std::string_view bytes) {
  FrequentWords other(counters_);
  const size_t size = bytes.size();
  bool good = GetVarint(&bytes, &other.error_) && GetVarint(&bytes, &other.total_);
  while (good && !bytes.empty()) {
    std::string_view word;
    uint64_t count = 0, missed = 0;
    good = GetBytes(&bytes, &word) && GetVarint(&bytes, &count) && count > 0 &&
           GetVarint(&bytes, &missed) && missed <= other.error_;
    if (!good) break;
    other.table_.Add(word, count);
    other.missed_.Add(word, 1 + missed);
  }
  if (!good) return DataLoss("a summary of words, ", size, " bytes, is malformed");
  Merge(other);
  return absl::OkStatus();
}

std::vector<FrequentWord> FrequentWords::Top(size_t k) const {
  TopK top(k);
  table_.ForEach(
      [&](std::string_view key, uint64_t count) { top.Add(key, count + error_); });
  std::vector<FrequentWord> words;
  for (CountedKey& best : top.Take()) {
    const uint64_t error = MissedBy(best.key);
    words.push_back({std::move(best.key), best.count, error});
  }
  return words;
}

}  // namespace skep
