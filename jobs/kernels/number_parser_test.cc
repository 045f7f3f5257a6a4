#include "jobs/kernels/number_parser.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/decimal.h"

namespace skep {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// On every path, which must agree; at an offset that moves the text across the edges of
// vectors and pieces.
ParsedNumbers Parse(std::string_view text) {
  ParsedNumbers out;
  ParseNumbers(text, &out, CpuPath::kScalar);
  for (const CpuPath path : SupportedCpuPaths()) {
    for (const size_t offset : {0, 1, 33, 63, 4090}) {
      const std::string moved = std::string(offset, ' ') + std::string(text);
      ParsedNumbers other;
      ParseNumbers(moved, &other, path);
      EXPECT_EQ(other.integers, out.integers);
      EXPECT_EQ(other.large, out.large);
      EXPECT_TRUE(std::ranges::equal(other.doubles, out.doubles, {},
                                     std::bit_cast<uint64_t, double>,
                                     std::bit_cast<uint64_t, double>));
      EXPECT_EQ(other.nans, out.nans);
      EXPECT_EQ(other.unparsable, out.unparsable);
      EXPECT_EQ(other.line_ends, out.line_ends);
      EXPECT_EQ(other.problems.size(), out.problems.size());
      for (size_t i = 0; i < out.problems.size(); ++i) {
        const NumberProblem& problem = out.problems[i];
        EXPECT_EQ(other.problems[i].offset, problem.offset + offset);
        EXPECT_EQ(other.problems[i].line, problem.line);
        EXPECT_EQ(other.problems[i].column,
                  problem.column + (problem.line == 1 ? offset : 0));
        EXPECT_EQ(other.problems[i].token, problem.token);
      }
    }
  }
  EXPECT_EQ(out.bytes, text.size());
  EXPECT_EQ(out.problems.size(),
            std::min<size_t>(out.nans + out.unparsable, ParsedNumbers::kMaxProblems));
  return out;
}

using Integers = std::vector<int64_t>;
using Doubles = std::vector<double>;

TEST(NumberParser, NothingToParse) {
  for (const char* text : {"", " ", "\n", ",,,", " \t\r\n\v\f,"}) {
    const ParsedNumbers out = Parse(text);
    EXPECT_EQ(out.integers.size() + out.doubles.size() + out.nans + out.unparsable, 0u);
  }
}

TEST(NumberParser, Integers) {
  EXPECT_EQ(Parse("1 2\n3,4\t5\r\n6").integers, (Integers{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Parse("-1 +2 -0 007").integers, (Integers{-1, 2, 0, 7}));
  EXPECT_EQ(
      Parse("9223372036854775807 -9223372036854775808 +9223372036854775807").integers,
      (Integers{INT64_MAX, INT64_MIN, INT64_MAX}));
  EXPECT_EQ(Parse("999999999999999999 1000000000000000000").integers,
            (Integers{999999999999999999, 1000000000000000000}));
  EXPECT_EQ(Parse("0000000000000000000000000000012").integers, (Integers{12}));
}

TEST(NumberParser, LargeIntegersAreExact) {
  const ParsedNumbers out = Parse(
      "9223372036854775808 +18446744073709551615 18446744073709551614\n"
      "00000000000018446744073709551615 9999999999999999999 10000000000000000000");
  EXPECT_TRUE(out.integers.empty() && out.doubles.empty());
  EXPECT_EQ(out.large, (std::vector<uint64_t>{
                           uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 1, UINT64_MAX,
                           9999999999999999999u, 10000000000000000000u}));
}

TEST(NumberParser, IntegersThatDoNotFitAreDoubles) {
  const ParsedNumbers out =
      Parse("18446744073709551616 -9223372036854775809 100000000000000000000000");
  EXPECT_TRUE(out.integers.empty() && out.large.empty());
  EXPECT_EQ(out.doubles, (Doubles{0x1p64, -0x1p63, 1e23}));
}

// Digits around every rounding boundary, by every power of ten, against the library.
TEST(Decimals, NearestOrUndecided) {
  const Decimals& decimals = Decimals::Get();
  Random random(31);
  uint64_t undecided = 0, total = 0;
  const auto check = [&](uint64_t digits, int q) {
    const std::string text = std::to_string(digits) + "e" + std::to_string(q);
    double expected = 0, value = 0;
    const auto end = text.data() + text.size();
    const auto library = std::from_chars(text.data(), end, expected);
    const bool normal =
        library.ec == std::errc() && (expected == 0 || std::isnormal(expected));
    ++total;
    if (decimals.Nearest(digits, q, &value)) {
      EXPECT_EQ(std::bit_cast<uint64_t>(value), std::bit_cast<uint64_t>(expected))
          << text;
    } else {
      undecided += normal;
    }
  };
  for (int q = -360; q <= 320; ++q) {
    for (int i = 0; i < 40; ++i) check(random() >> random.Below(64), q);
    for (const uint64_t digits : {uint64_t{0}, uint64_t{1}, uint64_t{5}, UINT64_MAX,
                                  (uint64_t{1} << 53) + 1, (uint64_t{1} << 54) + 2}) {
      check(digits, q);
    }
  }
  // Halfway between doubles: integers of 54 bits, with and without a power of ten.
  for (int i = 0; i < 20000; ++i) {
    const uint64_t half =
        (uint64_t{1} << 53) + (random() >> 12 << 1 | 1) % (uint64_t{1} << 53);
    const uint64_t odd = half | 1;
    check(odd, 0);
    check(odd << random.Below(10), 0);
    check(odd * 10, -1);
    check(odd * 10 + 1, -1);
    check(odd * 10 - 1, -1);
    check(odd >> 20, static_cast<int>(random.Below(23)));
  }
  // Only true ties with a negative power, and the edges of the range, are left open.
  EXPECT_LT(undecided, total / 5);
  double value;
  EXPECT_FALSE(decimals.Nearest(1, 309, &value));
  EXPECT_FALSE(decimals.Nearest(4, -324, &value));
}

TEST(NumberParser, Doubles) {
  EXPECT_EQ(Parse("1.5 -.5 .5 1. +0.1 1e3 1E-3 -2e+10 0.1 123456.789").doubles,
            (Doubles{1.5, -.5, .5, 1., 0.1, 1e3, 1e-3, -2e10, 0.1, 123456.789}));
  EXPECT_EQ(Parse("1e308 5e-324 2.2250738585072011e-308").doubles,
            (Doubles{1e308, 5e-324, 2.2250738585072011e-308}));
  EXPECT_EQ(
      Parse("0.1234567890123456789 3.14159265358979323846264338327950288").doubles,
      (Doubles{0.1234567890123456789, 3.14159265358979323846264338327950288}));
  const ParsedNumbers zero = Parse("-0.0");
  ASSERT_EQ(zero.doubles.size(), 1u);
  EXPECT_TRUE(std::signbit(zero.doubles[0]));
}

TEST(NumberParser, OutOfRange) {
  const ParsedNumbers tiny = Parse("1e-400 -1e-99999");
  EXPECT_EQ(tiny.doubles, (Doubles{0, -0.0}));
  EXPECT_EQ(tiny.unparsable, 0u);
  const ParsedNumbers huge = Parse("1e309 -1e999 " + std::string(400, '9'));
  EXPECT_EQ(huge.unparsable, 3u);
  EXPECT_TRUE(huge.doubles.empty());
  EXPECT_EQ(Parse("0." + std::string(500, '0') + "1").doubles, Doubles{0});
}

TEST(NumberParser, InfinitiesAndNans) {
  EXPECT_EQ(Parse("inf -inf +inf Infinity -INF").doubles,
            (Doubles{kInfinity, -kInfinity, kInfinity, kInfinity, -kInfinity}));
  const ParsedNumbers out = Parse("1 nan\nNaN -nan 2\n");
  EXPECT_EQ(out.nans, 3u);
  EXPECT_EQ(out.unparsable, 0u);
  EXPECT_TRUE(out.doubles.empty());
  EXPECT_EQ(out.integers, (Integers{1, 2}));
  ASSERT_EQ(out.problems.size(), 3u);
  EXPECT_TRUE(out.problems[0].is_nan);
  EXPECT_EQ(out.problems[2].line, 2u);
}

TEST(NumberParser, UnparsableTokensAreNamed) {
  const ParsedNumbers out = Parse("1 two\n\n  3 4x,0x10\n");
  EXPECT_EQ(out.integers, (Integers{1, 3}));
  ASSERT_EQ(out.problems.size(), 3u);
  EXPECT_EQ(out.problems[0].token, "two");
  EXPECT_EQ(out.problems[0].line, 1u);
  EXPECT_EQ(out.problems[0].column, 3u);
  EXPECT_EQ(out.problems[0].offset, 2u);
  EXPECT_EQ(out.problems[1].token, "4x");
  EXPECT_EQ(out.problems[1].line, 3u);
  EXPECT_EQ(out.problems[1].column, 5u);
  EXPECT_EQ(out.problems[1].offset, 11u);
  EXPECT_EQ(out.problems[2].token, "0x10");
  EXPECT_EQ(out.line_ends, 3u);
  for (const char* bad :
       {"-", "+", ".", "e5", "1e", "1e+", "--1", "+-1", "-+1", "++1", "1.2.3", "1-2",
        "1_000", "infinite", "na", "\xff", "1;2", "1.5f"}) {
    const ParsedNumbers parsed = Parse(bad);
    EXPECT_EQ(parsed.unparsable, 1u) << bad;
    EXPECT_EQ(parsed.integers.size() + parsed.doubles.size() + parsed.nans, 0u) << bad;
  }
  EXPECT_EQ(Parse(std::string_view("1\0 2", 4)).unparsable, 1u);
}

TEST(NumberParser, HugeAndManyBadTokens) {
  const ParsedNumbers huge = Parse(std::string(1 << 20, 'x') + "\n5");
  EXPECT_EQ(huge.unparsable, 1u);
  EXPECT_EQ(huge.problems[0].token.size(), ParsedNumbers::kMaxTokenBytes);
  EXPECT_EQ(huge.integers, Integers{5});
  EXPECT_EQ(Parse("1." + std::string(1 << 20, '0')).doubles, Doubles{1});
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "x\n";
  EXPECT_EQ(Parse(many).unparsable, 1000u);
}

TEST(NumberParser, PiecesCountOn) {
  ParsedNumbers out;
  ParseNumbers("1\n2\n", &out);
  out.ClearNumbers();
  ParseNumbers("3 bad", &out);
  EXPECT_EQ(out.integers, Integers{3});
  ASSERT_EQ(out.problems.size(), 1u);
  EXPECT_EQ(out.problems[0].line, 3u);
  EXPECT_EQ(out.problems[0].column, 3u);
  EXPECT_EQ(out.problems[0].offset, 6u);
  EXPECT_EQ(out.bytes, 9u);
}

// Every double, printed shortest and printed long, reads back as itself.
TEST(NumberParser, RoundTripsDoubles) {
  Random random(6);
  for (int i = 0; i < 20000; ++i) {
    double value = std::bit_cast<double>(random());
    if (i % 2 == 0) value = std::round(random.Unit() * 1e6) / 1e3;
    if (!std::isfinite(value)) continue;
    char text[1100];
    const auto shortest = std::to_chars(text, text + sizeof text, value);
    std::string_view token(text, shortest.ptr - text);
    ParsedNumbers out = Parse(token);
    ASSERT_EQ(out.integers.size() + out.large.size() + out.doubles.size(), 1u) << token;
    for (const int64_t integer : out.integers) {
      EXPECT_EQ(static_cast<double>(integer), value) << token;
    }
    for (const uint64_t large : out.large) {
      EXPECT_EQ(static_cast<double>(large), value) << token;
    }
    for (const double real : out.doubles) EXPECT_EQ(real, value) << token;
    const auto fixed =
        std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, 20);
    token = std::string_view(text, fixed.ptr - text);
    double expected;
    std::from_chars(token.data(), token.data() + token.size(), expected);
    out = Parse(token);
    ASSERT_EQ(out.doubles.size(), 1u) << token;
    EXPECT_EQ(out.doubles[0], expected) << token;
  }
}

TEST(NumberParser, RoundTripsIntegers) {
  Random random(7);
  Integers expected;
  std::string text;
  for (int i = 0; i < 20000; ++i) {
    expected.push_back(static_cast<int64_t>(random()) >> random.Below(64));
    text += std::to_string(expected.back());
    text += ", \n\t"[random.Below(4)];
  }
  EXPECT_EQ(Parse(text).integers, expected);
}

TEST(NumberParser, Binary) {
  const Integers integers = {1, -1, INT64_MIN, INT64_MAX};
  ParsedNumbers out;
  const std::string_view bytes(reinterpret_cast<const char*>(integers.data()), 32);
  ASSERT_TRUE(DecodeIntegers(bytes, &out).ok());
  EXPECT_EQ(out.integers, integers);
  ASSERT_TRUE(DecodeIntegers("", &out).ok());
  EXPECT_EQ(out.integers.size(), 4u);
  for (const size_t size : {1, 7, 9, 31}) {
    EXPECT_EQ(DecodeIntegers(bytes.substr(0, size), &out).code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(DecodeDoubles(bytes.substr(0, size), &out).ok());
  }
  EXPECT_EQ(out.integers.size(), 4u);

  const Doubles doubles = {1.5, std::nan(""), -kInfinity, -0.0};
  // Unaligned on purpose.
  std::string padded = "x";
  padded.append(reinterpret_cast<const char*>(doubles.data()), 32);
  ASSERT_TRUE(DecodeDoubles(std::string_view(padded).substr(1), &out).ok());
  EXPECT_EQ(out.doubles, (Doubles{1.5, -kInfinity, -0.0}));
  EXPECT_EQ(out.nans, 1u);
  ASSERT_EQ(out.problems.size(), 1u);
  EXPECT_EQ(out.problems[0].offset, 40u);  // after 32 bytes of integers and one double
  EXPECT_EQ(out.problems[0].line, 0u);
}

}  // namespace
}  // namespace skep
