// Tokens of digits, with a point or an exponent, as an integer and a power of ten: by a
// loop, and 32 bytes at a time. Private to the number parser.

#ifndef SKEP_JOBS_KERNELS_DIGITS_H_
#define SKEP_JOBS_KERNELS_DIGITS_H_

#include <immintrin.h>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace skep {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

inline constexpr size_t kMaxDigits =
    19;  // every integer of so many digits fits 64 bits

// What a token of digits says: digits * 10^power.
struct Digits {
  uint64_t digits = 0;
  int power = 0;
  bool decimal = false;  // it has a point or an exponent
};

// The exponent of a decimal, after the "e": a sign or none, one to four digits.
inline bool ParseExponent(const char* p, const char* end, int* exponent) {
  const bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) ++p;
  if (p == end || end - p > 4) return false;
  int value = 0;
  for (; p < end; ++p) {
    if (!IsDigit(*p)) return false;
    value = value * 10 + (*p - '0');
  }
  *exponent = negative ? -value : value;
  return true;
}

// An unsigned token of at most 19 digits, a point and an exponent. False for others.
inline bool ReadDigits(const char* p, const char* end, Digits* out) {
  const char* first = p;
  uint64_t digits = 0;
  for (; p < end && IsDigit(*p); ++p) digits = digits * 10 + (*p - '0');
  size_t count = p - first;
  int power = 0;
  bool decimal = false;
  if (p < end && *p == '.') {
    decimal = true;
    const char* point = p++;
    for (; p < end && IsDigit(*p); ++p) digits = digits * 10 + (*p - '0');
    power = static_cast<int>(point + 1 - p);
    count += p - point - 1;
  }
  if (count == 0 || count > kMaxDigits) return false;
  if (p < end && (*p == 'e' || *p == 'E')) {
    decimal = true;
    int exponent;
    if (!ParseExponent(p + 1, end, &exponent)) return false;
    power += exponent;
    p = end;
  }
  *out = {digits, power, decimal};
  return p == end;
}

// --- Vectors -------------------------------------------------------------------------

#define SKEP_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt")))

SKEP_AVX2 inline __m256i Load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

// A window of these 64 bytes that begins at n selects the last n of 32.
alignas(64) inline constexpr struct SelectLast {
  int8_t bytes[64];
  constexpr SelectLast() : bytes{} {
    for (int i = 32; i < 64; ++i) bytes[i] = -1;
  }
} kSelectLast;

// The number of 32 digits, as values 0 to 9, if it is below 10^19; else false.
SKEP_AVX2 inline bool Join(__m256i digits, uint64_t* value) {
  const __m256i pairs =
      _mm256_maddubs_epi16(digits, _mm256_set1_epi16(10 | 1 << 8));  // 2 digits each
  const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(100 | 1 << 16));
  const __m256i packed = _mm256_packus_epi32(fours, fours);
  const __m256i eights = _mm256_madd_epi16(packed, _mm256_set1_epi32(10000 | 1 << 16));
  const auto high = static_cast<uint64_t>(_mm256_extract_epi64(eights, 0));
  const auto low = static_cast<uint64_t>(_mm256_extract_epi64(eights, 2));
  // In each, the first eight digits are in the lower half.
  *value = (high >> 32) * 10'000'000'000'000'000 + (low & 0xffffffff) * 100'000'000 +
           (low >> 32);
  return (high & 0xffffffff) == 0 && high >> 32 < 1000;
}

// As ReadDigits, without exponents. 33 bytes before `end` must be readable.
SKEP_AVX2 inline bool ReadDigitsAvx2(const char* begin, const char* end, Digits* out) {
  const size_t size = end - begin;
  if (size == 0 || size > 31) return false;
  const __m256i zero = _mm256_set1_epi8('0');
  const __m256i digits = _mm256_and_si256(_mm256_sub_epi8(Load(end - 32), zero),
                                          Load(kSelectLast.bytes + size));
  const auto others = static_cast<uint32_t>(_mm256_movemask_epi8(
      _mm256_cmpeq_epi8(_mm256_max_epu8(digits, _mm256_set1_epi8(10)), digits)));
  if (others == 0) {
    out->power = 0;
    out->decimal = false;
    return Join(digits, &out->digits);
  }
  const int place = std::countr_zero(others);
  if ((others & (others - 1)) != 0 || end[place - 32] != '.' || size == 1) return false;
  // The digits before the point move over it: they are taken from a byte earlier.
  const __m256i index =
      _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
                       19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
  const __m256i after =
      _mm256_cmpgt_epi8(index, _mm256_set1_epi8(static_cast<char>(place)));
  const __m256i earlier = _mm256_sub_epi8(Load(end - 33), zero);
  const __m256i joined = _mm256_and_si256(_mm256_blendv_epi8(earlier, digits, after),
                                          Load(kSelectLast.bytes + size - 1));
  out->power = place - 31;
  out->decimal = true;
  return Join(joined, &out->digits);
}

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_DIGITS_H_
