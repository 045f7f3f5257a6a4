// Unsigned integers of any size, as far as exact statistics need them: sums, products,
// division by single words, and correct rounding to double. Made for a handful of
// operations at the end of a computation, not for speed.

#ifndef SKEP_JOBS_KERNELS_WIDE_UINT_H_
#define SKEP_JOBS_KERNELS_WIDE_UINT_H_

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace skep {

class WideUint {
 public:
  WideUint() = default;  // 0
  // Words from the lowest up.
  explicit WideUint(std::vector<uint64_t> words);
  explicit WideUint(unsigned __int128 value);

  bool IsZero() const { return words_.empty(); }
  // 0 for 0, else the place of the highest one bit, counted from 1.
  int BitLength() const;
  bool Bit(int place) const;
  // Whether a bit below `place` is set.
  bool AnyBitBelow(int place) const;
  // From the lowest up, without leading zeros.
  const std::vector<uint64_t>& words() const { return words_; }

  std::strong_ordering operator<=>(const WideUint& other) const;
  bool operator==(const WideUint& other) const = default;

  WideUint operator+(const WideUint& other) const;
  // Requires other <= *this.
  WideUint operator-(const WideUint& other) const;
  WideUint operator*(const WideUint& other) const;
  WideUint operator<<(int bits) const;
  WideUint operator>>(int bits) const;

  // Divides in place, rounding down; returns the remainder. divisor > 0.
  uint64_t DivideBy(uint64_t divisor);

 private:
  void Trim();

  std::vector<uint64_t> words_;  // the lowest first; the last is not 0
};

// numerator * 2^exponent / (the product of the divisors), rounded once, to the nearest
// double and ties to even, subnormals and overflow to infinity included. Divisors > 0.
double RoundedQuotient(const WideUint& numerator,
                       std::initializer_list<uint64_t> divisors, int exponent);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_WIDE_UINT_H_
