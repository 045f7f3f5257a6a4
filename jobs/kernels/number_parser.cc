#include "jobs/kernels/number_parser.h"

#include <locale.h>
#include <stdlib.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <system_error>

#include "base/coding.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr bool IsSeparator(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == ',';
}
constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Powers of ten that are exact as doubles.
constexpr double kPowersOfTen[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
constexpr int kMaxExactDigits = 15;    // every integer of so many digits is a double
constexpr int kMaxIntegerDigits = 18;  // every integer of so many digits fits 64 bits

// The magnitude of a decimal beyond the range of doubles: infinity or zero. from_chars
// only says that it is out of range; strtod says on which side.
double OutOfRange(std::string_view token) {
  static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
  return strtod_l(std::string(token).c_str(), nullptr, c_locale);
}

// Any token, slowly. Nothing if it is unparsable; a NaN is a double here.
struct Slow {
  bool is_integer = false;
  int64_t integer = 0;
  double real = 0;
};
std::optional<Slow> ParseSlowly(std::string_view token) {
  std::string_view digits = token;
  if (digits.starts_with('+')) {
    digits.remove_prefix(1);
    if (digits.starts_with('-')) return std::nullopt;
  }
  const char* end = digits.data() + digits.size();
  Slow slow{.is_integer = true};
  auto [stop, error] = std::from_chars(digits.data(), end, slow.integer);
  if (error == std::errc() && stop == end) return slow;
  slow.is_integer = false;
  const auto real = std::from_chars(digits.data(), end, slow.real);
  if (real.ptr != end || real.ec == std::errc::invalid_argument) return std::nullopt;
  if (real.ec == std::errc::result_out_of_range) {
    slow.real = OutOfRange(digits);
    if (std::isinf(slow.real)) return std::nullopt;
  }
  return slow;
}

class Parser {
 public:
  Parser(std::string_view text, ParsedNumbers* out)
      : begin_(text.data()), end_(begin_ + text.size()), line_(begin_), out_(*out) {}

  void Run() {
    const char* p = begin_;
    while (true) {
      for (; p < end_ && IsSeparator(*p); ++p) {
        if (*p != '\n') continue;
        ++out_.line_ends;
        line_ = p + 1;
      }
      if (p == end_) break;
      const char* after = ParseFast(p);
      p = after != nullptr ? after : ParseToken(p);
    }
    out_.bytes += static_cast<uint64_t>(end_ - begin_);
  }

 private:
  bool EndsAt(const char* p) const { return p == end_ || IsSeparator(*p); }

  // Plain integers, and decimals of few digits: m / 10^k with both exact is rounded
  // once (Clinger 1990, the fast path). Null for anything else.
  const char* ParseFast(const char* p) {
    const bool negative = *p == '-';
    p += negative;
    const char* first = p;
    uint64_t digits = 0;
    for (; p < end_ && IsDigit(*p); ++p) digits = digits * 10 + (*p - '0');
    if (p == first || p - first > kMaxIntegerDigits) return nullptr;
    if (EndsAt(p)) {
      const auto value = static_cast<int64_t>(digits);
      out_.integers.push_back(negative ? -value : value);
      return p;
    }
    if (*p != '.') return nullptr;
    const char* point = p++;
    for (; p < end_ && IsDigit(*p); ++p) digits = digits * 10 + (*p - '0');
    if (p - first - 1 > kMaxExactDigits || !EndsAt(p)) return nullptr;
    const double value = static_cast<double>(digits) / kPowersOfTen[p - point - 1];
    out_.doubles.push_back(negative ? -value : value);
    return p;
  }

  const char* ParseToken(const char* p) {
    const char* first = p;
    while (!EndsAt(p)) ++p;
    const std::string_view token(first, p - first);
    const std::optional<Slow> number = ParseSlowly(token);
    if (!number.has_value()) {
      ++out_.unparsable;
      Complain(token, false);
    } else if (number->is_integer) {
      out_.integers.push_back(number->integer);
    } else if (std::isnan(number->real)) {
      ++out_.nans;
      Complain(token, true);
    } else {
      out_.doubles.push_back(number->real);
    }
    return p;
  }

  void Complain(std::string_view token, bool is_nan) {
    if (out_.problems.size() >= ParsedNumbers::kMaxProblems) return;
    out_.problems.push_back(
        {.offset = out_.bytes + static_cast<uint64_t>(token.data() - begin_),
         .line = out_.line_ends + 1,
         .column = static_cast<uint64_t>(token.data() - line_) + 1,
         .is_nan = is_nan,
         .token = std::string(token.substr(0, ParsedNumbers::kMaxTokenBytes))});
  }

  const char* const begin_;
  const char* const end_;
  const char* line_;  // the start of the current line
  ParsedNumbers& out_;
};

absl::Status CheckWhole(std::string_view bytes) {
  if (bytes.size() % 8 == 0) return absl::OkStatus();
  return InvalidArgument(bytes.size(), " bytes are no whole number of 8-byte values (",
                         bytes.size() % 8, " bytes are left over)");
}

}  // namespace

void ParseNumbers(std::string_view text, ParsedNumbers* out) {
  Parser(text, out).Run();
}

absl::Status DecodeIntegers(std::string_view bytes, ParsedNumbers* out) {
  SKEP_RETURN_IF_ERROR(CheckWhole(bytes));
  const size_t before = out->integers.size();
  out->integers.resize(before + bytes.size() / 8);
  if (!bytes.empty()) {
    std::memcpy(out->integers.data() + before, bytes.data(), bytes.size());
  }
  out->bytes += bytes.size();
  return absl::OkStatus();
}

absl::Status DecodeDoubles(std::string_view bytes, ParsedNumbers* out) {
  SKEP_RETURN_IF_ERROR(CheckWhole(bytes));
  out->doubles.reserve(out->doubles.size() + bytes.size() / 8);
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const auto value = LoadLittle<double>(bytes.data() + i);
    if (!std::isnan(value)) {
      out->doubles.push_back(value);
      continue;
    }
    ++out->nans;
    if (out->problems.size() < ParsedNumbers::kMaxProblems) {
      out->problems.push_back(
          {.offset = out->bytes + i, .is_nan = true, .token = "nan"});
    }
  }
  out->bytes += bytes.size();
  return absl::OkStatus();
}

}  // namespace skep
