// Numbers as integers of 80 bits in the same order, integers and doubles together, none
// of them rounded.
//
// An integer of 64 bits is the nearest double plus a residual of at most 1024; rounding
// keeps the order, so (nearest double, residual) compares as the number does. The
// double's sign and magnitude become a signed integer, its 16 lower bits make room for
// the residual. Numbers with few significant bits have keys that end in zeros.

#ifndef SKEP_JOBS_ORDER_KEY_H_
#define SKEP_JOBS_ORDER_KEY_H_

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "jobs/kernels/number.h"

namespace skep {

using OrderKey = unsigned __int128;

inline constexpr int kOrderKeyBits = 80;
inline constexpr int kOrderKeyBytes = 10;

namespace order_key_internal {

inline constexpr int kResidualBits = 16;
// Of 0. Keys stay above 0 and below twice this.
inline constexpr OrderKey kZero = OrderKey{1} << (kOrderKeyBits - 1);

inline OrderKey FromParts(double nearest, int64_t residual) {
  const uint64_t bits = std::bit_cast<uint64_t>(nearest);
  const auto magnitude = static_cast<__int128>(bits & ~(uint64_t{1} << 63));
  const __int128 rounded = bits >> 63 ? -magnitude : magnitude;
  return kZero + static_cast<OrderKey>(rounded * (1 << kResidualBits) + residual);
}

}  // namespace order_key_internal

// -0.0 has the key of 0. Not for NaN.
inline OrderKey OrderKeyOf(double value) {
  return order_key_internal::FromParts(value, 0);
}
inline OrderKey OrderKeyOf(int64_t value) {
  const auto nearest = static_cast<double>(value);
  const __int128 residual =
      static_cast<__int128>(value) - static_cast<__int128>(nearest);
  return order_key_internal::FromParts(nearest, static_cast<int64_t>(residual));
}
inline OrderKey OrderKeyOf(uint64_t value) {
  const auto nearest = static_cast<double>(value);
  const __int128 residual =
      static_cast<__int128>(value) - static_cast<__int128>(nearest);
  return order_key_internal::FromParts(nearest, static_cast<int64_t>(residual));
}
inline OrderKey OrderKeyOf(const Number& number) {
  if (!number.is_integer) return OrderKeyOf(number.real);
  return number.integer > INT64_MAX ? OrderKeyOf(static_cast<uint64_t>(number.integer))
                                    : OrderKeyOf(static_cast<int64_t>(number.integer));
}

// The number of that key, as an integer if it is one that fits.
Number NumberOf(OrderKey key);

// 10 bytes that compare as the keys do.
void PutOrderKey(std::string* out, OrderKey key);
bool GetOrderKey(std::string_view* in, OrderKey* key);

// Zeros at the end of the key; kOrderKeyBits for 0.
int TrailingZeros(OrderKey key);

}  // namespace skep

#endif  // SKEP_JOBS_ORDER_KEY_H_
