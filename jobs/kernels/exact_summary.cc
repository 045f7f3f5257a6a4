#include "jobs/kernels/exact_summary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/status.h"
#include "jobs/kernels/number_sums.h"

namespace skep {
namespace {

constexpr char kFormat = 2;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr uint64_t kMantissaMask = (uint64_t{1} << 52) - 1;

// A finite double: mantissa * 2^(position - 1074).
struct Decomposed {
  uint64_t mantissa;
  int position;
  bool negative;
};
Decomposed Decompose(double value) {
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  const int exponent = static_cast<int>(bits >> 52) & 0x7ff;
  // Subnormals have the exponent of the smallest normals, without the hidden bit.
  const uint64_t hidden = static_cast<uint64_t>(exponent != 0) << 52;
  return {(bits & kMantissaMask) | hidden, std::max(exponent, 1) - 1, bits >> 63 != 0};
}

void PutWide(std::string* out, const WideUint& value) {
  PutVarint(out, value.words().size());
  for (const uint64_t word : value.words()) PutBig64(out, word);
}

bool GetWide(std::string_view* in, WideUint* value) {
  uint64_t size;
  if (!GetVarint(in, &size) || size > in->size() / 8) return false;
  std::vector<uint64_t> words(size);
  for (uint64_t& word : words) GetBig64(in, &word);
  *value = WideUint(std::move(words));
  return true;
}

void Put128(std::string* out, unsigned __int128 value) {
  PutBig64(out, static_cast<uint64_t>(value >> 64));
  PutBig64(out, static_cast<uint64_t>(value));
}

bool Get128(std::string_view* in, unsigned __int128* value) {
  uint64_t high, low;
  if (!GetBig64(in, &high) || !GetBig64(in, &low)) return false;
  *value = static_cast<unsigned __int128>(high) << 64 | low;
  return true;
}

unsigned __int128 Magnitude(__int128 value) {
  const auto bits = static_cast<unsigned __int128>(value);
  return value < 0 ? -bits : bits;
}

}  // namespace

void ExactSummary::Add(std::span<const int64_t> values, CpuPath path) {
  while (!values.empty()) {
    const auto piece = values.first(std::min(values.size(), size_t{1} << 31));
    IntegerTotals totals;
    AddIntegers(piece, &totals, path);
    integer_sum_ += totals.sum;
    AddIntegerSquares(totals.squares_low, 0);
    AddIntegerSquares(totals.squares_high << 32,
                      static_cast<uint64_t>(totals.squares_high >> 96));
    integer_min_ = std::min<__int128>(integer_min_, totals.min);
    integer_max_ = std::max<__int128>(integer_max_, totals.max);
    values = values.subspan(piece.size());
    integers_ += piece.size();
  }
}

void ExactSummary::Add(std::span<const uint64_t> values) {
  for (const uint64_t value : values) {
    integer_sum_ += value;
    AddIntegerSquares(static_cast<unsigned __int128>(value) * value, 0);
    integer_min_ = std::min<__int128>(integer_min_, value);
    integer_max_ = std::max<__int128>(integer_max_, value);
  }
  integers_ += values.size();
}

void ExactSummary::AddIntegerSquares(unsigned __int128 low, uint64_t high) {
  integer_squares_low_ += low;
  integer_squares_high_ += high + (integer_squares_low_ < low);
}

void ExactSummary::Add(std::span<const double> values, CpuPath path) {
  // Fewer are not worth slicing.
  constexpr size_t kFew = 64;
  while (!values.empty()) {
    const auto piece = values.first(std::min(values.size(), kSumBlock));
    values = values.subspan(piece.size());
    RealBlock block;
    if (piece.size() < kFew || !SumBlockExactly(piece, &block, path)) {
      AddOneByOne(piece);
      continue;
    }
    for (const double part : block.sum) {
      const Decomposed d = Decompose(part);
      real_sum_.Add(d.mantissa, d.position, d.negative);
    }
    for (const double part : block.squares) {
      const Decomposed d = Decompose(part);
      real_squares_.Add(d.mantissa, d.position - kLowestExponent, d.negative);
    }
    real_min_ = std::min(real_min_, OrderedFromDouble(block.min + 0.0));
    real_max_ = std::max(real_max_, OrderedFromDouble(block.max + 0.0));
    reals_ += piece.size();
  }
}

// Works on locals: members could be changed through the values' pointer, as far as the
// compiler knows, and would be stored and loaded again for each.
void ExactSummary::AddOneByOne(std::span<const double> values) {
  uint64_t min = UINT64_MAX;
  uint64_t max = 0;
  uint64_t finite = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) {
      AddSpecial(value);
      continue;
    }
    const Decomposed d = Decompose(value);
    real_sum_.Add(d.mantissa, d.position, d.negative);
    real_squares_.AddWide(static_cast<unsigned __int128>(d.mantissa) * d.mantissa,
                          2 * d.position);
    const uint64_t ordered = OrderedFromDouble(value + 0.0);  // -0.0 becomes 0.0
    min = std::min(min, ordered);
    max = std::max(max, ordered);
    ++finite;
  }
  real_min_ = std::min(real_min_, min);
  real_max_ = std::max(real_max_, max);
  reals_ += finite;
}

void ExactSummary::AddSpecial(double value) {
  if (std::isnan(value)) {
    ++nans_;
    return;
  }
  ++(value > 0 ? positive_infinities_ : negative_infinities_);
  real_min_ = std::min(real_min_, OrderedFromDouble(value));
  real_max_ = std::max(real_max_, OrderedFromDouble(value));
  ++reals_;
}

void ExactSummary::Merge(const ExactSummary& other) {
  integers_ += other.integers_;
  reals_ += other.reals_;
  nans_ += other.nans_;
  positive_infinities_ += other.positive_infinities_;
  negative_infinities_ += other.negative_infinities_;
  integer_sum_ += other.integer_sum_;
  AddIntegerSquares(other.integer_squares_low_, other.integer_squares_high_);
  integer_min_ = std::min(integer_min_, other.integer_min_);
  integer_max_ = std::max(integer_max_, other.integer_max_);
  real_sum_.Merge(other.real_sum_);
  real_squares_.Merge(other.real_squares_);
  real_min_ = std::min(real_min_, other.real_min_);
  real_max_ = std::max(real_max_, other.real_max_);
}

std::string ExactSummary::Serialize() const {
  std::string out(1, kFormat);
  for (const uint64_t n :
       {integers_, reals_, nans_, positive_infinities_, negative_infinities_}) {
    PutVarint(&out, n);
  }
  Put128(&out, static_cast<unsigned __int128>(integer_sum_));
  PutBig64(&out, integer_squares_high_);
  Put128(&out, integer_squares_low_);
  Put128(&out, static_cast<unsigned __int128>(integer_min_));
  Put128(&out, static_cast<unsigned __int128>(integer_max_));
  const RealSum::Value sum = real_sum_.Get();
  out += sum.negative ? '-' : '+';
  PutWide(&out, sum.magnitude);
  PutWide(&out, real_squares_.Get().magnitude);
  PutBig64(&out, real_min_);
  PutBig64(&out, real_max_);
  return out;
}

absl::StatusOr<ExactSummary> ExactSummary::Parse(std::string_view bytes) {
  const auto damaged = [size = bytes.size()] {
    return DataLoss("an exact summary of ", size,
                    " bytes is damaged or of another version");
  };
  ExactSummary s;
  if (bytes.empty() || bytes[0] != kFormat) return damaged();
  bytes.remove_prefix(1);
  for (uint64_t* n : {&s.integers_, &s.reals_, &s.nans_, &s.positive_infinities_,
                      &s.negative_infinities_}) {
    if (!GetVarint(&bytes, n)) return damaged();
  }
  unsigned __int128 integer_sum, integer_min, integer_max;
  if (!Get128(&bytes, &integer_sum) || !GetBig64(&bytes, &s.integer_squares_high_) ||
      !Get128(&bytes, &s.integer_squares_low_) || !Get128(&bytes, &integer_min) ||
      !Get128(&bytes, &integer_max) || bytes.empty()) {
    return damaged();
  }
  s.integer_sum_ = static_cast<__int128>(integer_sum);
  s.integer_min_ = static_cast<__int128>(integer_min);
  s.integer_max_ = static_cast<__int128>(integer_max);
  RealSum::Value sum{.negative = bytes[0] == '-'};
  SquareSum::Value squares;
  bytes.remove_prefix(1);
  if (!GetWide(&bytes, &sum.magnitude) || !s.real_sum_.Set(sum) ||
      !GetWide(&bytes, &squares.magnitude) || !s.real_squares_.Set(squares) ||
      !GetBig64(&bytes, &s.real_min_) || !GetBig64(&bytes, &s.real_max_) ||
      !bytes.empty()) {
    return damaged();
  }
  if (s.positive_infinities_ + s.negative_infinities_ > s.reals_) return damaged();
  return s;
}

std::optional<__int128> ExactSummary::IntegerSum() const {
  if (reals_ > 0) return std::nullopt;
  return integer_sum_;
}

std::optional<double> ExactSummary::InfiniteSum() const {
  if (positive_infinities_ > 0 && negative_infinities_ > 0) return kNan;
  if (positive_infinities_ > 0) return kInfinity;
  if (negative_infinities_ > 0) return -kInfinity;
  return std::nullopt;
}

ExactSummary::RealSum::Value ExactSummary::TotalSum() const {
  const RealSum::Value reals = real_sum_.Get();
  const bool negative = integer_sum_ < 0;
  const WideUint integers = WideUint(Magnitude(integer_sum_)) << -kLowestExponent;
  if (negative == reals.negative) return {negative, integers + reals.magnitude};
  if (integers == reals.magnitude) return {};  // zero has no sign
  if (integers > reals.magnitude) return {negative, integers - reals.magnitude};
  return {reals.negative, reals.magnitude - integers};
}

WideUint ExactSummary::TotalSquares() const {
  const WideUint integers({static_cast<uint64_t>(integer_squares_low_),
                           static_cast<uint64_t>(integer_squares_low_ >> 64),
                           integer_squares_high_});
  return (integers << (-2 * kLowestExponent)) + real_squares_.Get().magnitude;
}

double ExactSummary::Sum() const {
  if (const std::optional<double> infinite = InfiniteSum()) return *infinite;
  const RealSum::Value sum = TotalSum();
  const double magnitude = RoundedQuotient(sum.magnitude, {}, kLowestExponent);
  return sum.negative ? -magnitude : magnitude;
}

double ExactSummary::Mean() const {
  if (count() == 0) return kNan;
  if (const std::optional<double> infinite = InfiniteSum()) return *infinite;
  const RealSum::Value sum = TotalSum();
  const double magnitude = RoundedQuotient(sum.magnitude, {count()}, kLowestExponent);
  return sum.negative ? -magnitude : magnitude;
}

// The sum of (x - mean)^2 is (n * sum of x^2 - (sum of x)^2) / n. In floating point
// that cancels catastrophically; here every term is exact.
double ExactSummary::Variance(uint64_t divisor) const {
  if (divisor == 0 || InfiniteSum().has_value()) return kNan;
  const WideUint sum = TotalSum().magnitude;
  const WideUint n_squares =
      TotalSquares() * WideUint(static_cast<unsigned __int128>(count()));
  return RoundedQuotient(n_squares - sum * sum, {count(), divisor},
                         2 * kLowestExponent);
}

double ExactSummary::PopulationVariance() const { return Variance(count()); }

double ExactSummary::SampleVariance() const {
  return count() < 2 ? kNan : Variance(count() - 1);
}

Number ExactSummary::Min() const {
  const Number real = Number::Real(DoubleFromOrdered(real_min_));
  const Number integer = Number::Integer(integer_min_);
  return reals_ == 0 || (integers_ > 0 && integer <= real) ? integer : real;
}

Number ExactSummary::Max() const {
  const Number real = Number::Real(DoubleFromOrdered(real_max_));
  const Number integer = Number::Integer(integer_max_);
  return reals_ == 0 || (integers_ > 0 && integer >= real) ? integer : real;
}

}  // namespace skep
