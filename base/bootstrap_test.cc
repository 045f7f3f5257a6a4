#include "base/bootstrap.h"

#include <cmath>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

// Roughly normal: a sum of twelve uniform numbers.
double Normal(Random& random, double mean, double deviation) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += random.Unit();
  return mean + deviation * sum;
}

TEST(BootstrapTest, Statistics) {
  std::vector<double> odd = {5, 1, 3}, even = {4, 1, 3, 2}, one = {7};
  EXPECT_EQ(MeanOf(odd), 3);
  EXPECT_EQ(MedianOf(odd), 3);
  EXPECT_EQ(MedianOf(even), 2.5);
  EXPECT_EQ(MedianOf(one), 7);
}

TEST(BootstrapTest, OfTooFewValuesThereIsNoInterval) {
  std::vector<double> values = {3};
  const Interval one = Bootstrap(values, MedianOf);
  EXPECT_FALSE(one.known);
  EXPECT_EQ(one.estimate, 3);
  EXPECT_EQ(one.low, 3);
  EXPECT_EQ(one.high, 3);
  values = {1, 2, 3, 4};
  EXPECT_FALSE(Bootstrap(values, MeanOf).known);
  EXPECT_FALSE(BootstrapRatio(values, values, MeanOf, Pairing::kPaired).known);
  values.push_back(5);
  EXPECT_TRUE(Bootstrap(values, MeanOf).known);
  EXPECT_TRUE(BootstrapRatio(values, values, MeanOf, Pairing::kPaired).known);
}

// The point of it: of many samples, about 95 % of the intervals hold the true value.
TEST(BootstrapTest, CoversTheTruthAsOftenAsItSays) {
  constexpr int kSamples = 400;
  for (const Statistic statistic : {MeanOf, MedianOf}) {
    Random random(1);
    int covered = 0;
    for (int i = 0; i < kSamples; ++i) {
      std::vector<double> values(30);
      for (double& value : values) value = Normal(random, 10, 2);
      const Interval interval =
          Bootstrap(values, statistic, {.resamples = 500, .seed = random()});
      covered += interval.low <= 10 && 10 <= interval.high;
      EXPECT_LE(interval.low, interval.estimate);
      EXPECT_GE(interval.high, interval.estimate);
    }
    EXPECT_GE(covered, kSamples * 0.90);
    EXPECT_LE(covered, kSamples * 0.985);
  }
}

// The mean's interval has the width that theory gives: 2 * 1.96 * s / sqrt(n).
TEST(BootstrapTest, AgreesWithTheoryOnAMean) {
  Random random(2);
  std::vector<double> values(400);
  for (double& value : values) value = Normal(random, 0, 1);
  const Interval interval = Bootstrap(values, MeanOf);
  EXPECT_NEAR(interval.high - interval.low, 2 * 1.96 / 20, 0.025);
  EXPECT_LT(Bootstrap(values, MeanOf, {.confidence = 0.5}).high, interval.high);
}

TEST(BootstrapTest, PairsCancelWhatSlowsAWholeRound) {
  Random random(3);
  std::vector<double> slow, fast;
  for (int i = 0; i < 40; ++i) {
    const double round = 1 + 4 * random.Unit();  // the machine's load
    slow.push_back(round * Normal(random, 3, 0.03));
    fast.push_back(round * Normal(random, 1, 0.01));
  }
  const Interval paired = BootstrapRatio(slow, fast, MedianOf, Pairing::kPaired);
  const Interval apart = BootstrapRatio(slow, fast, MedianOf, Pairing::kIndependent);
  EXPECT_EQ(paired.estimate, apart.estimate);
  EXPECT_LE(paired.low, 3.05);
  EXPECT_GE(paired.high, 2.95);
  EXPECT_LT(paired.high - paired.low, (apart.high - apart.low) / 2);
}

TEST(BootstrapTest, ReplaysFromItsSeed) {
  const std::vector<double> values = {1, 2, 4, 8, 16, 32};
  const Interval a = Bootstrap(values, MeanOf, {.seed = 7});
  const Interval b = Bootstrap(values, MeanOf, {.seed = 7});
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
}

}  // namespace
}  // namespace skep
