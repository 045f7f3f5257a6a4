#include "jobs/kernels/number_sums.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "jobs/kernels/prefetch.h"

namespace skep {
namespace {

// Bits of a slice: 53 less one for the 2 x 2048 additions' 12.
constexpr int kSliceBits = 41;

// The numbers M that cut a block's values, and their squares.
struct BlockCutters {
  double sum[2];
  double squares[4];
};

// 1.5 * 2^(place + 52): adding and subtracting it rounds to a multiple of 2^place.
double Cutter(int place) {
  return std::bit_cast<double>((static_cast<uint64_t>(place + 52 + 1023) << 52) |
                               uint64_t{1} << 51);
}

// False if there are none for values of at most that magnitude. The bounds keep the
// errors of products above the subnormals (2^-485 squared, less 104 places), and the
// cutters of squares finite: values below 2^-485 leave a rest beside one of 2^-390.
bool CuttersFor(double magnitude, BlockCutters* cutters) {
  if (magnitude == 0) {
    *cutters = {{1, 1}, {1, 1, 1, 1}};
    return true;
  }
  if (!(magnitude > 0x1p-390 && magnitude < 0x1p480)) return false;
  int above = 0;  // 2^above > magnitude
  std::frexp(magnitude, &above);
  for (int j = 0; j < 2; ++j) {
    cutters->sum[j] = Cutter(above - kSliceBits - (kSliceBits + 1) * j);
  }
  for (int j = 0; j < 4; ++j) {
    cutters->squares[j] = Cutter(2 * above - kSliceBits - (kSliceBits + 1) * j);
  }
  return true;
}

// A sum and the sum of its rounding errors.
struct TwoSum {
  double sum = 0;
  double error = 0;

  void Add(double x) {
    const double next = sum + x;
    const double shift = next - sum;
    error += (sum - (next - shift)) + (x - shift);
    sum = next;
  }
};

// GCC keeps arrays in registers only where all loops over them are unrolled, which -O2
// does not do by itself.
#ifdef __clang__
#define SKEP_UNROLL _Pragma("unroll")
#else
#define SKEP_UNROLL _Pragma("GCC unroll 8")
#endif

namespace avx512 {
#define SKEP_TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma")))
using Ints = __m512i;
using Reals = __m512d;
constexpr int kLanes = 8;
#define SKEP_OP SKEP_TARGET inline
SKEP_OP Ints LoadInts(const void* p) { return _mm512_loadu_si512(p); }
SKEP_OP Ints Broadcast(int64_t x) { return _mm512_set1_epi64(x); }
SKEP_OP Ints Add(Ints a, Ints b) { return _mm512_add_epi64(a, b); }
SKEP_OP Ints And(Ints a, Ints b) { return _mm512_and_si512(a, b); }
SKEP_OP Ints Xor(Ints a, Ints b) { return _mm512_xor_si512(a, b); }
SKEP_OP Ints ShiftWord(Ints a) { return _mm512_maskz_srli_epi64(0xff, a, 32); }
SKEP_OP Ints MulWords(Ints a, Ints b) { return _mm512_maskz_mul_epu32(0xff, a, b); }
SKEP_OP Ints Abs(Ints a) { return _mm512_maskz_abs_epi64(0xff, a); }
SKEP_OP Ints MinInts(Ints a, Ints b) { return _mm512_maskz_min_epi64(0xff, a, b); }
SKEP_OP Ints MaxInts(Ints a, Ints b) { return _mm512_maskz_max_epi64(0xff, a, b); }
SKEP_OP Reals LoadReals(const double* p) { return _mm512_loadu_pd(p); }
SKEP_OP Reals BroadcastReal(double x) { return _mm512_set1_pd(x); }
SKEP_OP Reals Add(Reals a, Reals b) { return _mm512_add_pd(a, b); }
SKEP_OP Reals Sub(Reals a, Reals b) { return _mm512_sub_pd(a, b); }
SKEP_OP Reals Mul(Reals a, Reals b) { return _mm512_mul_pd(a, b); }
SKEP_OP Reals MulSub(Reals a, Reals b, Reals c) { return _mm512_fmsub_pd(a, b, c); }
SKEP_OP Reals Min(Reals a, Reals b) { return _mm512_maskz_min_pd(0xff, a, b); }
SKEP_OP Reals Max(Reals a, Reals b) { return _mm512_maskz_max_pd(0xff, a, b); }
SKEP_OP Reals OrBits(Reals a, Reals b) { return _mm512_or_pd(a, b); }
SKEP_OP bool AnyNonZero(Reals a) {
  return _mm512_cmp_pd_mask(a, _mm512_setzero_pd(), _CMP_NEQ_UQ) != 0;
}
#include "jobs/kernels/number_sums_vector.inc"

// AVX2 has no minimum of 64-bit integers and too few registers: it is slower at this
// than the plain loop.
SKEP_TARGET size_t AddIntegers(const int64_t* values, size_t size,
                               IntegerTotals* totals) {
  const size_t whole = size / kLanes * kLanes;
  const Ints high_bit = Broadcast(INT64_MIN), word = Broadcast(0xffffffff);
  Ints sum_low = {}, sum_high = {}, square[6] = {};
  Ints min = Broadcast(INT64_MAX), max = Broadcast(INT64_MIN);
  for (size_t i = 0; i < whole; i += kLanes) {
    const Ints x = LoadInts(values + i);
    PrefetchAhead(values + i);
    const Ints biased = Xor(x, high_bit);
    sum_low = Add(sum_low, And(biased, word));
    sum_high = Add(sum_high, ShiftWord(biased));
    min = MinInts(min, x);
    max = MaxInts(max, x);
    // (h 2^32 + l)^2, by words of the three products.
    const Ints low = Abs(x), high = ShiftWord(low);
    const Ints products[] = {MulWords(low, low), MulWords(low, high),
                             MulWords(high, high)};
    SKEP_UNROLL
    for (int j = 0; j < 3; ++j) {
      square[2 * j] = Add(square[2 * j], And(products[j], word));
      square[2 * j + 1] = Add(square[2 * j + 1], ShiftWord(products[j]));
    }
  }
  totals->sum += SignedSum(sum_low, sum_high, whole);
  unsigned __int128 words[6];
  SKEP_UNROLL
  for (int j = 0; j < 6; ++j) words[j] = AddLanes(square[j]);
  totals->squares_low += words[0];
  totals->squares_high += words[1] + 2 * words[2];
  totals->squares_high += (2 * words[3] + words[4]) << 32;
  totals->squares_high += words[5] << 64;
  int64_t mins[kLanes], maxs[kLanes];
  std::memcpy(mins, &min, sizeof min);
  std::memcpy(maxs, &max, sizeof max);
  for (int j = 0; j < kLanes; ++j) {
    totals->min = std::min(totals->min, mins[j]);
    totals->max = std::max(totals->max, maxs[j]);
  }
  return whole;
}

#undef SKEP_TARGET
}  // namespace avx512

namespace avx2 {
#define SKEP_TARGET __attribute__((target("avx2,fma")))
using Ints = __m256i;
using Reals = __m256d;
constexpr int kLanes = 4;
SKEP_OP Ints LoadInts(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
SKEP_OP Ints Broadcast(int64_t x) { return _mm256_set1_epi64x(x); }
SKEP_OP Ints Add(Ints a, Ints b) { return _mm256_add_epi64(a, b); }
SKEP_OP Ints And(Ints a, Ints b) { return _mm256_and_si256(a, b); }
SKEP_OP Ints Xor(Ints a, Ints b) { return _mm256_xor_si256(a, b); }
SKEP_OP Ints ShiftWord(Ints a) { return _mm256_srli_epi64(a, 32); }
SKEP_OP Reals LoadReals(const double* p) { return _mm256_loadu_pd(p); }
SKEP_OP Reals BroadcastReal(double x) { return _mm256_set1_pd(x); }
SKEP_OP Reals Add(Reals a, Reals b) { return _mm256_add_pd(a, b); }
SKEP_OP Reals Sub(Reals a, Reals b) { return _mm256_sub_pd(a, b); }
SKEP_OP Reals Mul(Reals a, Reals b) { return _mm256_mul_pd(a, b); }
SKEP_OP Reals MulSub(Reals a, Reals b, Reals c) { return _mm256_fmsub_pd(a, b, c); }
SKEP_OP Reals Min(Reals a, Reals b) { return _mm256_min_pd(a, b); }
SKEP_OP Reals Max(Reals a, Reals b) { return _mm256_max_pd(a, b); }
SKEP_OP Reals OrBits(Reals a, Reals b) { return _mm256_or_pd(a, b); }
SKEP_OP bool AnyNonZero(Reals a) {
  return _mm256_movemask_pd(_mm256_cmp_pd(a, _mm256_setzero_pd(), _CMP_NEQ_UQ)) != 0;
}
#include "jobs/kernels/number_sums_vector.inc"
#undef SKEP_TARGET
#undef SKEP_OP
}  // namespace avx2

void AddOneByOne(std::span<const int64_t> values, IntegerTotals* totals) {
  for (const int64_t value : values) {
    const uint64_t magnitude = value < 0 ? -static_cast<uint64_t>(value) : value;
    const auto square = static_cast<unsigned __int128>(magnitude) * magnitude;
    totals->sum += value;
    totals->squares_low += static_cast<uint32_t>(square);
    totals->squares_high += square >> 32;
    totals->min = std::min(totals->min, value);
    totals->max = std::max(totals->max, value);
  }
}

}  // namespace

void AddIntegers(std::span<const int64_t> values, IntegerTotals* totals, CpuPath path) {
  // A local: the compiler cannot know that the values are not the totals.
  IntegerTotals sums = *totals;
  size_t done = 0;
  if (path == CpuPath::kAvx512) {
    done = avx512::AddIntegers(values.data(), values.size(), &sums);
  }
  AddOneByOne(values.subspan(done), &sums);
  *totals = sums;
}

__int128 SumIntegers(std::span<const int64_t> values, CpuPath path) {
  // Lanes have room for so many.
  constexpr size_t kPiece = size_t{1} << 31;
  __int128 sum = 0;
  while (!values.empty()) {
    const std::span<const int64_t> piece =
        values.first(std::min(kPiece, values.size()));
    size_t done = 0;
    if (path == CpuPath::kAvx512) {
      done = avx512::SumIntegers(piece.data(), piece.size(), &sum);
    } else if (path == CpuPath::kAvx2) {
      done = avx2::SumIntegers(piece.data(), piece.size(), &sum);
    }
    for (const int64_t value : piece.subspan(done)) sum += value;
    values = values.subspan(piece.size());
  }
  return sum;
}

bool SumBlockExactly(std::span<const double> values, RealBlock* block, CpuPath path) {
  if (path == CpuPath::kScalar) return false;
  // A block of an odd size is filled up with zeros, which count for the sums only.
  const size_t size = values.size();
  if (size % avx512::kLanes != 0) {
    std::array<double, kSumBlock> padded;
    const size_t whole = (size + avx512::kLanes - 1) / avx512::kLanes * avx512::kLanes;
    std::copy(values.begin(), values.end(), padded.begin());
    std::fill(padded.begin() + size, padded.begin() + whole, 0.0);
    const auto [min, max] = std::minmax_element(values.begin(), values.end());
    if (!SumBlockExactly(std::span(padded).first(whole), block, path)) return false;
    block->min = *min;
    block->max = *max;
    return true;
  }
  return path == CpuPath::kAvx512 ? avx512::SumBlock(values.data(), size, block)
                                  : avx2::SumBlock(values.data(), size, block);
}

double FastSum(std::span<const double> values, CpuPath path) {
  TwoSum total;
  size_t done = 0;
  if (path == CpuPath::kAvx512) {
    done = avx512::FastSum(values.data(), values.size(), &total);
  } else if (path == CpuPath::kAvx2) {
    done = avx2::FastSum(values.data(), values.size(), &total);
  }
  for (const double value : values.subspan(done)) total.Add(value);
  return total.sum + total.error;
}

double NaiveSum(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

}  // namespace skep
