#include "jobs/kernels/string_search.h"

#include <immintrin.h>
#include <string.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace skep {
namespace {

constexpr size_t kNone = std::string_view::npos;

// Comparing candidates costs up to the needle's size each. A text made so that many
// fail late (aaaa... and aaab) would make the search quadratic: after wasting this many
// times the bytes scanned, memmem, which is linear, takes over.
constexpr size_t kMaxWaste = 4;
constexpr size_t kFreeWaste = 4096;

constexpr bool IsLetter(uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

constexpr char Fold(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// How often bytes stand in texts, roughly: larger is more often.
constexpr int Frequency(uint8_t c) {
  constexpr std::string_view kByFrequency = " etaoinshrdlcumwfgypbvkjxqz";
  const size_t small = kByFrequency.find(static_cast<char>(c));
  if (small != kNone) return 200 - 4 * static_cast<int>(small);
  if (c == '\n' || c == '0' || c == '1') return 150;
  if (c >= '2' && c <= '9') return 130;
  if (IsLetter(c)) return 60 - static_cast<int>(kByFrequency.find(c | 0x20));
  if (c == ',' || c == '.' || c == '-' || c == '/' || c == '"' || c == '_') return 110;
  if (c == 0) return 120;  // binary files
  return c >= 0x80 ? 80 : 20;
}

__attribute__((target("avx2"))) __m256i Bytes256(int byte) {
  return _mm256_set1_epi8(static_cast<char>(byte));
}
__attribute__((target("avx512f,avx512bw"))) __m512i Bytes512(int byte) {
  return _mm512_set1_epi8(static_cast<char>(byte));
}

constexpr size_t kMaxGroups = 255;  // after so many a byte of the sums is full

uint64_t CountPlain(std::string_view text) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

uint64_t CountSse2(std::string_view text) {
  const __m128i line_end = _mm_set1_epi8('\n');
  __m128i total = _mm_setzero_si128();
  while (text.size() >= 16) {
    const size_t groups = std::min(text.size() / 16, kMaxGroups);
    __m128i sums = _mm_setzero_si128();
    for (size_t i = 0; i < groups; ++i) {
      const __m128i bytes =
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + 16 * i));
      sums = _mm_sub_epi8(sums, _mm_cmpeq_epi8(bytes, line_end));  // true is -1
    }
    total = _mm_add_epi64(total, _mm_sad_epu8(sums, _mm_setzero_si128()));
    text.remove_prefix(16 * groups);
  }
  const __m128i upper = _mm_unpackhi_epi64(total, total);
  return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_add_epi64(total, upper))) +
         CountPlain(text);
}

__attribute__((target("avx2"))) uint64_t CountAvx2(std::string_view text) {
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

StringFinder::StringFinder(std::string_view needle, bool fold_case, CpuPath path)
    : needle_(needle), fold_case_(fold_case), path_(path) {
  if (fold_case) std::transform(needle_.begin(), needle_.end(), needle_.begin(), Fold);
  const auto rarer = [this](size_t a, size_t b) {
    return Frequency(static_cast<uint8_t>(needle_[a])) <
           Frequency(static_cast<uint8_t>(needle_[b]));
  };
  // Near the start: what is loaded for the one is near what is loaded for the other.
  constexpr size_t kLookAt = 64;
  const size_t size = std::min(needle_.size(), kLookAt);
  if (size == 0) return;
  if (size == 1) {
    rarest_ = second_ = MakeProbe(0);
    return;
  }
  size_t rarest = 0, second = 1;
  if (rarer(1, 0)) std::swap(rarest, second);
  for (size_t i = 2; i < size; ++i) {
    if (rarer(i, rarest)) {
      second = std::exchange(rarest, i);
    } else if (rarer(i, second) && needle_[i] != needle_[rarest]) {
      second = i;
    }
  }
  rarest_ = MakeProbe(rarest);
  second_ = MakeProbe(second);
}

StringFinder::Probe StringFinder::MakeProbe(size_t at) const {
  const auto byte = static_cast<uint8_t>(needle_[at]);
  const bool both = fold_case_ && IsLetter(byte);
  return {.at = at, .byte = byte, .ignored = both ? uint8_t{0x20} : uint8_t{0}};
}

bool StringFinder::MatchesAt(const char* text) const {
  if (!fold_case_) return memcmp(text, needle_.data(), needle_.size()) == 0;
  for (size_t i = 0; i < needle_.size(); ++i) {
    if (Fold(text[i]) != needle_[i]) return false;
  }
  return true;
}

// After W. Mula, SIMD-friendly algorithms for substring searching. Four groups a turn
// while nothing is found.
size_t StringFinder::FindSse2(const char* text, size_t places, size_t* at) const {
  const auto bytes_of = [](int byte) { return _mm_set1_epi8(static_cast<char>(byte)); };
  const __m128i byte1 = bytes_of(rarest_.byte | rarest_.ignored),
                fold1 = bytes_of(rarest_.ignored);
  const __m128i byte2 = bytes_of(second_.byte | second_.ignored),
                fold2 = bytes_of(second_.ignored);
  const char* const text1 = text + rarest_.at;
  const char* const text2 = text + second_.at;
  const auto agree_at = [&](size_t i) {
    const __m128i bytes1 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text1 + i));
    const __m128i bytes2 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text2 + i));
    return _mm_and_si128(_mm_cmpeq_epi8(_mm_or_si128(bytes1, fold1), byte1),
                         _mm_cmpeq_epi8(_mm_or_si128(bytes2, fold2), byte2));
  };
  size_t waste = 0, i = 0;
  for (; i + 16 <= places; i += 16) {
    while (i + 80 <= places) {
      const __m128i any =
          _mm_or_si128(_mm_or_si128(agree_at(i), agree_at(i + 16)),
                       _mm_or_si128(agree_at(i + 32), agree_at(i + 48)));
      if (_mm_movemask_epi8(any) != 0) break;
      i += 64;
    }
    auto candidates = static_cast<uint32_t>(_mm_movemask_epi8(agree_at(i)));
    for (; candidates != 0; candidates &= candidates - 1) {
      const size_t place = i + static_cast<size_t>(std::countr_zero(candidates));
      if (MatchesAt(text + place)) return place;
      waste += needle_.size();
    }
    if (waste > kFreeWaste + kMaxWaste * i) {
      i += 16;
      break;
    }
  }
  *at = i;
  return kNone;
}

__attribute__((target("avx2,bmi"))) size_t StringFinder::FindAvx2(const char* text,
                                                                  size_t places,
                                                                  size_t* at) const {
  const __m256i byte1 = Bytes256(rarest_.byte | rarest_.ignored),
                fold1 = Bytes256(rarest_.ignored);
  const __m256i byte2 = Bytes256(second_.byte | second_.ignored),
                fold2 = Bytes256(second_.ignored);
  const char* const text1 = text + rarest_.at;
  const char* const text2 = text + second_.at;
  size_t waste = 0, i = 0;
  for (; i + 32 <= places; i += 32) {
    const __m256i bytes1 =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text1 + i));
    const __m256i bytes2 =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text2 + i));
    auto candidates = static_cast<uint32_t>(_mm256_movemask_epi8(
        _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_or_si256(bytes1, fold1), byte1),
                         _mm256_cmpeq_epi8(_mm256_or_si256(bytes2, fold2), byte2))));
    if (candidates == 0) continue;
    for (; candidates != 0; candidates &= candidates - 1) {
      const size_t place = i + std::countr_zero(candidates);
      if (MatchesAt(text + place)) return place;
      waste += needle_.size();
    }
    if (waste > kFreeWaste + kMaxWaste * i) {
      i += 32;
      break;
    }
  }
  *at = i;
  return kNone;
}

// Two groups a turn while nothing is found.
__attribute__((target("avx512f,avx512bw,bmi"))) size_t StringFinder::FindAvx512(
    const char* text, size_t places, size_t* at) const {
  const __m512i byte1 = Bytes512(rarest_.byte | rarest_.ignored),
                fold1 = Bytes512(rarest_.ignored);
  const __m512i byte2 = Bytes512(second_.byte | second_.ignored),
                fold2 = Bytes512(second_.ignored);
  const char* const text1 = text + rarest_.at;
  const char* const text2 = text + second_.at;
  const auto candidates_at = [&](size_t i)
      __attribute__((target("avx512f,avx512bw,bmi"))) {
    const __mmask64 first = _mm512_cmpeq_epi8_mask(
        _mm512_or_si512(_mm512_loadu_si512(text1 + i), fold1), byte1);
    return _mm512_mask_cmpeq_epi8_mask(
        first, _mm512_or_si512(_mm512_loadu_si512(text2 + i), fold2), byte2);
  };
  size_t waste = 0, i = 0;
  for (; i + 64 <= places; i += 64) {
    while (i + 256 <= places &&
           (candidates_at(i) | candidates_at(i + 64) | candidates_at(i + 128)) == 0) {
      i += 192;
    }
    for (uint64_t candidates = candidates_at(i); candidates != 0;
         candidates &= candidates - 1) {
      const size_t place = i + std::countr_zero(candidates);
      if (MatchesAt(text + place)) return place;
      waste += needle_.size();
    }
    if (waste > kFreeWaste + kMaxWaste * i) {
      i += 64;
      break;
    }
  }
  *at = i;
  return kNone;
}

size_t StringFinder::FindPlain(std::string_view text, size_t from) const {
  if (!fold_case_) {
    const void* found =
        memmem(text.data() + from, text.size() - from, needle_.data(), needle_.size());
    return found == nullptr ? kNone : static_cast<const char*>(found) - text.data();
  }
  if (text.size() - from < needle_.size()) return kNone;
  // A slice at a time is folded, then memmem finds in it. The first are short: what
  // stands in every line is near.
  size_t places = 64;
  std::string folded;
  for (; from + needle_.size() <= text.size();
       from += places, places = std::min<size_t>(2 * places, 4096)) {
    const std::string_view slice = text.substr(from, places + needle_.size() - 1);
    folded.resize(slice.size());
    std::transform(slice.begin(), slice.end(), folded.begin(), Fold);
    const void* found =
        memmem(folded.data(), folded.size(), needle_.data(), needle_.size());
    if (found != nullptr) {
      return from + (static_cast<const char*>(found) - folded.data());
    }
  }
  return kNone;
}

size_t StringFinder::Find(std::string_view text, size_t from) const {
  if (from > text.size() || text.size() - from < needle_.size()) return kNone;
  if (needle_.empty()) return from;
  if (needle_.size() == 1 && !fold_case_) {
    const void* found = memchr(text.data() + from, needle_[0], text.size() - from);
    return found == nullptr ? kNone : static_cast<const char*>(found) - text.data();
  }
  const char* const begin = text.data() + from;
  const size_t places = text.size() - from - needle_.size() + 1;
  size_t at = 0;
  const size_t found = path_ == CpuPath::kAvx512 ? FindAvx512(begin, places, &at)
                       : path_ == CpuPath::kAvx2 ? FindAvx2(begin, places, &at)
                                                 : FindSse2(begin, places, &at);
  return found != kNone ? from + found : FindPlain(text, from + at);
}

size_t FindString(std::string_view text, std::string_view needle, size_t from,
                  CpuPath path) {
  return StringFinder(needle, false, path).Find(text, from);
}

double ByteShare(const std::bitset<256>& bytes) {
  // A blank is a sixth of a text, and the frequencies are a logarithm.
  const auto share = [](uint8_t c) {
    return std::exp2((Frequency(c) - 200) / 14.0) / 6;
  };
  double sum = 0;
  for (size_t c = 0; c < 256; ++c) sum += bytes[c] ? share(static_cast<uint8_t>(c)) : 0;
  return std::min(sum, 1.0);
}

uint64_t CountLineEnds(std::string_view text, CpuPath path) {
  return path == CpuPath::kScalar ? CountSse2(text) : CountAvx2(text);
}

}  // namespace skep
