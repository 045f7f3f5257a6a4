// A fixed-point number wide enough that adding floating-point numbers to it never
// rounds: a "small superaccumulator" (R. M. Neal, Fast exact summation using small and
// large superaccumulators, 2015).
//
// The number is cut into chunks of 32 bits, each kept in 64 so that carries can wait.
// An addition touches the few chunks under its mantissa; carries are passed on once in
// 2^30 additions.

#ifndef SKEP_JOBS_KERNELS_FIXED_POINT_SUM_H_
#define SKEP_JOBS_KERNELS_FIXED_POINT_SUM_H_

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "jobs/kernels/wide_uint.h"

namespace skep {

// kBits: the width. Additions must stay below it, carries of all additions included.
template <int kBits>
class FixedPointSum {
 public:
  // Adds mantissa * 2^position, or subtracts it. mantissa < 2^64.
  void Add(uint64_t mantissa, int position, bool negative) {
    const int shift = position % kChunkBits;
    int64_t* chunk = &chunks_[position / kChunkBits];
    const int64_t flip = -static_cast<int64_t>(negative);  // (x ^ flip) - flip is +-x
    const uint64_t rest = mantissa >> (kChunkBits - shift);
    chunk[0] += (Low(mantissa << shift) ^ flip) - flip;
    chunk[1] += (Low(rest) ^ flip) - flip;
    chunk[2] += (Low(rest >> kChunkBits) ^ flip) - flip;
    CountAddition();
  }

  // Adds mantissa * 2^position. mantissa < 2^124.
  void AddWide(unsigned __int128 mantissa, int position) {
    const int shift = position % kChunkBits;
    int64_t* chunk = &chunks_[position / kChunkBits];
    const unsigned __int128 rest = mantissa >> (kChunkBits - shift);
    const auto rest_low = static_cast<uint64_t>(rest);
    const auto rest_high = static_cast<uint64_t>(rest >> 64);
    chunk[0] += Low(static_cast<uint64_t>(mantissa) << shift);
    chunk[1] += Low(rest_low);
    chunk[2] += Low(rest_low >> kChunkBits);
    chunk[3] += Low(rest_high);
    chunk[4] += Low(rest_high >> kChunkBits);
    CountAddition();
  }

  void Merge(const FixedPointSum& other) {
    // Both have carried: sums of two chunks leave nearly all the headroom.
    FixedPointSum theirs = other;
    theirs.Carry();
    Carry();
    for (int i = 0; i < kChunks; ++i) chunks_[i] += theirs.chunks_[i];
    CountAddition();
  }

  struct Value {
    bool negative = false;
    WideUint magnitude;
  };
  Value Get() const {
    FixedPointSum carried = *this;
    carried.Carry();
    const bool negative = carried.chunks_.back() < 0;
    if (negative) {
      for (int64_t& chunk : carried.chunks_) chunk = -chunk;
      carried.Carry();
    }
    std::vector<uint64_t> words(kChunks / 2);
    for (int i = 0; i < kChunks; ++i) {
      words[i / 2] |= static_cast<uint64_t>(carried.chunks_[i])
                      << (kChunkBits * (i % 2));
    }
    return {negative, WideUint(std::move(words))};
  }

  // False if the value does not fit.
  bool Set(const Value& value) {
    if (value.magnitude.BitLength() > kBits) return false;
    *this = FixedPointSum();
    int position = 0;
    for (const uint64_t word : value.magnitude.words()) {
      Add(word, position, value.negative);
      position += 64;
    }
    return true;
  }

 private:
  static constexpr int kChunkBits = 32;
  // Room for the chunks above the position of an addition, and an even number.
  static constexpr int kChunks = (kBits / kChunkBits + 6) / 2 * 2;
  // A chunk grows by less than 2^32 an addition and keeps a sign.
  static constexpr uint32_t kAdditionsBetweenCarries = 1u << 30;

  // The bits of one chunk.
  static int64_t Low(uint64_t value) {
    return static_cast<int64_t>(static_cast<uint32_t>(value));
  }

  void CountAddition() {
    if (++additions_ == kAdditionsBetweenCarries) Carry();
  }

  // Brings every chunk but the last into [0, 2^32); the last carries the sign.
  void Carry() {
    for (int i = 0; i + 1 < kChunks; ++i) {
      chunks_[i + 1] += chunks_[i] >> kChunkBits;
      chunks_[i] &= 0xffffffff;
    }
    additions_ = 1;
  }

  std::array<int64_t, kChunks> chunks_{};
  uint32_t additions_ = 0;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_FIXED_POINT_SUM_H_
