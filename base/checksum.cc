#include "base/checksum.h"

#include <zlib.h>

namespace skep {

uint32_t Adler32(uint32_t adler, std::string_view bytes) {
  return static_cast<uint32_t>(adler32_z(
      adler, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

uint32_t PatchAdler32(uint32_t adler, size_t total, size_t offset,
                      std::string_view before, std::string_view after) {
  constexpr int64_t kPrime = 65521;
  int64_t a = adler & 0xffff;
  int64_t b = adler >> 16;
  for (size_t i = 0; i < before.size(); ++i) {
    const int64_t delta = static_cast<int64_t>(static_cast<uint8_t>(after[i])) -
                          static_cast<int64_t>(static_cast<uint8_t>(before[i]));
    const int64_t weight = static_cast<int64_t>((total - offset - i) % kPrime);
    a += delta;
    b += weight * delta % kPrime;
  }
  a = ((a % kPrime) + kPrime) % kPrime;
  b = ((b % kPrime) + kPrime) % kPrime;
  return static_cast<uint32_t>(b << 16 | a);
}

}  // namespace skep
