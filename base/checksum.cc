#include "base/checksum.h"

#include <immintrin.h>
#include <zlib.h>

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

// Of the sixteen; with masks, since g++ 12 warns of its own header without.
__attribute__((target("avx512f,avx512bw"))) uint32_t SumLanes512(__m512i v) {
  return SumLanes(_mm256_add_epi32(_mm512_maskz_extracti64x4_epi64(0xf, v, 0),
                                   _mm512_maskz_extracti64x4_epi64(0xf, v, 1)));
}

// The same with registers of 64 bytes. What is left in the end is read with a mask, as
// a step whose other bytes are 0: each of those added a' to b', which is taken off.
__attribute__((target("avx512f,avx512bw"))) uint32_t Adler32Avx512(
    uint32_t adler, std::string_view bytes) {
  // Steps, and room for one more, below the bound above.
  constexpr size_t kChunk = 5440;
  const __m512i zero = _mm512_setzero_si512();
  const __m512i ones = _mm512_set1_epi16(1);
  const __m512i weights =
      _mm512_set_epi8(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                      20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
                      36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
                      52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64);
  uint64_t a = adler & 0xffff;
  uint64_t b = adler >> 16;
  const char* in = bytes.data();
  size_t left = bytes.size();
  while (left > 0) {
    const size_t steps = (left < kChunk ? left : kChunk) / 64;
    const size_t whole = steps * 64;
    const size_t tail = left - whole < 64 ? left - whole : 0;
    __m512i sum = zero;
    __m512i before = zero;
    __m512i weighted = zero;
    const auto step = [&](__m512i x) __attribute__((target("avx512f,avx512bw"))) {
      before = _mm512_add_epi64(before, sum);
      sum = _mm512_add_epi64(sum, _mm512_sad_epu8(x, zero));
      weighted = _mm512_add_epi32(
          weighted, _mm512_madd_epi16(_mm512_maddubs_epi16(x, weights), ones));
    };
    for (size_t i = 0; i < steps; ++i, in += 64) step(_mm512_loadu_si512(in));
    size_t zeros = 0;
    if (tail != 0) {
      zeros = 64 - tail;
      step(_mm512_maskz_loadu_epi8(~uint64_t{0} >> zeros, in));
    }
    b += a * (whole + tail + zeros) + 64 * uint64_t{SumLanes512(before)} +
         SumLanes512(weighted);
    a += SumLanes512(sum);
    b -= zeros * a;
    a %= kPrime;
    b %= kPrime;
    left -= whole + tail;
  }
  return static_cast<uint32_t>(b << 16 | a);
}

}  // namespace

std::vector<Adler32Function> Adler32Functions() {
  __builtin_cpu_init();
  std::vector<Adler32Function> functions = {Adler32Scalar};
  if (__builtin_cpu_supports("avx2")) functions.push_back(Adler32Avx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
    functions.push_back(Adler32Avx512);
  }
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
