#include "jobs/order_key.h"

#include <cmath>

namespace skep {

Number NumberOf(OrderKey key) {
  using order_key_internal::kResidualBits;
  using order_key_internal::kZero;
  const auto offset = static_cast<__int128>(key) - static_cast<__int128>(kZero);
  // To the nearest multiple: residuals are far smaller than half of one.
  const __int128 rounded = (offset + (1 << (kResidualBits - 1))) >> kResidualBits;
  const auto residual = static_cast<int64_t>(offset - rounded * (1 << kResidualBits));
  const bool negative = rounded < 0;
  const auto magnitude = static_cast<uint64_t>(negative ? -rounded : rounded);
  const double nearest =
      std::bit_cast<double>(magnitude | static_cast<uint64_t>(negative) << 63);
  if (nearest < -0x1p63 || nearest > 0x1p64 || std::trunc(nearest) != nearest) {
    return Number::Real(nearest);
  }
  const __int128 integer = static_cast<__int128>(nearest) + residual;
  if (integer > UINT64_MAX) return Number::Real(nearest);  // 2^64
  return Number::Integer(integer);
}

void PutOrderKey(std::string* out, OrderKey key) {
  char buffer[16];
  StoreBig64(static_cast<uint64_t>(key >> 64), buffer);
  StoreBig64(static_cast<uint64_t>(key), buffer + 8);
  out->append(buffer + 16 - kOrderKeyBytes, kOrderKeyBytes);
}

bool GetOrderKey(std::string_view* in, OrderKey* key) {
  if (in->size() < kOrderKeyBytes) return false;
  *key = 0;
  for (int i = 0; i < kOrderKeyBytes; ++i) {
    *key = *key << 8 | static_cast<uint8_t>((*in)[i]);
  }
  in->remove_prefix(kOrderKeyBytes);
  return true;
}

int TrailingZeros(OrderKey key) {
  const auto low = static_cast<uint64_t>(key);
  if (low != 0) return std::countr_zero(low);
  const auto high = static_cast<uint64_t>(key >> 64);
  return high == 0 ? kOrderKeyBits : 64 + std::countr_zero(high);
}

}  // namespace skep
