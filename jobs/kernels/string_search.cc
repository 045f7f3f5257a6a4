#include "jobs/kernels/string_search.h"

#include <immintrin.h>
#include <string.h>

#include <algorithm>
#include <bit>

namespace skep {
namespace {

constexpr size_t kNone = std::string_view::npos;

size_t FindPlain(std::string_view text, std::string_view needle) {
  const void* found = memmem(text.data(), text.size(), needle.data(), needle.size());
  return found == nullptr ? kNone : static_cast<const char*>(found) - text.data();
}

// Comparing candidates costs up to the needle's size each. A text made so that many
// fail late (aaaa... and aaab) would make the search quadratic: after wasting this many
// times the bytes scanned, memmem, which is linear, takes over.
constexpr size_t kMaxWaste = 4;
constexpr size_t kFreeWaste = 4096;

// Compares the needle's first byte with 32 places at once and its last byte with the
// same places further on; where both agree, the rest is compared (Mula, SIMD-friendly
// algorithms for substring searching). Needles of two bytes or more.
__attribute__((target("avx2,bmi"))) size_t FindAvx2(std::string_view text,
                                                    std::string_view needle) {
  const size_t size = needle.size();
  const __m256i first = _mm256_set1_epi8(needle.front());
  const __m256i last = _mm256_set1_epi8(needle.back());
  size_t waste = 0;
  size_t i = 0;
  for (; i + size - 1 + 32 <= text.size(); i += 32) {
    const char* at = text.data() + i;
    const __m256i starts = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i ends =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + size - 1));
    auto candidates = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_and_si256(
        _mm256_cmpeq_epi8(starts, first), _mm256_cmpeq_epi8(ends, last))));
    for (; candidates != 0; candidates &= candidates - 1) {
      const int place = std::countr_zero(candidates);
      if (memcmp(at + place + 1, needle.data() + 1, size - 2) == 0) return i + place;
      waste += size;
    }
    if (waste > kFreeWaste + kMaxWaste * i) {
      i += 32;
      break;
    }
  }
  if (i > text.size()) return kNone;
  const size_t found = FindPlain(text.substr(i), needle);
  return found == kNone ? kNone : i + found;
}

uint64_t CountPlain(std::string_view text) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

__attribute__((target("avx2"))) uint64_t CountAvx2(std::string_view text) {
  constexpr size_t kMaxGroups = 255;  // after so many a byte of the sums is full
  const __m256i line_end = _mm256_set1_epi8('\n');
  __m256i total = _mm256_setzero_si256();
  while (text.size() >= 32) {
    const size_t groups = std::min(text.size() / 32, kMaxGroups);
    __m256i sums = _mm256_setzero_si256();
    for (size_t i = 0; i < groups; ++i) {
      const __m256i bytes =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + 32 * i));
      sums = _mm256_sub_epi8(sums, _mm256_cmpeq_epi8(bytes, line_end));  // true is -1
    }
    total = _mm256_add_epi64(total, _mm256_sad_epu8(sums, _mm256_setzero_si256()));
    text.remove_prefix(32 * groups);
  }
  alignas(32) uint64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), total);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3] + CountPlain(text);
}

}  // namespace

size_t FindString(std::string_view text, std::string_view needle, size_t from,
                  CpuPath path) {
  if (from > text.size()) return kNone;
  const std::string_view rest = text.substr(from);
  if (needle.empty()) return from;
  size_t found;
  if (needle.size() == 1) {
    found = rest.find(needle[0]);
  } else if (path == CpuPath::kScalar) {
    found = FindPlain(rest, needle);
  } else {
    found = FindAvx2(rest, needle);
  }
  return found == kNone ? kNone : from + found;
}

uint64_t CountLineEnds(std::string_view text, CpuPath path) {
  return path == CpuPath::kScalar ? CountPlain(text) : CountAvx2(text);
}

}  // namespace skep
