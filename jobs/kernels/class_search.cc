#include "jobs/kernels/class_search.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "jobs/kernels/string_search.h"

namespace skep {
namespace {

constexpr size_t kNone = std::string_view::npos;
constexpr size_t kMaxProbes = 3;
// No more are looked at when so few places are left of a text.
constexpr double kRare = 1e-3;

}  // namespace

ClassFinder::ClassFinder(const std::vector<std::bitset<256>>& classes, CpuPath path)
    : size_(classes.size()), path_(path) {
  for (size_t at = 0; at < size_; ++at) {
    for (size_t byte = 0; byte < 256; ++byte) {
      if (classes[at][byte]) positions_[byte] |= static_cast<uint16_t>(1u << at);
    }
  }
  std::vector<size_t> order(size_);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&classes](size_t a, size_t b) {
    return ByteShare(classes[a]) < ByteShare(classes[b]);
  });
  double share = 1;
  for (const size_t at : order) {
    probes_.push_back(MakeProbe(classes[at], at));
    share *= ByteShare(classes[at]);
    if (share < kRare || probes_.size() == kMaxProbes) break;
  }
}

// Upper halves with the same lower halves share a bit. There are 8; of a class with
// more kinds the last ones are taken together, which lets some bytes pass that are not
// in it.
ClassFinder::Probe ClassFinder::MakeProbe(const std::bitset<256>& bytes, size_t at) {
  Probe probe{.at = at};
  std::vector<uint16_t> kinds;
  for (size_t high = 0; high < 16; ++high) {
    uint16_t lows = 0;
    for (size_t low = 0; low < 16; ++low) {
      if (bytes[high * 16 + low]) lows |= static_cast<uint16_t>(1u << low);
    }
    if (lows == 0) continue;
    size_t kind = static_cast<size_t>(std::find(kinds.begin(), kinds.end(), lows) -
                                      kinds.begin());
    if (kind == kinds.size()) kinds.push_back(lows);
    kind = std::min<size_t>(kind, 7);
    probe.high[high] = static_cast<uint8_t>(1u << kind);
    for (size_t low = 0; low < 16; ++low) {
      if ((lows >> low & 1) != 0) probe.low[low] |= static_cast<uint8_t>(1u << kind);
    }
  }
  MakeRanges(bytes, &probe);
  return probe;
}

// Of a class with more ranges those are made one that let pass what is rarest between
// them.
void ClassFinder::MakeRanges(const std::bitset<256>& bytes, Probe* probe) {
  std::vector<Range> ranges;
  for (size_t byte = 0; byte < 256; ++byte) {
    if (!bytes[byte]) continue;
    if (byte == 0 || !bytes[byte - 1])
      ranges.push_back({static_cast<uint8_t>(byte), 0});
    ranges.back().last = static_cast<uint8_t>(byte);
  }
  if (ranges.empty()) ranges.push_back({});  // nothing matches anyway
  while (ranges.size() > kMaxRanges) {
    size_t join = 1;  // with the one before it
    double least = 2;
    for (size_t i = 1; i < ranges.size(); ++i) {
      std::bitset<256> between;
      for (size_t byte = ranges[i - 1].last + 1u; byte < ranges[i].first; ++byte) {
        between.set(byte);
      }
      if (ByteShare(between) >= least) continue;
      least = ByteShare(between);
      join = i;
    }
    ranges[join - 1].last = ranges[join].last;
    ranges.erase(ranges.begin() + static_cast<ptrdiff_t>(join));
  }
  probe->range_count = ranges.size();
  for (size_t i = 0; i < kMaxRanges; ++i) {
    probe->ranges[i] = ranges[std::min(i, ranges.size() - 1)];
  }
}

bool ClassFinder::MatchesAt(const char* text) const {
  for (size_t i = 0; i < size_; ++i) {
    if ((positions_[static_cast<uint8_t>(text[i])] >> i & 1) == 0) return false;
  }
  return true;
}

// Bytes x with first <= x <= last, unsigned: x - first, less what last - first is with
// saturation, is 0. Four groups a turn while nothing is found.
template <int kProbes, int kRanges>
size_t ClassFinder::FindSse2(const char* text, size_t places, size_t* at) const {
  __m128i first[kProbes][kRanges], length[kProbes][kRanges];
  const char* from[kProbes];
  for (int p = 0; p < kProbes; ++p) {
    from[p] = text + probes_[p].at;
    for (int r = 0; r < kRanges; ++r) {
      const Range range = probes_[p].ranges[r];
      first[p][r] = _mm_set1_epi8(static_cast<char>(range.first));
      length[p][r] = _mm_set1_epi8(static_cast<char>(range.last - range.first));
    }
  }
  const auto agree_at = [&](size_t i) {
    __m128i others = _mm_setzero_si128();  // not 0 where some position does not agree
    for (int p = 0; p < kProbes; ++p) {
      const __m128i bytes =
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(from[p] + i));
      __m128i outside = _mm_subs_epu8(_mm_sub_epi8(bytes, first[p][0]), length[p][0]);
      for (int r = 1; r < kRanges; ++r) {
        outside = _mm_min_epu8(
            outside, _mm_subs_epu8(_mm_sub_epi8(bytes, first[p][r]), length[p][r]));
      }
      others = _mm_or_si128(others, outside);
    }
    return _mm_cmpeq_epi8(others, _mm_setzero_si128());
  };
  size_t i = 0;
  for (; i + 16 <= places; i += 16) {
    while (i + 80 <= places) {
      const __m128i any =
          _mm_or_si128(_mm_or_si128(agree_at(i), agree_at(i + 16)),
                       _mm_or_si128(agree_at(i + 32), agree_at(i + 48)));
      if (_mm_movemask_epi8(any) != 0) break;
      i += 64;
    }
    for (auto candidates = static_cast<uint32_t>(_mm_movemask_epi8(agree_at(i)));
         candidates != 0; candidates &= candidates - 1) {
      const size_t place = i + static_cast<size_t>(std::countr_zero(candidates));
      if (MatchesAt(text + place)) return place;
    }
  }
  *at = i;
  return kNone;
}

size_t ClassFinder::FindByRanges(const char* text, size_t places, size_t* at) const {
  size_t ranges = 0;
  for (const Probe& probe : probes_) ranges = std::max(ranges, probe.range_count);
  const auto find = [&]<int kProbes>() {
    return ranges == 1   ? FindSse2<kProbes, 1>(text, places, at)
           : ranges == 2 ? FindSse2<kProbes, 2>(text, places, at)
                         : FindSse2<kProbes, 3>(text, places, at);
  };
  return probes_.size() == 1   ? find.template operator()<1>()
         : probes_.size() == 2 ? find.template operator()<2>()
                               : find.template operator()<3>();
}

template <int kProbes>
__attribute__((target("avx2,bmi"))) size_t ClassFinder::FindAvx2(const char* text,
                                                                 size_t places,
                                                                 size_t* at) const {
  const __m256i half = _mm256_set1_epi8(0x0f);
  __m256i low[kProbes], high[kProbes];
  const char* from[kProbes];
  for (int p = 0; p < kProbes; ++p) {
    low[p] = _mm256_broadcastsi128_si256(
        _mm_load_si128(reinterpret_cast<const __m128i*>(probes_[p].low.data())));
    high[p] = _mm256_broadcastsi128_si256(
        _mm_load_si128(reinterpret_cast<const __m128i*>(probes_[p].high.data())));
    from[p] = text + probes_[p].at;
  }
  size_t i = 0;
  for (; i + 32 <= places; i += 32) {
    uint32_t others = 0;  // where some position does not agree
    for (int p = 0; p < kProbes; ++p) {
      const __m256i bytes =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from[p] + i));
      const __m256i lows = _mm256_shuffle_epi8(low[p], _mm256_and_si256(bytes, half));
      const __m256i highs = _mm256_shuffle_epi8(
          high[p], _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half));
      others |= static_cast<uint32_t>(_mm256_movemask_epi8(
          _mm256_cmpeq_epi8(_mm256_and_si256(lows, highs), _mm256_setzero_si256())));
    }
    for (uint32_t candidates = ~others; candidates != 0; candidates &= candidates - 1) {
      const size_t place = i + std::countr_zero(candidates);
      if (MatchesAt(text + place)) return place;
    }
  }
  *at = i;
  return kNone;
}

template <int kProbes>
__attribute__((target("avx512f,avx512bw,bmi"))) size_t ClassFinder::FindAvx512(
    const char* text, size_t places, size_t* at) const {
  const __m512i half = _mm512_set1_epi8(0x0f);
  __m512i low[kProbes], high[kProbes];
  const char* from[kProbes];
  for (int p = 0; p < kProbes; ++p) {
    low[p] = _mm512_maskz_broadcast_i32x4(
        0xffff,
        _mm_load_si128(reinterpret_cast<const __m128i*>(probes_[p].low.data())));
    high[p] = _mm512_maskz_broadcast_i32x4(
        0xffff,
        _mm_load_si128(reinterpret_cast<const __m128i*>(probes_[p].high.data())));
    from[p] = text + probes_[p].at;
  }
  size_t i = 0;
  for (; i + 64 <= places; i += 64) {
    uint64_t candidates = ~0ull;
    for (int p = 0; p < kProbes; ++p) {
      const __m512i bytes = _mm512_loadu_si512(from[p] + i);
      const __m512i lows = _mm512_shuffle_epi8(low[p], _mm512_and_si512(bytes, half));
      const __m512i highs = _mm512_shuffle_epi8(
          high[p], _mm512_and_si512(_mm512_srli_epi16(bytes, 4), half));
      candidates &= _mm512_test_epi8_mask(lows, highs);
    }
    for (; candidates != 0; candidates &= candidates - 1) {
      const size_t place = i + std::countr_zero(candidates);
      if (MatchesAt(text + place)) return place;
    }
  }
  *at = i;
  return kNone;
}

size_t ClassFinder::Find(std::string_view text, size_t from) const {
  if (from > text.size() || text.size() - from < size_) return kNone;
  const char* const begin = text.data() + from;
  const size_t places = text.size() - from - size_ + 1;
  size_t at = 0, found = kNone;
  if (path_ == CpuPath::kAvx512) {
    found = probes_.size() == 1   ? FindAvx512<1>(begin, places, &at)
            : probes_.size() == 2 ? FindAvx512<2>(begin, places, &at)
                                  : FindAvx512<3>(begin, places, &at);
  } else if (path_ == CpuPath::kAvx2) {
    found = probes_.size() == 1   ? FindAvx2<1>(begin, places, &at)
            : probes_.size() == 2 ? FindAvx2<2>(begin, places, &at)
                                  : FindAvx2<3>(begin, places, &at);
  } else {
    found = FindByRanges(begin, places, &at);
  }
  if (found != kNone) return from + found;
  for (; at < places; ++at) {
    if (MatchesAt(begin + at)) return from + at;
  }
  return kNone;
}

}  // namespace skep
