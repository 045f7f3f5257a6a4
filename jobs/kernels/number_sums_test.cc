#include "jobs/kernels/number_sums.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/exact_summary.h"

namespace skep {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Sizes around those of vectors, steps and blocks.
constexpr size_t kSizes[] = {0,  1,  2,  3,   7,    8,    9,    31,  33,
                             63, 64, 65, 100, 2047, 2048, 2049, 6001};

TEST(NumberSums, IntegersOnEveryPath) {
  Random random(41);
  for (const size_t size : kSizes) {
    std::vector<int64_t> values(size);
    for (int64_t& value : values) {
      value = static_cast<int64_t>(random()) >> random.Below(64);
      if (random.Below(10) == 0) value = random.Below(2) == 0 ? INT64_MIN : INT64_MAX;
    }
    __int128 sum = 0;
    unsigned __int128 squares = 0;  // modulo 2^128
    for (const int64_t value : values) {
      sum += value;
      squares += static_cast<unsigned __int128>(static_cast<__int128>(value) * value);
    }
    for (const CpuPath path : SupportedCpuPaths()) {
      EXPECT_TRUE(SumIntegers(values, path) == sum) << size;
      IntegerTotals totals;
      AddIntegers(std::span(values).first(size / 3), &totals, path);
      AddIntegers(std::span(values).subspan(size / 3), &totals, path);
      EXPECT_TRUE(totals.sum == sum) << size;
      EXPECT_TRUE(totals.squares_low + (totals.squares_high << 32) == squares) << size;
      if (size == 0) continue;
      EXPECT_EQ(totals.min, *std::min_element(values.begin(), values.end()));
      EXPECT_EQ(totals.max, *std::max_element(values.begin(), values.end()));
    }
  }
}

// What blocks of numbers may look like.
std::vector<std::vector<double>> Inputs() {
  Random random(42);
  std::vector<std::vector<double>> inputs;
  for (const size_t size : kSizes) {
    for (int kind = 0; kind < 9; ++kind) {
      std::vector<double> values(size);
      for (double& value : values) {
        const double unit = random.Unit() - 0.5;
        switch (kind) {
          case 0:
            value = unit;
            break;
          case 1:  // heavy tails
            value = 1 / unit;
            break;
          case 2:  // all scales
            value = std::ldexp(unit, static_cast<int>(random.Below(2000)) - 1000);
            break;
          case 3:
            value = std::round(unit * 100);
            break;
          case 4:
            value = random.Below(2) == 0 ? 0.0 : -0.0;
            break;
          case 5:  // squares that leave the range of doubles, or of exact products
            value = std::ldexp(unit, random.Below(2) == 0 ? 600 : -500);
            break;
          case 6:  // subnormals
            value = std::ldexp(unit, -1030);
            break;
          case 7:  // cancels
            value = random.Below(2) == 0 ? 1e15 : -1e15 + unit;
            break;
          case 8:  // just within and just outside the slices
            value = std::ldexp(1 + unit, -static_cast<int>(random.Below(40)));
            break;
        }
      }
      inputs.push_back(values);
      if (size == 0) continue;
      values[size / 2] = kind % 2 == 0 ? kInfinity : std::nan("");
      inputs.push_back(values);
    }
  }
  return inputs;
}

TEST(NumberSums, ExactSummariesAreTheSameOnEveryPath) {
  int sliced = 0;
  for (const std::vector<double>& values : Inputs()) {
    // One by one, nothing is sliced.
    ExactSummary expected;
    for (const double value : values) expected.Add(std::span(&value, 1));
    for (const CpuPath path : SupportedCpuPaths()) {
      ExactSummary summary;
      summary.Add(values, path);
      EXPECT_EQ(summary.Serialize(), expected.Serialize()) << values.size();
      RealBlock block;
      if (values.size() - 1 < kSumBlock)
        sliced += SumBlockExactly(values, &block, path);
    }
  }
  if (BestCpuPath() != CpuPath::kScalar) {
    EXPECT_GT(sliced, 50);
  }
}

TEST(NumberSums, FastSumIsNearTheExactOne) {
  for (const std::vector<double>& values : Inputs()) {
    ExactSummary exact;
    exact.Add(values);
    if (exact.nans() > 0) continue;
    double magnitudes = 0;
    for (const double value : values) magnitudes += std::fabs(value);
    if (!std::isfinite(magnitudes)) continue;
    const double sum = exact.Sum();
    const double bound = std::fabs(sum) * 0x1p-52 +
                         magnitudes * static_cast<double>(values.size()) * 0x1p-104 +
                         0x1p-1074;
    for (const CpuPath path : SupportedCpuPaths()) {
      EXPECT_NEAR(FastSum(values, path), sum, bound) << values.size();
    }
  }
}

TEST(NumberSums, FastSumKeepsWhatTheNaiveLoses) {
  std::vector<double> values(10001, 1e-17);
  values[0] = 1;
  EXPECT_EQ(NaiveSum(values), 1);
  for (const CpuPath path : SupportedCpuPaths()) {
    EXPECT_EQ(FastSum(values, path), 1 + 1e-13);
  }
}

}  // namespace
}  // namespace skep
