#include "base/histogram.h"

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

// The value of nearest rank, by sorting.
uint64_t Exact(std::vector<uint64_t> values, double percent) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(
      std::ceil(percent / 100 * static_cast<double>(values.size())));
  return values[std::max<size_t>(rank, 1) - 1];
}

// Values over many magnitudes: none is rarer than the others by size.
std::vector<uint64_t> Values(uint64_t seed, int count) {
  Random random(seed);
  std::vector<uint64_t> values;
  for (int i = 0; i < count; ++i) values.push_back(random() >> (23 + random.Below(41)));
  return values;
}

TEST(HistogramTest, BucketsFollowEachOtherWithoutGaps) {
  for (size_t bucket = 0; bucket + 1 < HistogramLayout::kBuckets; ++bucket) {
    const uint64_t begin = HistogramLayout::Begin(bucket);
    const uint64_t end = HistogramLayout::End(bucket);
    ASSERT_LT(begin, end);
    ASSERT_EQ(HistogramLayout::Bucket(begin), bucket);
    ASSERT_EQ(HistogramLayout::Bucket(end - 1), bucket);
    ASSERT_LE((end - begin - 1) * 128, begin) << "bucket " << bucket << " is too wide";
  }
}

TEST(HistogramTest, EmptyHasNothing) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.least(), 0);
  EXPECT_EQ(histogram.greatest(), 0);
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.Percentile(50), 0);
  EXPECT_EQ(histogram.CountBelow(1000), 0);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.Percentile(50), 50);
  EXPECT_EQ(histogram.Percentile(90), 90);
  EXPECT_EQ(histogram.Percentile(99), 99);
  EXPECT_EQ(histogram.Percentile(0), 1);
  EXPECT_EQ(histogram.Percentile(100), 100);
  EXPECT_EQ(histogram.mean(), 50.5);
  EXPECT_EQ(histogram.CountBelow(10), 9);
}

TEST(HistogramTest, PercentilesAreWithinTheBoundOfTheExactOnes) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<uint64_t> values = Values(seed, 3000);
    Histogram histogram;
    for (const uint64_t value : values) histogram.Record(value);
    for (const double percent : {0.0, 0.1, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
      const auto exact = static_cast<double>(Exact(values, percent));
      const auto found = static_cast<double>(histogram.Percentile(percent));
      EXPECT_LE(std::abs(found - exact), exact / 256 + 1e-9)
          << "seed " << seed << " p" << percent;
    }
    EXPECT_EQ(histogram.least(), *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(histogram.greatest(), *std::max_element(values.begin(), values.end()));
  }
}

TEST(HistogramTest, MergingIsRecordingTogether) {
  const std::vector<uint64_t> values = Values(7, 2000);
  Histogram all, left, right;
  for (size_t i = 0; i < values.size(); ++i) {
    all.Record(values[i]);
    (i % 3 == 0 ? left : right).Record(values[i]);
  }
  right.Merge(left);
  right.Merge(Histogram());
  EXPECT_EQ(right.count(), all.count());
  EXPECT_EQ(right.sum(), all.sum());
  EXPECT_EQ(right.least(), all.least());
  EXPECT_EQ(right.greatest(), all.greatest());
  for (double percent = 0; percent <= 100; percent += 0.5) {
    ASSERT_EQ(right.Percentile(percent), all.Percentile(percent));
  }
}

TEST(HistogramTest, ValuesBeyondTheLastBucketAreCounted) {
  Histogram histogram;
  histogram.Record(~uint64_t{0} >> 1);
  histogram.Record(5, 2);
  EXPECT_EQ(histogram.count(), 3);
  EXPECT_EQ(histogram.Percentile(50), 5);
  EXPECT_EQ(histogram.greatest(), ~uint64_t{0} >> 1);
}

TEST(HistogramTest, ForEachTellsWhatWasRecorded) {
  Histogram histogram;
  histogram.Record(3, 2);
  histogram.Record(1000);
  std::vector<uint64_t> counts;
  histogram.ForEach([&](uint64_t begin, uint64_t end, uint64_t count) {
    EXPECT_TRUE((begin <= 3 && 3 < end) || (begin <= 1000 && 1000 < end));
    counts.push_back(count);
  });
  EXPECT_EQ(counts, (std::vector<uint64_t>{2, 1}));
}

TEST(AtomicHistogramTest, ManyWritersLoseNothing) {
  const auto shared = std::make_unique<AtomicHistogram>();
  const std::vector<uint64_t> values = Values(3, 5000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (const uint64_t value : values) shared->Record(value);
    });
  }
  for (std::thread& thread : threads) thread.join();
  Histogram expected;
  for (const uint64_t value : values) expected.Record(value, 4);
  const Histogram seen = shared->Snapshot();
  EXPECT_EQ(seen.count(), expected.count());
  EXPECT_EQ(seen.sum(), expected.sum());
  EXPECT_EQ(seen.greatest(), expected.greatest());
  for (double percent = 1; percent <= 100; percent += 1) {
    ASSERT_EQ(seen.Percentile(percent), expected.Percentile(percent));
  }
}

TEST(HistogramTest, SinceIsWhatCameInBetween) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 1000; ++value) histogram.Record(value * 1'000'000);
  const Histogram before = histogram;
  EXPECT_EQ(histogram.Since(before).count(), 0);
  for (uint64_t value = 1; value <= 100; ++value) histogram.Record(value);
  const Histogram between = histogram.Since(before);
  EXPECT_EQ(between.count(), 100);
  EXPECT_EQ(between.sum(), 5050);
  EXPECT_EQ(between.Percentile(50), 50);
  EXPECT_EQ(between.greatest(), 100);
  EXPECT_EQ(before.Since(histogram).count(), before.count()) << "it began anew";
}

}  // namespace
}  // namespace skep
