// Texts of made-up words, for benchmarks: as large as wanted, the same for the same
// options on every machine.
//
// The words of a vocabulary are numbered from 1. With Zipf's law the r-th is drawn with
// probability proportional to r^-s (s = 1 is close to natural language), by
// rejection-inversion (W. Hormann, G. Derflinger, 1996), which takes no table and a
// constant time for any vocabulary. A word is spelled from its number: two letters for
// each digit in base 95, after up to five pairs that only lengthen it; 2 to 20 letters,
// all different.

#ifndef SKEP_TOOLS_GEN_WORDS_H_
#define SKEP_TOOLS_GEN_WORDS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/random.h"
#include "tools/gen/sink.h"

namespace skep {

struct WordsOptions {
  enum class Distribution { kZipf, kUniform };
  Distribution distribution = Distribution::kZipf;
  double exponent = 1;            // s of Zipf's law, above 0, at most 10
  uint64_t vocabulary = 100'000;  // 1 to 2^32
  uint64_t bytes = 1 << 20;       // the text ends before it, at a line end
  uint64_t seed = 1;
};

// Lines of 60 to 80 letters. InvalidArgument for options out of range.
absl::Status GenerateWords(const WordsOptions& options, const Sink& sink);

// Appends the spelling of a word, rank >= 1.
void SpellWord(uint64_t rank, std::string* out);

// Draws ranks 1 .. count by Zipf's law.
class ZipfRanks {
 public:
  ZipfRanks(double exponent, uint64_t count);
  uint64_t Draw(Random& random) const;

 private:
  // The integral of x^-s, and its inverse.
  double Integral(double x) const;
  double InverseIntegral(double y) const;

  const double exponent_;
  const double count_;
  const double low_, high_;  // of the integral over [1/2, count + 1/2], trimmed
  const double always_;      // how near to the rank a draw is always accepted
};

}  // namespace skep

#endif  // SKEP_TOOLS_GEN_WORDS_H_
