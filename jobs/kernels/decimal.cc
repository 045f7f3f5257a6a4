#include "jobs/kernels/decimal.h"

#include "jobs/kernels/wide_uint.h"

namespace skep {
namespace {

// The highest 128 bits, rounded down.
PowerOfFive Leading(const WideUint& value) {
  const int bits = value.BitLength();
  const WideUint top = bits > 128 ? value >> (bits - 128) : value << (128 - bits);
  return {top.words()[1], top.words()[0]};
}

}  // namespace

const Decimals& Decimals::Get() {
  static const Decimals decimals;
  return decimals;
}

Decimals::Decimals() {
  WideUint power(static_cast<unsigned __int128>(1));
  const WideUint five(static_cast<unsigned __int128>(5));
  for (int q = 0; q <= kHighestPower; ++q) {
    powers_[q - kLowestPower] = Leading(power);
    power = power * five;
  }
  // 2^k / 5^n rounded down, by dividing again and again: rounding down each time gives
  // the same. Over 128 bits are left of it at the end.
  WideUint reciprocal = WideUint(static_cast<unsigned __int128>(1)) << 1000;
  for (int q = -1; q >= kLowestPower; --q) {
    reciprocal.DivideBy(5);
    powers_[q - kLowestPower] = Leading(reciprocal);
  }
}

}  // namespace skep
