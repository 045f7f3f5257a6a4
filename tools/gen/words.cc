#include "tools/gen/words.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"

namespace skep {
namespace {

constexpr std::string_view kConsonants = "bcdfghjklmnpqrstvwz";  // x only lengthens
constexpr std::string_view kVowels = "aeiou";
constexpr uint64_t kPairs = kConsonants.size() * kVowels.size();
constexpr uint64_t kMaxLengthening = 5;
constexpr size_t kMaxWord = 20;
constexpr size_t kLineLetters = 60;

// A random-looking number below 2^32 for each rank (the multiplier is 2^64 / phi).
uint64_t Mix(uint64_t rank) { return (rank * 0x9e3779b97f4a7c15) >> 32; }

// log(1 + x) / x and (exp(x) - 1) / x, also near zero.
double LogRatio(double x) {
  return std::abs(x) > 1e-8 ? std::log1p(x) / x : 1 - x / 2 + x * x / 3;
}
double ExpRatio(double x) {
  return std::abs(x) > 1e-8 ? std::expm1(x) / x : 1 + x / 2 + x * x / 6;
}

}  // namespace

ZipfRanks::ZipfRanks(double exponent, uint64_t count)
    : exponent_(exponent),
      count_(static_cast<double>(count)),
      low_(Integral(1.5) - 1),
      high_(Integral(count_ + 0.5)),
      always_(2 - InverseIntegral(Integral(2.5) - std::pow(2, -exponent))) {}

double ZipfRanks::Integral(double x) const {
  const double log_x = std::log(x);
  return ExpRatio((1 - exponent_) * log_x) * log_x;
}

double ZipfRanks::InverseIntegral(double y) const {
  // Rounding must not reach below -1, where the logarithm ends.
  const double t = std::max(-1.0, y * (1 - exponent_));
  return std::exp(LogRatio(t) * y);
}

uint64_t ZipfRanks::Draw(Random& random) const {
  while (true) {
    const double y = high_ + random.Unit() * (low_ - high_);
    const double x = InverseIntegral(y);
    const double rank = std::clamp(std::floor(x + 0.5), 1.0, count_);
    if (rank - x <= always_ || y >= Integral(rank + 0.5) - std::pow(rank, -exponent_)) {
      return static_cast<uint64_t>(rank);
    }
  }
}

void SpellWord(uint64_t rank, std::string* out) {
  uint64_t lengthening = Mix(rank) % (kMaxLengthening + 1);
  for (; lengthening > 0; --lengthening) {
    *out += 'x';
    *out += kVowels[Mix(rank + lengthening) % kVowels.size()];
  }
  // Digits 1 to 95 instead of 0 to 94: every number has one spelling of its own.
  for (uint64_t rest = rank; rest > 0; rest /= kPairs) {
    --rest;
    const uint64_t digit = rest % kPairs;
    *out += kConsonants[digit % kConsonants.size()];
    *out += kVowels[digit / kConsonants.size()];
  }
}

absl::Status GenerateWords(const WordsOptions& options, const Sink& sink) {
  if (!(options.exponent > 0 && options.exponent <= 10)) {
    return InvalidArgument("the exponent ", options.exponent,
                           " of Zipf's law must be above 0 and at most 10");
  }
  if (options.vocabulary < 1 || options.vocabulary > uint64_t{1} << 32) {
    return InvalidArgument("a vocabulary of ", options.vocabulary,
                           " words: give 1 to 4294967296");
  }
  Random random(options.seed);
  const ZipfRanks zipf(options.exponent, options.vocabulary);
  const bool by_zipf = options.distribution == WordsOptions::Distribution::kZipf;
  std::string buffer;
  uint64_t written = 0;
  size_t line = 0;  // where it begins in the buffer
  while (written + buffer.size() + kMaxWord + 1 <= options.bytes) {
    SpellWord(by_zipf ? zipf.Draw(random) : 1 + random.Below(options.vocabulary),
              &buffer);
    if (buffer.size() - line < kLineLetters) {
      buffer += ' ';
      continue;
    }
    buffer += '\n';
    line = buffer.size();
    if (line < kSinkBytes) continue;
    SKEP_RETURN_IF_ERROR(sink(buffer));
    written += line;
    buffer.clear();
    line = 0;
  }
  if (!buffer.empty()) buffer.back() = '\n';
  return sink(buffer);
}

}  // namespace skep
