// The most frequent words of a stream in bounded memory, with a bound of the error.
//
// Space-Saving (A. Metwally, D. Agrawal, A. El Abbadi, 2005) in its mergeable form
// (P. Agarwal and others, Mergeable Summaries, 2012): k counters say of every word how
// often it stood there, too much by at most total / (k + 1), and a word that has no
// counter stood there no oftener than that. Each counter knows what it may have missed
// before it was made, which is its own error: 0 for a word that had one from the start.
// Instead of replacing one counter at each new word, twice as many are kept, then what
// the k-th has is taken from all: additions go at the speed of a WordTable. Long words
// are bounded by their bytes, too: as many counters are left then as fit.

#ifndef SKEP_JOBS_KERNELS_FREQUENT_WORDS_H_
#define SKEP_JOBS_KERNELS_FREQUENT_WORDS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/word_table.h"
#include "jobs/kernels/top_k.h"

namespace skep {

struct FrequentWord {
  std::string word;
  uint64_t count;  // it stood there at most so often
  uint64_t error;  // and at least count - error times
};

// Not thread-safe. What it answers depends on the order of the words and of the merges.
class FrequentWords {
 public:
  // Of words kept, whatever the counters; in memory, up to twice as many.
  static constexpr size_t kMostBytes = 32 << 20;

  // Counters kept, at least 1; in memory, up to twice as many.
  explicit FrequentWords(size_t counters) : counters_(counters) {}

  void AddEach(std::span<const std::string_view> words);

  // As if the other's words had been added, too: the errors add up.
  void Merge(const FrequentWords& other);
  // As so many bytes at most, and as another sees them; 20 are always allowed.
  std::string Encode(size_t most_bytes = kMostBytes);
  absl::Status MergeEncoded(std::string_view bytes);

  // The k words of the largest counts, best first.
  std::vector<FrequentWord> Top(size_t k) const;
  // No count is too large by more, and no word that is not counted stood there oftener.
  // 0: all is exact.
  uint64_t error() const { return error_; }
  // Words added.
  uint64_t total() const { return total_; }

 private:
  // Keeps at most that many counters, whose words take at most so many bytes encoded.
  void Shrink(size_t most_counters, size_t most_bytes);
  // What the counter of a word that has one may have missed.
  uint64_t MissedBy(std::string_view word) const;

  size_t counters_;
  WordTable table_;   // lower bounds of the counts since their counters were made
  WordTable missed_;  // 1 + what they missed; counters made since the last Shrink: none
  uint64_t error_ = 0;
  uint64_t total_ = 0;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_FREQUENT_WORDS_H_
