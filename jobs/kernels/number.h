// A number of an input: an integer, or a double. Compared by value, exactly.

#ifndef SKEP_JOBS_KERNELS_NUMBER_H_
#define SKEP_JOBS_KERNELS_NUMBER_H_

#include <compare>
#include <cstdint>
#include <string>

namespace skep {

struct Number {
  bool is_integer = true;
  // If is_integer: from -2^63 to 2^64 - 1, what 64 bits hold with a sign or without.
  __int128 integer = 0;
  double real = 0;  // else; never NaN

  static Number Integer(__int128 value) { return {true, value, 0}; }
  static Number Real(double value) { return {false, 0, value}; }

  // By value: no rounding, and -0.0 == 0.
  std::strong_ordering operator<=>(const Number& other) const;
  bool operator==(const Number& other) const { return (*this <=> other) == 0; }

  double ToDouble() const { return is_integer ? static_cast<double>(integer) : real; }
  // The shortest decimal text that reads back as the same value: "42", "0.1", "1e+300",
  // "inf", "-inf", "nan".
  std::string ToString() const;
};

// Likewise for a double, and for an integer of 128 bits.
std::string DoubleToString(double value);
std::string Int128ToString(__int128 value);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_NUMBER_H_
