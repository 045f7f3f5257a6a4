#include "base/checksum.h"

#include <immintrin.h>
#include <zlib.h>

#include <array>
#include <cstring>

namespace skep {
namespace {

constexpr uint32_t kPrime = 65521;

uint32_t Adler32Scalar(uint32_t adler, std::string_view bytes) {
  return static_cast<uint32_t>(adler32_z(
      adler, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

// Sum of the eight 32-bit lanes.
__attribute__((target("avx2"))) uint32_t SumLanes(__m256i v) {
  __m128i sum =
      _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(sum));
}

// 0 for bytes in front of the last n, at offset n.
alignas(64) constexpr std::array<uint8_t, 64> kLastBytes = [] {
  std::array<uint8_t, 64> mask = {};
  for (size_t i = 32; i < mask.size(); ++i) mask[i] = 0xff;
  return mask;
}();

__attribute__((target("avx2"))) __m256i Load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

// 32 to 64 bytes, what most small frames have: the first 32, and of the last 32 those
// behind them. Byte i of n counts n - i times: for the first ones that is the weight in
// the register and n - 32.
__attribute__((target("avx2"))) uint32_t Adler32Short(uint32_t adler,
                                                      std::string_view bytes) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i ones = _mm256_set1_epi16(1);
  const __m256i weights =
      _mm256_setr_epi8(32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
                       16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1);
  const size_t behind = bytes.size() - 32;
  const __m256i first = Load(bytes.data());
  const __m256i last =
      _mm256_and_si256(Load(bytes.data() + behind), Load(kLastBytes.data() + behind));
  const __m256i first_sum = _mm256_sad_epu8(first, zero);
  const __m256i last_sum = _mm256_sad_epu8(last, zero);
  const __m256i weighted = _mm256_add_epi32(
      _mm256_mul_epu32(first_sum, _mm256_set1_epi64x(static_cast<int64_t>(behind))),
      _mm256_add_epi32(_mm256_madd_epi16(_mm256_maddubs_epi16(first, weights), ones),
                       _mm256_madd_epi16(_mm256_maddubs_epi16(last, weights), ones)));
  const uint32_t a = adler & 0xffff;
  const uint32_t b =
      (adler >> 16) + a * static_cast<uint32_t>(bytes.size()) + SumLanes(weighted);
  return b % kPrime << 16 |
         (a + SumLanes(_mm256_add_epi32(first_sum, last_sum))) % kPrime;
}

// 64 bytes a step. With x the bytes of a step, a' = a + sum(x_i) and
// b' = b + 64 a + sum((64 - i) x_i). `before` adds up the value that the byte sums had
// at the start of each step, so that the 64 is multiplied in once a chunk.
__attribute__((target("avx2"))) uint32_t Adler32Avx2(uint32_t adler,
                                                     std::string_view bytes) {
  // A chunk's sums stay below 2^32: zlib's bound, the largest n with
  // 255 n (n + 1) / 2 + (n + 1) 65520 < 2^32, is 5552; this is the multiple of 64
  // below.
  constexpr size_t kChunk = 5504;
  const __m256i zero = _mm256_setzero_si256();
  const __m256i ones = _mm256_set1_epi16(1);
  // Weights 64..33 and 32..1; 255 * (64 + 63) still fits 16 signed bits.
  const __m256i low_weights =
      _mm256_setr_epi8(32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
                       16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1);
  const __m256i high_weights = _mm256_add_epi8(low_weights, _mm256_set1_epi8(32));
  if (bytes.size() >= 32 && bytes.size() <= 64) return Adler32Short(adler, bytes);
  uint32_t a = adler & 0xffff;
  uint32_t b = adler >> 16;
  const char* in = bytes.data();
  size_t left = bytes.size();
  // What is left in the end goes behind zeros, which add nothing: the weights count
  // from a step's end.
  char last[64];
  while (left > 0) {
    size_t steps = (left < kChunk ? left : kChunk) / 64;
    size_t size = steps * 64;
    if (steps == 0) {
      std::memset(last, 0, sizeof last);
      std::memcpy(last + sizeof last - left, in, left);
      in = last;
      steps = 1;
      size = left;
    }
    __m256i sum = zero;
    __m256i before = zero;
    __m256i weighted = zero;
    for (size_t i = 0; i < steps; ++i, in += 64) {
      const __m256i x0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in));
      const __m256i x1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + 32));
      before = _mm256_add_epi32(before, sum);
      sum = _mm256_add_epi32(
          sum, _mm256_add_epi32(_mm256_sad_epu8(x0, zero), _mm256_sad_epu8(x1, zero)));
      const __m256i w0 =
          _mm256_madd_epi16(_mm256_maddubs_epi16(x0, high_weights), ones);
      const __m256i w1 = _mm256_madd_epi16(_mm256_maddubs_epi16(x1, low_weights), ones);
      weighted = _mm256_add_epi32(weighted, _mm256_add_epi32(w0, w1));
    }
    b += a * static_cast<uint32_t>(size) + 64 * SumLanes(before) + SumLanes(weighted);
    a += SumLanes(sum);
    a %= kPrime;
    b %= kPrime;
    left -= size;
  }
  return b << 16 | a;
}

}  // namespace

std::vector<Adler32Function> Adler32Functions() {
  __builtin_cpu_init();
  std::vector<Adler32Function> functions = {Adler32Scalar};
  if (__builtin_cpu_supports("avx2")) functions.push_back(Adler32Avx2);
  return functions;
}

uint32_t Adler32(uint32_t adler, std::string_view bytes) {
  static const Adler32Function function = Adler32Functions().back();
  return function(adler, bytes);
}

uint32_t PatchAdler32(uint32_t adler, size_t total, size_t offset,
                      std::string_view before, std::string_view after) {
  constexpr int64_t kSignedPrime = kPrime;
  int64_t a = adler & 0xffff;
  int64_t b = adler >> 16;
  for (size_t i = 0; i < before.size(); ++i) {
    const int64_t delta = static_cast<int64_t>(static_cast<uint8_t>(after[i])) -
                          static_cast<int64_t>(static_cast<uint8_t>(before[i]));
    const int64_t weight = static_cast<int64_t>((total - offset - i) % kPrime);
    a += delta;
    b += weight * delta % kSignedPrime;
  }
  a = ((a % kSignedPrime) + kSignedPrime) % kSignedPrime;
  b = ((b % kSignedPrime) + kSignedPrime) % kSignedPrime;
  return static_cast<uint32_t>(b << 16 | a);
}

}  // namespace skep
