#include "jobs/kernels/tokenizer.h"

#include <immintrin.h>

#include <algorithm>

namespace skep {
namespace {

constexpr char FoldByte(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

uint64_t WordBytes64(const char* text, size_t size) {
  uint64_t mask = 0;
  for (size_t j = 0; j < size; ++j) {
    mask |= static_cast<uint64_t>(!IsWordSpace(text[j])) << j;
  }
  return mask;
}

void FindWordBytesScalar(std::string_view text, uint64_t* masks) {
  for (size_t i = 0; i < text.size(); i += 64) {
    *masks++ = WordBytes64(text.data() + i, std::min<size_t>(64, text.size() - i));
  }
}

void FoldScalar(std::string_view in, char* out) {
  for (size_t i = 0; i < in.size(); ++i) out[i] = FoldByte(in[i]);
}

// White space is ' ' or one of the five bytes from '\t' on: c - '\t' <= 4, unsigned.
__attribute__((target("avx2"))) uint32_t WordBytes32(const char* text) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
  const __m256i blank = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(' '));
  const __m256i from_tab = _mm256_sub_epi8(bytes, _mm256_set1_epi8('\t'));
  const __m256i control =
      _mm256_cmpeq_epi8(_mm256_min_epu8(from_tab, _mm256_set1_epi8(4)), from_tab);
  return ~static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(blank, control)));
}

__attribute__((target("avx2"))) void FindWordBytesAvx2(std::string_view text,
                                                       uint64_t* masks) {
  size_t i = 0;
  for (; i + 64 <= text.size(); i += 64) {
    const char* at = text.data() + i;
    *masks++ = WordBytes32(at) | static_cast<uint64_t>(WordBytes32(at + 32)) << 32;
  }
  if (i < text.size()) *masks = WordBytes64(text.data() + i, text.size() - i);
}

__attribute__((target("avx2"))) void FoldAvx2(std::string_view in, char* out) {
  size_t i = 0;
  for (; i + 32 <= in.size(); i += 32) {
    const __m256i bytes =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in.data() + i));
    const __m256i from_a = _mm256_sub_epi8(bytes, _mm256_set1_epi8('A'));
    const __m256i upper =
        _mm256_cmpeq_epi8(_mm256_min_epu8(from_a, _mm256_set1_epi8(25)), from_a);
    const __m256i folded =
        _mm256_add_epi8(bytes, _mm256_and_si256(upper, _mm256_set1_epi8('a' - 'A')));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), folded);
  }
  FoldScalar(in.substr(i), out + i);
}

// The last, partial group of 64 bytes is loaded under a mask; what lies beyond reads as
// zero, is no white space, and is masked away.
__attribute__((target("avx512f,avx512bw"))) void FindWordBytesAvx512(
    std::string_view text, uint64_t* masks) {
  for (size_t i = 0; i < text.size(); i += 64) {
    const size_t size = text.size() - i;
    const __mmask64 loaded = size >= 64 ? ~uint64_t{0} : (uint64_t{1} << size) - 1;
    const __m512i bytes = _mm512_maskz_loadu_epi8(loaded, text.data() + i);
    const __mmask64 blank = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(' '));
    const __mmask64 control = _mm512_cmple_epu8_mask(
        _mm512_sub_epi8(bytes, _mm512_set1_epi8('\t')), _mm512_set1_epi8(4));
    *masks++ = ~(blank | control) & loaded;
  }
}

__attribute__((target("avx512f,avx512bw"))) void FoldAvx512(std::string_view in,
                                                            char* out) {
  for (size_t i = 0; i < in.size(); i += 64) {
    const size_t size = in.size() - i;
    const __mmask64 loaded = size >= 64 ? ~uint64_t{0} : (uint64_t{1} << size) - 1;
    const __m512i bytes = _mm512_maskz_loadu_epi8(loaded, in.data() + i);
    const __mmask64 upper = _mm512_cmple_epu8_mask(
        _mm512_sub_epi8(bytes, _mm512_set1_epi8('A')), _mm512_set1_epi8(25));
    const __m512i folded =
        _mm512_mask_add_epi8(bytes, upper, bytes, _mm512_set1_epi8('a' - 'A'));
    _mm512_mask_storeu_epi8(out + i, loaded, folded);
  }
}

}  // namespace

void FindWordBytes(std::string_view text, uint64_t* masks, CpuPath path) {
  switch (path) {
    case CpuPath::kScalar:
      return FindWordBytesScalar(text, masks);
    case CpuPath::kAvx2:
      return FindWordBytesAvx2(text, masks);
    case CpuPath::kAvx512:
      return FindWordBytesAvx512(text, masks);
  }
}

// The vector of places is compressed to those whose bits are set, sixteen at a time.
__attribute__((target("avx512f,popcnt"))) size_t FindEdges(
    std::span<const uint64_t> masks, uint64_t* before, uint32_t* edges) {
  uint32_t* out = edges;
  __m512i places =
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (const uint64_t mask : masks) {
    uint64_t rest = mask ^ (mask << 1 | *before);
    *before = mask >> 63;
    for (int i = 0; i < 4; ++i) {
      const auto sixteen = static_cast<__mmask16>(rest);
      _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(sixteen, places));
      out += std::popcount(sixteen);
      places = _mm512_add_epi32(places, _mm512_set1_epi32(16));
      rest >>= 16;
    }
  }
  return static_cast<size_t>(out - edges);
}

void FoldAsciiCase(std::string_view in, char* out, CpuPath path) {
  switch (path) {
    case CpuPath::kScalar:
      return FoldScalar(in, out);
    case CpuPath::kAvx2:
      return FoldAvx2(in, out);
    case CpuPath::kAvx512:
      return FoldAvx512(in, out);
  }
}

}  // namespace skep
