#include "jobs/kernels/fast_summary.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/coding.h"
#include "base/status.h"
#include "jobs/kernels/number_sums.h"

namespace skep {
namespace {

// The sum of magnitudes, in as many chains as a vector has room for.
double Magnitudes(std::span<const double> values) {
  std::array<double, 8> sums = {};
  size_t i = 0;
  for (; i + sums.size() <= values.size(); i += sums.size()) {
    for (size_t j = 0; j < sums.size(); ++j) sums[j] += std::fabs(values[i + j]);
  }
  for (; i < values.size(); ++i) sums[0] += std::fabs(values[i]);
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

void PutDouble(std::string* out, double value) {
  PutBig64(out, std::bit_cast<uint64_t>(value));
}
bool GetDouble(std::string_view* in, double* value) {
  uint64_t bits;
  if (!GetBig64(in, &bits)) return false;
  *value = std::bit_cast<double>(bits);
  return true;
}

}  // namespace

// D. Knuth's two-sum, TAOCP 4.2.2.
void FastSummary::Compensated::Add(double value) {
  const double next = sum + value;
  if (std::isfinite(next)) {
    const double shift = next - sum;
    rest += (sum - (next - shift)) + (value - shift);
  } else {
    rest = 0;
  }
  sum = next;
}

void FastSummary::Add(std::span<const int64_t> values, CpuPath path) {
  integers_ += values.size();
  integer_sum_ += SumIntegers(values, path);
}

void FastSummary::Add(std::span<const uint64_t> values) {
  integers_ += values.size();
  for (const uint64_t value : values) integer_sum_ += value;
}

void FastSummary::Add(std::span<const double> values, CpuPath path) {
  if (values.empty()) return;
  reals_ += values.size();
  double sum = FastSum(values, path);
  // Infinities, or a sum that left the range on its way.
  if (!std::isfinite(sum)) {
    sum = NaiveSum(values);
    for (const double value : values) {
      if (std::isinf(value))
        ++(value > 0 ? positive_infinities_ : negative_infinities_);
    }
  }
  real_sum_.Add(sum);
  // Of FastSum, as its test holds it to.
  real_error_ += std::fabs(sum) * 0x1p-52 +
                 Magnitudes(values) * static_cast<double>(values.size()) * 0x1p-104 +
                 std::numeric_limits<double>::denorm_min();
}

void FastSummary::Merge(const FastSummary& other) {
  integers_ += other.integers_;
  reals_ += other.reals_;
  positive_infinities_ += other.positive_infinities_;
  negative_infinities_ += other.negative_infinities_;
  integer_sum_ += other.integer_sum_;
  real_sum_.Add(other.real_sum_.sum);
  real_sum_.Add(other.real_sum_.rest);
  real_error_ += other.real_error_;
}

FastSummary::Compensated FastSummary::Total() const {
  Compensated total = real_sum_;
  // In two doubles, what is left is below 2^22 and rounds to nothing of the sum.
  const auto high = static_cast<double>(integer_sum_);
  total.Add(high);
  total.Add(static_cast<double>(integer_sum_ - static_cast<__int128>(high)));
  return total;
}

std::optional<__int128> FastSummary::IntegerSum() const {
  if (reals_ > 0) return std::nullopt;
  return integer_sum_;
}

double FastSummary::Sum() const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (positive_infinities_ > 0 && negative_infinities_ > 0) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (positive_infinities_ > 0) return kInfinity;
  if (negative_infinities_ > 0) return -kInfinity;
  const Compensated total = Total();
  return total.sum + total.rest;
}

double FastSummary::SumError() const {
  const double sum = Sum();
  if (!std::isfinite(sum)) return std::numeric_limits<double>::quiet_NaN();
  const double rounding = std::fabs(sum) * 0x1p-52;
  // The second factor is for the rounding of the bound itself.
  return (reals_ > 0 ? real_error_ + rounding : rounding) * (1 + 0x1p-20);
}

double FastSummary::Mean() const { return Sum() / static_cast<double>(count()); }

std::string FastSummary::Serialize() const {
  std::string bytes;
  PutVarint(&bytes, integers_);
  PutVarint(&bytes, reals_);
  PutVarint(&bytes, positive_infinities_);
  PutVarint(&bytes, negative_infinities_);
  const auto sum = static_cast<unsigned __int128>(integer_sum_);
  PutBig64(&bytes, static_cast<uint64_t>(sum));
  PutBig64(&bytes, static_cast<uint64_t>(sum >> 64));
  for (const double value : {real_sum_.sum, real_sum_.rest, real_error_}) {
    PutDouble(&bytes, value);
  }
  return bytes;
}

absl::StatusOr<FastSummary> FastSummary::Parse(std::string_view bytes) {
  FastSummary summary;
  uint64_t low, high;
  if (!GetVarint(&bytes, &summary.integers_) || !GetVarint(&bytes, &summary.reals_) ||
      !GetVarint(&bytes, &summary.positive_infinities_) ||
      !GetVarint(&bytes, &summary.negative_infinities_) || !GetBig64(&bytes, &low) ||
      !GetBig64(&bytes, &high) || !GetDouble(&bytes, &summary.real_sum_.sum) ||
      !GetDouble(&bytes, &summary.real_sum_.rest) ||
      !GetDouble(&bytes, &summary.real_error_) || !bytes.empty()) {
    return DataLoss("a fast summary is malformed");
  }
  summary.integer_sum_ =
      static_cast<__int128>(static_cast<unsigned __int128>(high) << 64 | low);
  return summary;
}

}  // namespace skep
