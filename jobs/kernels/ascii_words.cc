#include "jobs/kernels/ascii_words.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>

namespace skep {
namespace {

// What a byte is to the rules; the bits of kClasses.
enum : uint8_t {
  kLetter = 1,
  kDigit = 2,
  kUnderscore = 4,
  kMidBoth = 8,
  kMidDigit = 16
};
constexpr uint8_t kInWord = kLetter | kDigit | kUnderscore;

constexpr std::array<uint8_t, 256> kClasses = [] {
  std::array<uint8_t, 256> classes = {};
  for (int c = '@'; c <= 'Z'; ++c) classes[c] = kLetter;
  for (int c = 'a'; c <= 'z'; ++c) classes[c] = kLetter;
  for (int c = '0'; c <= '9'; ++c) classes[c] = kDigit;
  classes['_'] = kUnderscore;
  classes['.'] = classes['\''] = kMidBoth;
  classes[','] = classes[';'] = kMidDigit;
  return classes;
}();

uint8_t ClassOf(char c) { return kClasses[static_cast<uint8_t>(c)]; }

// Of 64 bytes, the places of each class.
struct Places {
  uint64_t letters, digits, underscores, mid_both, mid_digits;
};

// The bytes of words among them, given the classes of the bytes before and behind.
inline uint64_t Join(const Places& p, uint8_t before, uint8_t behind) {
  const auto with_neighbours = [](uint64_t places, bool first, bool last) {
    return (places << 1 | static_cast<uint64_t>(first)) &
           (places >> 1 | static_cast<uint64_t>(last) << 63);
  };
  const uint64_t between_letters =
      with_neighbours(p.letters, before & kLetter, behind & kLetter);
  const uint64_t between_digits =
      with_neighbours(p.digits, before & kDigit, behind & kDigit);
  const uint64_t in_word = p.letters | p.digits | p.underscores;
  const uint64_t beside_word =
      (in_word << 1 | static_cast<uint64_t>((before & kInWord) != 0)) |
      (in_word >> 1 | static_cast<uint64_t>((behind & kInWord) != 0) << 63);
  return p.letters | p.digits | (p.underscores & beside_word) |
         (p.mid_both & (between_letters | between_digits)) |
         (p.mid_digits & between_digits);
}

Places FindPlaces(const char* text, size_t size) {
  Places places = {};
  for (size_t j = 0; j < size; ++j) {
    const uint64_t of = ClassOf(text[j]);
    places.letters |= (of & 1) << j;
    places.digits |= (of >> 1 & 1) << j;
    places.underscores |= (of >> 2 & 1) << j;
    places.mid_both |= (of >> 3 & 1) << j;
    places.mid_digits |= (of >> 4) << j;
  }
  return places;
}

__attribute__((target("avx2"))) inline Places FindPlacesAvx2(const char* text) {
  Places places = {};
  for (const int half : {0, 32}) {
    const __m256i bytes =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + half));
    const auto mask = [half](__m256i which) __attribute__((target("avx2"))) {
      return static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(which)))
             << half;
    };
    const auto equal = [&](char c) __attribute__((target("avx2"))) {
      return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(c));
    };
    // first <= c <= first + more, unsigned.
    const auto among = [&](char first, char more) __attribute__((target("avx2"))) {
      const __m256i from = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first));
      return _mm256_cmpeq_epi8(_mm256_min_epu8(from, _mm256_set1_epi8(more)), from);
    };
    places.letters |= mask(_mm256_or_si256(among('@', 'Z' - '@'), among('a', 25)));
    places.digits |= mask(among('0', 9));
    places.underscores |= mask(equal('_'));
    places.mid_both |= mask(_mm256_or_si256(equal('.'), equal('\'')));
    places.mid_digits |= mask(_mm256_or_si256(equal(','), equal(';')));
  }
  return places;
}

// What lies beyond the end reads as zero, which has no class.
__attribute__((target("avx512f,avx512bw"))) inline Places FindPlacesAvx512(
    const char* text, size_t size) {
  const __mmask64 loaded = size >= 64 ? ~uint64_t{0} : (uint64_t{1} << size) - 1;
  const __m512i bytes = _mm512_maskz_loadu_epi8(loaded, text);
  const auto equal = [&](char c) __attribute__((target("avx512f,avx512bw"))) {
    return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(c));
  };
  const auto among = [&](char first, char more)
      __attribute__((target("avx512f,avx512bw"))) {
    return _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8(first)),
                                  _mm512_set1_epi8(more));
  };
  return {.letters = among('@', 'Z' - '@') | among('a', 25),
          .digits = among('0', 9),
          .underscores = equal('_'),
          .mid_both = equal('.') | equal('\''),
          .mid_digits = equal(',') | equal(';')};
}

// The classes of the bytes around 64.
struct Around {
  uint8_t before, behind;
};
Around LookAround(std::string_view text, size_t at) {
  return {at == 0 ? uint8_t{0} : ClassOf(text[at - 1]),
          text.size() - at <= 64 ? uint8_t{0} : ClassOf(text[at + 64])};
}

void FindScalar(std::string_view text, size_t start, size_t end, uint64_t* masks) {
  for (size_t at = start; at < end; at += 64) {
    const Places places = FindPlaces(text.data() + at, std::min<size_t>(64, end - at));
    const Around around = LookAround(text, at);
    *masks++ = Join(places, around.before, around.behind);
  }
}

__attribute__((target("avx2"))) void FindAvx2(std::string_view text, size_t start,
                                              size_t end, uint64_t* masks) {
  for (; start + 64 <= end; start += 64) {
    const Around around = LookAround(text, start);
    *masks++ = Join(FindPlacesAvx2(text.data() + start), around.before, around.behind);
  }
  FindScalar(text, start, end, masks);
}

__attribute__((target("avx512f,avx512bw"))) void FindAvx512(std::string_view text,
                                                            size_t start, size_t end,
                                                            uint64_t* masks) {
  for (size_t at = start; at < end; at += 64) {
    const Around around = LookAround(text, at);
    *masks++ = Join(FindPlacesAvx512(text.data() + at, end - at), around.before,
                    around.behind);
  }
}

size_t FindNonAsciiScalar(std::string_view text, size_t from) {
  while (from < text.size() && static_cast<int8_t>(text[from]) >= 0) ++from;
  return from;
}

__attribute__((target("avx2"))) size_t FindNonAsciiAvx2(std::string_view text,
                                                        size_t from) {
  for (; from + 32 <= text.size(); from += 32) {
    const auto high = static_cast<uint32_t>(_mm256_movemask_epi8(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + from))));
    if (high != 0) return from + static_cast<size_t>(std::countr_zero(high));
  }
  return FindNonAsciiScalar(text, from);
}

}  // namespace

void FindAsciiWordBytes(std::string_view text, size_t start, std::string_view part,
                        uint64_t* masks, CpuPath path) {
  const size_t end = start + part.size();
  switch (path) {
    case CpuPath::kScalar:
      return FindScalar(text, start, end, masks);
    case CpuPath::kAvx2:
      return FindAvx2(text, start, end, masks);
    case CpuPath::kAvx512:
      return FindAvx512(text, start, end, masks);
  }
}

size_t FindNonAscii(std::string_view text, size_t from, CpuPath path) {
  return path == CpuPath::kScalar ? FindNonAsciiScalar(text, from)
                                  : FindNonAsciiAvx2(text, from);
}

}  // namespace skep
