#include "jobs/kernels/exact_summary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

ExactSummary OfDoubles(const std::vector<double>& values) {
  ExactSummary summary;
  summary.Add(values);
  return summary;
}

ExactSummary OfIntegers(const std::vector<int64_t>& values) {
  ExactSummary summary;
  summary.Add(values);
  return summary;
}

struct Case {
  std::string name;
  std::vector<double> values;
  double sum, mean, population_variance, sample_variance;
};

// Computed with rational numbers (Python's fractions), rounded once.
const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"one",
       {0x1.999999999999ap-4},
       0x1.999999999999ap-4,
       0x1.999999999999ap-4,
       0x0.0p+0,
       kNan},
      {"cancelling",
       {0x1.1ccf385ebc8a0p+1023, 0x1.0000000000000p+0, -0x1.1ccf385ebc8a0p+1023,
        0x1.56e1fc2f8f359p-997},
       0x1.0000000000000p+0,
       0x1.0000000000000p-2,
       kInfinity,
       kInfinity},
      {"overflowing sum, finite mean",
       {0x1.e42d130773b76p+1023, 0x1.e42d130773b76p+1023, 0x1.c7b1f3cac7433p+1023},
       kInfinity,
       0x1.daaeb3488f90ap+1023,
       kInfinity,
       kInfinity},
      {"subnormals",
       {0x0.0000000000001p-1022, 0x0.0000000000001p-1022, 0x0.0000000000002p-1022,
        -0x0.0000000000001p-1022, 0x1.0000000000000p-1022},
       0x1.0000000000003p-1022,
       0x0.3333333333334p-1022,
       0x0.0p+0,
       0x0.0p+0},
      {"halfway, to even",
       {0x1.0000000000000p+0, 0x1.0000000000000p-53},
       0x1.0000000000000p+0,
       0x1.0000000000000p-1,
       0x1.ffffffffffffep-3,
       0x1.ffffffffffffep-2},
      {"halfway and a bit",
       {0x1.0000000000000p+0, 0x1.0000000000000p-53, 0x1.0000000000000p-1000},
       0x1.0000000000001p+0,
       0x1.5555555555556p-2,
       0x1.c71c71c71c71cp-3,
       0x1.5555555555555p-2},
      {"a large offset",
       {0x1.dcd6502000000p+29, 0x1.dcd6503800000p+29, 0x1.dcd6506800000p+29,
        0x1.dcd6508000000p+29},
       0x1.dcd6505000000p+31,
       0x1.dcd6505000000p+29,
       0x1.6800000000000p+4,
       0x1.e000000000000p+4},
      {"all scales",
       {0x1.e54e9bc9a7834p-193, -0x1.28b2f3a47e100p+93, -0x1.767727ca98cc2p-884,
        -0x1.332a1858028d0p-117, 0x1.1e20b87b382e0p-819, 0x1.e43bb74eb2520p+153,
        -0x1.e518208e498c1p+290, -0x1.277a09a57982bp-189, -0x1.f3d7b58e26346p-906,
        -0x1.288f5635a6592p-707, -0x1.244ecc93be2a8p+146, -0x1.a61dbf29c77f0p+165},
       -0x1.e518208e498c1p+290,
       -0x1.43656b09865d6p+287,
       0x1.18de3df145ca3p+578,
       0x1.3266cf35c07f7p+578},
      {"tenths",
       {0x0.0p+0,
        0x1.999999999999ap-4,
        0x1.999999999999ap-3,
        0x1.3333333333334p-2,
        0x1.999999999999ap-2,
        0x1.0000000000000p-1,
        0x1.3333333333334p-1,
        0x1.6666666666667p-1,
        0x1.999999999999ap-1,
        0x1.ccccccccccccdp-1,
        0x1.0000000000000p+0,
        0x1.199999999999ap+0,
        0x1.3333333333334p+0,
        0x1.4cccccccccccdp+0,
        0x1.6666666666667p+0,
        0x1.8000000000000p+0,
        0x1.999999999999ap+0,
        0x1.b333333333334p+0,
        0x1.ccccccccccccdp+0,
        0x1.e666666666667p+0},
       0x1.3000000000000p+4,
       0x1.e666666666667p-1,
       0x1.547ae147ae148p-2,
       0x1.6666666666667p-2},
      {"random",
       {-0x1.3d9c4698ac1fap-1, -0x1.7aa1d3da50a7ep-1, -0x1.604dc5cd367d1p-2,
        -0x1.b3e6daa8e08abp-4, 0x1.439fd344d1d19p-1, 0x1.fcc76d8c22aaap-3,
        -0x1.ca1766d2e91eep-2, -0x1.e9f06928a3a02p-1, -0x1.0a8ad028b3586p-1,
        0x1.388e4c9e7c01fp+0, -0x1.9dab277d011b6p-1, 0x1.f54412f90f4cep-3},
       -0x1.19352810da99dp+1,
       -0x1.76f18ac12377dp-3,
       0x1.91f81359729aap-2,
       0x1.b682fdd5f162ep-2},
  };
  return cases;
}

void ExpectSame(double actual, double expected, const std::string& what) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(actual)) << what;
  } else {
    EXPECT_EQ(actual, expected) << what;
  }
}

TEST(ExactSummary, CorrectlyRoundedAnswers) {
  for (const Case& c : Cases()) {
    const ExactSummary summary = OfDoubles(c.values);
    EXPECT_EQ(summary.count(), c.values.size());
    ExpectSame(summary.Sum(), c.sum, c.name + ": sum");
    ExpectSame(summary.Mean(), c.mean, c.name + ": mean");
    ExpectSame(summary.PopulationVariance(), c.population_variance, c.name);
    ExpectSame(summary.SampleVariance(), c.sample_variance, c.name);
    EXPECT_EQ(summary.Min().real, *std::min_element(c.values.begin(), c.values.end()));
    EXPECT_EQ(summary.Max().real, *std::max_element(c.values.begin(), c.values.end()));
    EXPECT_FALSE(summary.IntegerSum().has_value());
  }
}

TEST(ExactSummary, NoNumbers) {
  const ExactSummary empty;
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.Sum(), 0);
  EXPECT_TRUE(std::isnan(empty.Mean()));
  EXPECT_TRUE(std::isnan(empty.PopulationVariance()));
  EXPECT_TRUE(std::isnan(empty.SampleVariance()));
  EXPECT_TRUE(*empty.IntegerSum() == 0);
  EXPECT_EQ(ExactSummary::Parse(empty.Serialize())->count(), 0u);
}

TEST(ExactSummary, ExtremeIntegers) {
  const ExactSummary low = OfIntegers({INT64_MIN, INT64_MIN, INT64_MIN});
  EXPECT_EQ(Int128ToString(*low.IntegerSum()), "-27670116110564327424");
  EXPECT_EQ(low.Mean(), -0x1p63);
  EXPECT_EQ(low.PopulationVariance(), 0);
  EXPECT_EQ(low.SampleVariance(), 0);
  const ExactSummary both = OfIntegers({INT64_MIN, INT64_MAX});
  EXPECT_TRUE(*both.IntegerSum() == -1);
  EXPECT_EQ(both.Mean(), -0.5);
  EXPECT_EQ(both.PopulationVariance(), 0x1p126);  // (2^63 - 0.5)^2, rounded
  EXPECT_EQ(both.Min(), Number::Integer(INT64_MIN));
  EXPECT_EQ(both.Max(), Number::Integer(INT64_MAX));
}

// The mean of integers beyond 2^53 is rounded once, not after a rounded sum.
TEST(ExactSummary, MeanOfLargeIntegers) {
  const int64_t odd = (int64_t{1} << 53) + 1;
  EXPECT_EQ(OfIntegers({odd}).Mean(), 0x1p53);               // halfway, to even
  EXPECT_EQ(OfIntegers({odd, odd + 1}).Mean(), 0x1p53 + 2);  // 2^53 + 1.5
  EXPECT_EQ(OfIntegers({odd - 1, odd}).Mean(), 0x1p53);      // 2^53 + 0.5
  EXPECT_EQ(OfIntegers({1, 2}).Mean(), 1.5);
  EXPECT_EQ(OfIntegers({1, 1, 2}).Mean(), 4.0 / 3);
  EXPECT_EQ(OfIntegers({-1, -1, -2}).Mean(), -4.0 / 3);
}

TEST(ExactSummary, IntegersAndDoublesAgree) {
  Random random(11);
  for (int round = 0; round < 50; ++round) {
    std::vector<int64_t> integers;
    std::vector<double> doubles;
    ExactSummary mixed;
    for (int i = 0; i < 100; ++i) {
      const int64_t value = static_cast<int64_t>(random() >> 11) - (int64_t{1} << 52);
      integers.push_back(value);
      doubles.push_back(static_cast<double>(value));
      if (i % 2 == 0) {
        mixed.Add(std::span(&integers.back(), 1));
      } else {
        mixed.Add(std::span(&doubles.back(), 1));
      }
    }
    const ExactSummary a = OfIntegers(integers);
    const ExactSummary b = OfDoubles(doubles);
    EXPECT_EQ(a.Sum(), b.Sum());
    EXPECT_EQ(a.Sum(), mixed.Sum());
    EXPECT_EQ(a.Mean(), b.Mean());
    EXPECT_EQ(a.Mean(), mixed.Mean());
    EXPECT_EQ(a.PopulationVariance(), b.PopulationVariance());
    EXPECT_EQ(a.PopulationVariance(), mixed.PopulationVariance());
    EXPECT_EQ(a.SampleVariance(), mixed.SampleVariance());
    EXPECT_EQ(a.Min(), mixed.Min());
    EXPECT_EQ(b.Max(), mixed.Max());
  }
}

TEST(ExactSummary, IntegersAndDoublesThatCancel) {
  ExactSummary mixed = OfIntegers({-3});
  mixed.Add(std::vector<double>{3.0});
  EXPECT_EQ(mixed.Sum(), 0);
  EXPECT_FALSE(std::signbit(mixed.Sum()));
  EXPECT_EQ(mixed.PopulationVariance(), 9);
  ExactSummary rest = OfIntegers({INT64_MAX});
  rest.Add(std::vector<double>{-0x1p63});
  EXPECT_EQ(rest.Sum(), -1);
}

TEST(ExactSummary, EqualNumbersHaveNoVariance) {
  for (const double value : {0.1, -1e300, 5e-324, 1.0 / 3}) {
    const ExactSummary summary = OfDoubles(std::vector<double>(1001, value));
    EXPECT_EQ(summary.Mean(), value);
    EXPECT_EQ(summary.PopulationVariance(), 0);
    EXPECT_EQ(summary.SampleVariance(), 0);
  }
}

TEST(ExactSummary, Infinities) {
  const ExactSummary up = OfDoubles({1, kInfinity, 2});
  EXPECT_EQ(up.Sum(), kInfinity);
  EXPECT_EQ(up.Mean(), kInfinity);
  EXPECT_TRUE(std::isnan(up.PopulationVariance()));
  EXPECT_EQ(up.Max().real, kInfinity);
  const ExactSummary down = OfDoubles({-kInfinity, -kInfinity});
  EXPECT_EQ(down.Sum(), -kInfinity);
  EXPECT_EQ(down.negative_infinities(), 2u);
  ExactSummary both = up;
  both.Merge(down);
  EXPECT_TRUE(std::isnan(both.Sum()));
  EXPECT_TRUE(std::isnan(both.Mean()));
  EXPECT_EQ(both.count(), 5u);
  EXPECT_EQ(both.Min().real, -kInfinity);
  EXPECT_EQ(both.positive_infinities(), 1u);
}

TEST(ExactSummary, NansAreLeftOut) {
  const ExactSummary summary = OfDoubles({1, kNan, 3, -kNan});
  EXPECT_EQ(summary.nans(), 2u);
  EXPECT_EQ(summary.count(), 2u);
  EXPECT_EQ(summary.Mean(), 2);
  EXPECT_EQ(summary.Min().real, 1);
  EXPECT_EQ(OfDoubles({kNan}).count(), 0u);
}

TEST(ExactSummary, ZerosOfBothSigns) {
  for (const auto& values : {std::vector<double>{0.0, -0.0}, {-0.0, 0.0}}) {
    const ExactSummary summary = OfDoubles(values);
    EXPECT_FALSE(std::signbit(summary.Min().real));
    EXPECT_FALSE(std::signbit(summary.Max().real));
    EXPECT_FALSE(std::signbit(summary.Sum()));
  }
}

// Any split, any order, through bytes or not: the same bytes in the end.
TEST(ExactSummary, SplitsAndOrdersDoNotMatter) {
  Random random(12);
  std::vector<double> doubles;
  std::vector<int64_t> integers;
  for (int i = 0; i < 2000; ++i) {
    // Any bit pattern: all scales, subnormals, now and then an infinity or a NaN.
    doubles.push_back(std::bit_cast<double>(random()));
    integers.push_back(static_cast<int64_t>(random()));
  }
  doubles.insert(doubles.end(), {0.0, -0.0, 5e-324, -5e-324});
  ExactSummary whole = OfDoubles(doubles);
  whole.Add(integers);
  for (int round = 0; round < 10; ++round) {
    std::shuffle(doubles.begin(), doubles.end(), random);
    std::shuffle(integers.begin(), integers.end(), random);
    std::vector<ExactSummary> parts(1 + random.Below(20));
    for (const double value : doubles) {
      parts[random.Below(parts.size())].Add(std::span(&value, 1));
    }
    for (const int64_t value : integers) {
      parts[random.Below(parts.size())].Add(std::span(&value, 1));
    }
    ExactSummary merged;
    for (const ExactSummary& part : parts) {
      merged.Merge(ExactSummary::Parse(part.Serialize()).value());
    }
    EXPECT_EQ(merged.Serialize(), whole.Serialize());
  }
}

TEST(ExactSummary, ParseRefusesDamage) {
  ExactSummary summary = OfDoubles({1.5, -2e300, 3e-320});
  summary.Add(std::vector<int64_t>{-7, 8});
  const std::string good = summary.Serialize();
  EXPECT_EQ(ExactSummary::Parse(good)->Serialize(), good);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(ExactSummary::Parse(good.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss)
        << size;
  }
  EXPECT_FALSE(ExactSummary::Parse(good + "x").ok());
  Random random(13);
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = good;
    damaged[random.Below(damaged.size())] = static_cast<char>(random());
    const auto parsed = ExactSummary::Parse(damaged);  // must not crash
    if (parsed.ok()) {
      parsed->Mean();
      parsed->PopulationVariance();
    }
  }
}

TEST(Number, ComparesByValue) {
  const std::vector<Number> ascending = {
      Number::Real(-kInfinity),   Number::Real(-0x1p64),
      Number::Integer(INT64_MIN), Number::Integer(INT64_MIN + 1),
      Number::Real(-1.5),         Number::Integer(-1),
      Number::Real(-5e-324),      Number::Integer(0),
      Number::Real(5e-324),       Number::Real(0.5),
      Number::Integer(1),         Number::Real(1.5),
      Number::Real(0x1p53),       Number::Integer((int64_t{1} << 53) + 1),
      Number::Real(0x1p53 + 2),   Number::Integer(INT64_MAX),
      Number::Real(0x1p63),       Number::Real(kInfinity)};
  for (size_t i = 0; i < ascending.size(); ++i) {
    for (size_t j = 0; j < ascending.size(); ++j) {
      EXPECT_TRUE((ascending[i] <=> ascending[j]) == (i <=> j)) << i << " " << j;
    }
  }
  EXPECT_EQ(Number::Integer(INT64_MIN), Number::Real(-0x1p63));
  EXPECT_EQ(Number::Real(-0.0), Number::Integer(0));
}

TEST(Number, Text) {
  EXPECT_EQ(Number::Integer(INT64_MIN).ToString(), "-9223372036854775808");
  EXPECT_EQ(Number::Real(0.1).ToString(), "0.1");
  EXPECT_EQ(Number::Real(1e300).ToString(), "1e+300");
  EXPECT_EQ(Number::Real(-kInfinity).ToString(), "-inf");
  EXPECT_EQ(DoubleToString(-kNan), "nan");
  EXPECT_EQ(Int128ToString(0), "0");
  EXPECT_EQ(Int128ToString(static_cast<__int128>(1) << 126 << 1),
            "-170141183460469231731687303715884105728");
}

TEST(WideUint, Arithmetic) {
  const WideUint one(static_cast<unsigned __int128>(1));
  const WideUint wide = one << 200;
  EXPECT_EQ(wide.BitLength(), 201);
  EXPECT_EQ((wide - one).BitLength(), 200);
  EXPECT_EQ((wide - one) + one, wide);
  EXPECT_EQ(wide >> 200, one);
  EXPECT_TRUE((wide >> 201).IsZero());
  EXPECT_EQ((one << 70) * (one << 130), wide);
  EXPECT_TRUE(wide > wide - one);
  EXPECT_TRUE(wide.AnyBitBelow(201));
  EXPECT_FALSE(wide.AnyBitBelow(200));
  WideUint quotient = wide - one;
  EXPECT_EQ(quotient.DivideBy(3), 0u);  // 2^200 - 1 is a multiple of 3
  EXPECT_EQ(quotient + quotient + quotient, wide - one);
  Random random(2);
  for (int round = 0; round < 200; ++round) {
    const WideUint a(std::vector<uint64_t>{random(), random(), random() >> 40});
    const uint64_t divisor = 1 + (random() >> random.Below(64));
    WideUint q = a;
    const uint64_t rest = q.DivideBy(divisor);
    EXPECT_LT(rest, divisor);
    EXPECT_EQ(q * WideUint(static_cast<unsigned __int128>(divisor)) +
                  WideUint(static_cast<unsigned __int128>(rest)),
              a);
  }
}

TEST(WideUint, RoundsQuotientsLikeTheMachine) {
  Random random(4);
  for (int round = 0; round < 2000; ++round) {
    const uint64_t a = random() >> 11, b = 1 + (random() >> 11);
    EXPECT_EQ(RoundedQuotient(WideUint(static_cast<unsigned __int128>(a)), {b}, 0),
              static_cast<double>(a) / static_cast<double>(b));
    const uint64_t whole = random();
    EXPECT_EQ(RoundedQuotient(WideUint(static_cast<unsigned __int128>(whole)), {}, 0),
              static_cast<double>(whole));
  }
}

}  // namespace
}  // namespace skep
