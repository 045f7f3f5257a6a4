#include "jobs/kernels/quantile.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "base/shorten.h"
#include "base/status.h"
#include "jobs/kernels/wide_uint.h"

namespace skep {
namespace {

using Uint128 = unsigned __int128;

constexpr size_t kMaxFractionDigits = 18;  // so that the denominator fits 64 bits

bool AllDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

// A finite number as magnitude * 2^exponent.
struct Exactly {
  bool negative;
  WideUint magnitude;
  int exponent;
};

Exactly ExactlyOf(const Number& number) {
  if (number.is_integer) {
    const auto bits = static_cast<Uint128>(number.integer);
    const bool negative = number.integer < 0;
    return {negative, WideUint(negative ? -bits : bits), 0};
  }
  int exponent;
  const double fraction = std::frexp(std::fabs(number.real), &exponent);
  const auto mantissa = static_cast<uint64_t>(std::ldexp(fraction, 53));
  return {std::signbit(number.real), WideUint(Uint128{mantissa}), exponent - 53};
}

// The nearest double to (low * (denominator - numerator) + high * numerator) /
// denominator: in floating point two of opposite signs would cancel.
double Between(const Number& low, const Number& high, const QuantileRanks& ranks) {
  const double ends[] = {low.ToDouble(), high.ToDouble()};
  if (std::isinf(ends[0]) && std::isinf(ends[1])) return ends[0] + ends[1];
  if (std::isinf(ends[0])) return ends[0];
  if (std::isinf(ends[1])) return ends[1];
  const Exactly a = ExactlyOf(low), b = ExactlyOf(high);
  const int exponent = std::min(a.exponent, b.exponent);
  const auto scaled = [exponent](const Exactly& number, uint64_t factor) {
    return (number.magnitude << (number.exponent - exponent)) *
           WideUint(Uint128{factor});
  };
  const WideUint from = scaled(a, ranks.denominator - ranks.numerator);
  const WideUint to = scaled(b, ranks.numerator);
  const bool negative = from > to ? a.negative : b.negative;
  const WideUint sum = a.negative == b.negative ? from + to
                       : from > to              ? from - to
                                                : to - from;
  const double value = RoundedQuotient(sum, {ranks.denominator}, exponent);
  return negative ? -value : value;
}

}  // namespace

absl::StatusOr<QuantileDefinition> ParseQuantileDefinition(std::string_view text) {
  if (text == "lower") return QuantileDefinition::kLower;
  if (text == "upper") return QuantileDefinition::kUpper;
  if (text == "midpoint") return QuantileDefinition::kMidpoint;
  if (text == "interpolated" || text == "linear")
    return QuantileDefinition::kInterpolated;
  return InvalidArgument("\"", Shorten(text),
                         "\" is no definition of a quantile: use lower, upper, "
                         "midpoint or interpolated (linear)");
}

absl::StatusOr<Quantile> ParseQuantile(std::string_view text) {
  const size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = text.substr(std::min(point + 1, text.size()));
  const bool good = AllDigits(whole) && AllDigits(fraction) &&
                    whole.size() + fraction.size() > 0 && whole.size() <= 1 &&
                    fraction.size() <= kMaxFractionDigits;
  Quantile q{.numerator = 0, .denominator = 1, .text = std::string(text)};
  if (good) {
    for (const char digit : fraction) {
      q.numerator = q.numerator * 10 + static_cast<uint64_t>(digit - '0');
      q.denominator *= 10;
    }
    if (!whole.empty())
      q.numerator += static_cast<uint64_t>(whole[0] - '0') * q.denominator;
  }
  if (!good || q.numerator > q.denominator) {
    return InvalidArgument(
        "\"", Shorten(text),
        "\" is no quantile: use a decimal fraction from 0 to 1 of at "
        "most ",
        kMaxFractionDigits, " digits, such as 0.99");
  }
  return q;
}

absl::StatusOr<std::vector<Quantile>> ParseQuantiles(std::string_view text) {
  std::vector<Quantile> quantiles;
  while (true) {
    const size_t comma = std::min(text.find(','), text.size());
    SKEP_ASSIGN_OR_RETURN(Quantile q, ParseQuantile(text.substr(0, comma)));
    quantiles.push_back(std::move(q));
    if (comma == text.size()) return quantiles;
    text.remove_prefix(comma + 1);
  }
}

QuantileRanks RanksOf(const Quantile& q, uint64_t n, QuantileDefinition definition) {
  const Uint128 scaled = static_cast<Uint128>(q.numerator) * n;
  const auto below = static_cast<uint64_t>(scaled / q.denominator);
  const bool whole = scaled % q.denominator == 0;
  const uint64_t lower = std::max<uint64_t>(1, whole ? below : below + 1);
  const uint64_t upper = std::min(n, below + 1);
  switch (definition) {
    case QuantileDefinition::kLower:
      return {lower, lower};
    case QuantileDefinition::kUpper:
      return {upper, upper};
    case QuantileDefinition::kMidpoint:
      if (lower == upper) return {lower, lower};
      return {lower, upper, 1, 2};
    case QuantileDefinition::kInterpolated:
      break;
  }
  const Uint128 h = static_cast<Uint128>(q.numerator) * (n - 1);
  const auto low = static_cast<uint64_t>(h / q.denominator) + 1;
  const auto rest = static_cast<uint64_t>(h % q.denominator);
  if (rest == 0) return {low, low};
  return {low, low + 1, rest, q.denominator};
}

Number ValueAt(const QuantileRanks& ranks, const Number& low, const Number& high) {
  if (ranks.numerator == 0 || low == high) return low;
  if (!low.is_integer || !high.is_integer) {
    return Number::Real(Between(low, high, ranks));
  }
  // low + (high - low) * numerator / denominator: below 2^65 * 10^18, so it fits.
  const auto span = static_cast<Uint128>(high.integer - low.integer);
  const __int128 value =
      low.integer * ranks.denominator + static_cast<__int128>(span * ranks.numerator);
  if (value % ranks.denominator == 0) {
    return Number::Integer(value / ranks.denominator);
  }
  const Uint128 magnitude = value < 0 ? -static_cast<Uint128>(value) : value;
  const double rounded = RoundedQuotient(WideUint(magnitude), {ranks.denominator}, 0);
  return Number::Real(value < 0 ? -rounded : rounded);
}

}  // namespace skep
