#include "jobs/kernels/fast_summary.h"

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/exact_summary.h"

namespace skep {
namespace {

// The sum of all, in parts that are merged; by way of bytes.
FastSummary InParts(const std::vector<double>& reals,
                    const std::vector<int64_t>& integers, size_t part, CpuPath path) {
  FastSummary all;
  const auto merge = [&all](const FastSummary& summary) {
    const auto parsed = FastSummary::Parse(summary.Serialize());
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    all.Merge(*parsed);
  };
  for (size_t i = 0; i < reals.size(); i += part) {
    FastSummary summary;
    summary.Add(std::span(reals).subspan(i, std::min(part, reals.size() - i)), path);
    merge(summary);
  }
  FastSummary summary;
  summary.Add(integers, path);
  merge(summary);
  return all;
}

TEST(FastSummary, IsWithinItsBoundOfTheExactSum) {
  Random random(31);
  std::vector<std::vector<double>> inputs(4);
  for (int i = 0; i < 20'000; ++i) {
    inputs[0].push_back(random.Unit());
    inputs[1].push_back(random.Unit() - 0.5);  // cancels
    inputs[2].push_back(std::ldexp(random.Unit() - 0.5, 300 - i % 600));
    // Cancels to next to nothing.
    inputs[3].push_back(i % 2 == 0 ? random.Unit() * 1e18 : -inputs[3].back());
  }
  inputs[3].push_back(1e-9);
  const std::vector<int64_t> integers = {INT64_MAX, INT64_MAX, 3, -7};
  for (const auto& reals : inputs) {
    ExactSummary exact;
    exact.Add(std::span<const double>(reals));
    exact.Add(std::span<const int64_t>(integers));
    for (const size_t part : {7, 1000, 50'000}) {
      for (const CpuPath path : SupportedCpuPaths()) {
        const FastSummary fast = InParts(reals, integers, part, path);
        EXPECT_EQ(fast.count(), exact.count());
        EXPECT_LE(std::fabs(fast.Sum() - exact.Sum()), fast.SumError());
        EXPECT_NEAR(fast.Mean(), exact.Mean(),
                    2 * fast.SumError() / static_cast<double>(exact.count()));
        EXPECT_FALSE(fast.IntegerSum().has_value());
      }
    }
  }
  // A bound that says something.
  const FastSummary fast = InParts(inputs[0], {}, 1000, BestCpuPath());
  EXPECT_LT(fast.SumError(), fast.Sum() * 1e-14);
}

TEST(FastSummary, IntegersAreExact) {
  FastSummary summary;
  summary.Add(std::vector<int64_t>(1000, INT64_MIN));
  summary.Add(std::vector<uint64_t>{UINT64_MAX, 1});
  EXPECT_EQ(summary.IntegerSum(), __int128{INT64_MIN} * 1000 + UINT64_MAX + 1);
  EXPECT_EQ(summary.count(), 1002u);
}

TEST(FastSummary, InfinitiesAreAsInArithmetic) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto sum_of = [](const std::vector<double>& reals) {
    const FastSummary summary = InParts(reals, {5}, 2, BestCpuPath());
    EXPECT_FALSE(std::isfinite(summary.SumError()));
    return summary.Sum();
  };
  EXPECT_EQ(sum_of({1, kInfinity, 2, 3}), kInfinity);
  EXPECT_EQ(sum_of({1, 2, -kInfinity}), -kInfinity);
  EXPECT_TRUE(std::isnan(sum_of({kInfinity, 2, 3, 4, -kInfinity})));
}

TEST(FastSummary, OfNothing) {
  EXPECT_TRUE(std::isnan(FastSummary().Mean()));
  EXPECT_EQ(FastSummary().Sum(), 0);
  EXPECT_EQ(FastSummary().SumError(), 0);
}

TEST(FastSummary, BytesThatAreNoneAreRefused) {
  FastSummary summary;
  summary.Add(std::vector<double>{1.5});
  const std::string bytes = summary.Serialize();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(FastSummary::Parse(bytes.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(FastSummary::Parse(bytes + "x").ok());
}

}  // namespace
}  // namespace skep
