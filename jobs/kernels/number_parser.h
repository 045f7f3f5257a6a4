// Numbers from text and from binary blocks.
//
// Text: tokens separated by white space and commas, any number of them.
//   42 -7 +3                an integer of 64 bits, exactly
//   12345678901234567890    likewise one below 2^64; a larger one: the nearest double
//   1.5 .5 1. 1e-3 -2E+10   the nearest double; too small to be one: a zero or
//   subnormal inf -inf infinity       infinities, in any case nan -nan nan(x) NaN:
//   counted, not a number 1e999, 0x10, 1_000, a   unparsable: counted (1e999 is beyond
//   the largest double)
// Binary: 8 bytes a number, little-endian.
//
// Whoever reads a file in pieces, cut at line ends or between tokens, gives the pieces
// to the same ParsedNumbers: lines and offsets of problems count on.

#ifndef SKEP_JOBS_KERNELS_NUMBER_PARSER_H_
#define SKEP_JOBS_KERNELS_NUMBER_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/cpu_path.h"

namespace skep {

// A token that is not a number, or a NaN.
struct NumberProblem {
  uint64_t offset = 0;  // bytes before it
  uint64_t line = 0;    // from 1; 0 in binary
  uint64_t column = 0;  // in bytes, from 1; 0 in binary
  bool is_nan = false;
  std::string token;  // at most kMaxTokenBytes of it
};

struct ParsedNumbers {
  static constexpr size_t kMaxProblems = 20;
  static constexpr size_t kMaxTokenBytes = 40;

  std::vector<int64_t> integers;  // in the order of the text
  std::vector<uint64_t> large;    // integers from 2^63 to 2^64 - 1, likewise
  std::vector<double> doubles;    // likewise; no NaN
  uint64_t nans = 0;
  uint64_t unparsable = 0;
  // The first kMaxProblems of the NaNs and unparsable tokens.
  std::vector<NumberProblem> problems;
  // Consumed so far.
  uint64_t bytes = 0;
  uint64_t line_ends = 0;

  // Forgets the numbers, for the next piece, and keeps the rest.
  void ClearNumbers() {
    integers.clear();
    large.clear();
    doubles.clear();
  }
};

// Appends the numbers of a text.
void ParseNumbers(std::string_view text, ParsedNumbers* out,
                  CpuPath path = BestCpuPath());

// Appends binary numbers. InvalidArgument, with nothing appended, for a size that is
// not a multiple of 8.
absl::Status DecodeIntegers(std::string_view bytes, ParsedNumbers* out);
absl::Status DecodeUnsigned(std::string_view bytes, ParsedNumbers* out);
absl::Status DecodeDoubles(std::string_view bytes, ParsedNumbers* out);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_NUMBER_PARSER_H_
