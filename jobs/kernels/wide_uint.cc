#include "jobs/kernels/wide_uint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <utility>

namespace skep {

WideUint::WideUint(std::vector<uint64_t> words) : words_(std::move(words)) { Trim(); }

WideUint::WideUint(unsigned __int128 value)
    : words_({static_cast<uint64_t>(value), static_cast<uint64_t>(value >> 64)}) {
  Trim();
}

void WideUint::Trim() {
  while (!words_.empty() && words_.back() == 0) words_.pop_back();
}

int WideUint::BitLength() const {
  if (words_.empty()) return 0;
  return static_cast<int>(64 * words_.size()) - std::countl_zero(words_.back());
}

bool WideUint::Bit(int place) const {
  const size_t word = place / 64;
  return word < words_.size() && (words_[word] >> (place % 64) & 1) != 0;
}

bool WideUint::AnyBitBelow(int place) const {
  for (size_t i = 0; i < words_.size(); ++i) {
    const int bits = place - static_cast<int>(64 * i);
    if (bits <= 0) return false;
    const uint64_t word = bits >= 64 ? words_[i] : words_[i] << (64 - bits);
    if (word != 0) return true;
  }
  return false;
}

std::strong_ordering WideUint::operator<=>(const WideUint& other) const {
  if (words_.size() != other.words_.size())
    return words_.size() <=> other.words_.size();
  return std::lexicographical_compare_three_way(
      words_.rbegin(), words_.rend(), other.words_.rbegin(), other.words_.rend());
}

WideUint WideUint::operator+(const WideUint& other) const {
  const auto word = [](const WideUint& a, size_t i) {
    return i < a.words_.size() ? a.words_[i] : 0;
  };
  std::vector<uint64_t> sum(std::max(words_.size(), other.words_.size()) + 1);
  unsigned __int128 carry = 0;
  for (size_t i = 0; i < sum.size(); ++i) {
    carry += static_cast<unsigned __int128>(word(*this, i)) + word(other, i);
    sum[i] = static_cast<uint64_t>(carry);
    carry >>= 64;
  }
  return WideUint(std::move(sum));
}

WideUint WideUint::operator-(const WideUint& other) const {
  std::vector<uint64_t> difference = words_;
  uint64_t borrow = 0;
  for (size_t i = 0; i < difference.size(); ++i) {
    const uint64_t subtrahend = i < other.words_.size() ? other.words_[i] : 0;
    const unsigned __int128 word =
        static_cast<unsigned __int128>(difference[i]) - subtrahend - borrow;
    difference[i] = static_cast<uint64_t>(word);
    borrow = static_cast<uint64_t>(word >> 64) & 1;
  }
  return WideUint(std::move(difference));
}

WideUint WideUint::operator*(const WideUint& other) const {
  std::vector<uint64_t> product(words_.size() + other.words_.size());
  for (size_t i = 0; i < words_.size(); ++i) {
    unsigned __int128 carry = 0;
    for (size_t j = 0; j < other.words_.size(); ++j) {
      carry +=
          static_cast<unsigned __int128>(words_[i]) * other.words_[j] + product[i + j];
      product[i + j] = static_cast<uint64_t>(carry);
      carry >>= 64;
    }
    product[i + other.words_.size()] = static_cast<uint64_t>(carry);
  }
  return WideUint(std::move(product));
}

WideUint WideUint::operator<<(int bits) const {
  const size_t whole = bits / 64;
  const int rest = bits % 64;
  std::vector<uint64_t> shifted(words_.size() + whole + 1);
  for (size_t i = 0; i < words_.size(); ++i) {
    shifted[i + whole] |= words_[i] << rest;
    if (rest != 0) shifted[i + whole + 1] |= words_[i] >> (64 - rest);
  }
  return WideUint(std::move(shifted));
}

WideUint WideUint::operator>>(int bits) const {
  const size_t whole = bits / 64;
  const int rest = bits % 64;
  if (whole >= words_.size()) return WideUint();
  std::vector<uint64_t> shifted(words_.begin() + static_cast<ptrdiff_t>(whole),
                                words_.end());
  for (size_t i = 0; rest != 0 && i < shifted.size(); ++i) {
    shifted[i] >>= rest;
    if (i + 1 < shifted.size()) shifted[i] |= shifted[i + 1] << (64 - rest);
  }
  return WideUint(std::move(shifted));
}

uint64_t WideUint::DivideBy(uint64_t divisor) {
  unsigned __int128 rest = 0;
  for (size_t i = words_.size(); i-- > 0;) {
    rest = rest << 64 | words_[i];
    words_[i] = static_cast<uint64_t>(rest / divisor);
    rest %= divisor;
  }
  Trim();
  return static_cast<uint64_t>(rest);
}

double RoundedQuotient(const WideUint& numerator,
                       std::initializer_list<uint64_t> divisors, int exponent) {
  if (numerator.IsZero()) return 0;
  // Enough bits below the point that the quotient has at least 64 of them: 53 to keep,
  // one to round by; whatever is below those only matters by being there or not.
  const int guard = 64 * (static_cast<int>(divisors.size()) + 1);
  WideUint quotient = numerator << guard;
  exponent -= guard;
  bool inexact = false;
  for (const uint64_t divisor : divisors) inexact |= quotient.DivideBy(divisor) != 0;

  constexpr int kMantissaBits = 53;
  constexpr int kLowestExponent = -1074;
  const int lowest_kept =
      std::max(quotient.BitLength() + exponent - kMantissaBits, kLowestExponent);
  const int dropped = lowest_kept - exponent;
  const WideUint kept = quotient >> dropped;
  uint64_t mantissa = kept.IsZero() ? 0 : kept.words().front();
  const bool half = quotient.Bit(dropped - 1);
  const bool above_half = inexact || quotient.AnyBitBelow(dropped - 1);
  if (half && (above_half || mantissa % 2 == 1)) ++mantissa;
  return std::ldexp(static_cast<double>(mantissa), lowest_kept);
}

}  // namespace skep
