#include "jobs/kernels/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace skep {
namespace {

std::strong_ordering CompareReals(double a, double b) {
  return a < b   ? std::strong_ordering::less
         : a > b ? std::strong_ordering::greater
                 : std::strong_ordering::equal;
}

// Without converting the integer, which may have more bits than a double keeps.
std::strong_ordering CompareMixed(__int128 integer, double real) {
  if (real >= 0x1p64) return std::strong_ordering::less;
  if (real < -0x1p63) return std::strong_ordering::greater;
  const double whole = std::trunc(real);
  const auto by_whole = integer <=> static_cast<__int128>(whole);
  return by_whole != 0 ? by_whole : CompareReals(0, real - whole);
}

}  // namespace

std::strong_ordering Number::operator<=>(const Number& other) const {
  if (is_integer && other.is_integer) return integer <=> other.integer;
  if (is_integer) return CompareMixed(integer, other.real);
  if (other.is_integer) return 0 <=> CompareMixed(other.integer, real);
  return CompareReals(real, other.real);
}

std::string Number::ToString() const {
  return is_integer ? Int128ToString(integer) : DoubleToString(real);
}

std::string DoubleToString(double value) {
  if (std::isnan(value)) return "nan";
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, result.ptr);
}

std::string Int128ToString(__int128 value) {
  auto rest = static_cast<unsigned __int128>(value);
  if (value < 0) rest = -rest;
  std::string digits;
  do {
    digits += static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  } while (rest != 0);
  if (value < 0) digits += '-';
  std::reverse(digits.begin(), digits.end());
  return digits;
}

}  // namespace skep
