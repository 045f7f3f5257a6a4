// The double nearest to a decimal number of up to 19 digits (D. Lemire, Number parsing
// at a gigabyte per second, 2021; the idea is M. Eisel's): the digits times a power of
// five kept to 128 bits tell the nearest double in nearly all cases, and say so when
// they do not.

#ifndef SKEP_JOBS_KERNELS_DECIMAL_H_
#define SKEP_JOBS_KERNELS_DECIMAL_H_

#include <array>
#include <bit>
#include <cstdint>

namespace skep {

// 5^q = (high * 2^64 + low + rest) * 2^x with the highest bit of `high` set and 0 <=
// rest < 1; rest is 0 for the exact ones, 0 <= q <= 55.
struct PowerOfFive {
  uint64_t high = 0;
  uint64_t low = 0;
};

class Decimals {
 public:
  static constexpr int kLowestPower = -342;
  static constexpr int kHighestPower = 308;

  // Made once, then shared.
  static const Decimals& Get();

  const PowerOfFive& Power(int q) const { return powers_[q - kLowestPower]; }

  // Sets *value to the double nearest to digits * 10^q, ties to even. False, rarely, if
  // this is not certain here, or if it is no normal double (or zero).
  bool Nearest(uint64_t digits, int q, double* value) const;

 private:
  Decimals();

  std::array<PowerOfFive, kHighestPower - kLowestPower + 1> powers_;
};

inline bool Decimals::Nearest(uint64_t digits, int q, double* value) const {
  if (digits == 0) {
    *value = 0;
    return true;
  }
  if (q < kLowestPower || q > kHighestPower) return false;
  // The product of both to 192 bits, of which the first 64 nearly always do.
  const int zeros = std::countl_zero(digits);
  const uint64_t normal = digits << zeros;
  const PowerOfFive& power = Power(q);
  const auto product = static_cast<unsigned __int128>(normal) * power.high;
  auto top = static_cast<uint64_t>(product >> 64);
  auto middle = static_cast<uint64_t>(product);
  int shift = 10 + static_cast<int>(top >> 63);  // bits below the 53 that are kept
  uint64_t half = uint64_t{1} << (shift - 1);
  uint64_t rest = top & (2 * half - 1);
  bool tie = false;
  if (rest == half - 1 || rest == half) {
    const auto low = static_cast<unsigned __int128>(normal) * power.low;
    const uint64_t bottom = static_cast<uint64_t>(low);
    middle += static_cast<uint64_t>(low >> 64);
    top += middle < static_cast<uint64_t>(low >> 64);
    shift = 10 + static_cast<int>(top >> 63);
    half = uint64_t{1} << (shift - 1);
    rest = top & (2 * half - 1);
    const bool exact = q >= 0 && q <= 55;
    // The true product is larger by less than one unit of `middle`.
    if (!exact && rest == half - 1 && middle == UINT64_MAX) return false;
    tie = exact && rest == half && middle == 0 && bottom == 0;
  }
  uint64_t mantissa = top >> shift;
  mantissa += tie ? mantissa & 1 : rest >= half;
  // floor(log2(10^q)), by a fraction that is close enough for all q of the table.
  const int magnitude = (217706 * q) >> 16;
  const int exponent = 52 + shift + magnitude - zeros + 1023 + 1;
  // Rounding up to 2^53 moves into the exponent by itself.
  const uint64_t bits =
      (static_cast<uint64_t>(exponent) << 52) + mantissa - (uint64_t{1} << 52);
  *value = std::bit_cast<double>(bits);
  return exponent >= 1 && exponent <= 2046 && bits >> 52 != 2047;
}

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_DECIMAL_H_
