#include "jobs/kernels/selection.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/quantile.h"

namespace skep {
namespace {

// The loop of the header over `parts` machines, collecting at `few` keys.
uint64_t SelectInRounds(const std::vector<std::vector<uint64_t>>& parts, uint64_t rank,
                        uint64_t max_buckets, uint64_t few_keys, int* rounds) {
  KeyRange range;
  for (*rounds = 1;; ++*rounds) {
    const int shift = BucketShift(range, max_buckets);
    std::vector<uint64_t> counts(BucketCount(range, shift));
    EXPECT_LE(counts.size(), max_buckets);
    for (const auto& part : parts) CountBuckets(part, range, shift, counts);
    const Bucket bucket = FindBucket(counts, rank);
    range = BucketRange(range, shift, bucket.index);
    rank = bucket.rank;
    if (range.first == range.last) return range.first;
    if (bucket.count <= few_keys) break;
  }
  std::vector<uint64_t> few;
  for (const auto& part : parts) CollectRange(part, range, &few);
  EXPECT_LE(few.size(), few_keys);
  return SelectRank(few, rank);
}

std::vector<std::pair<std::string, std::vector<uint64_t>>> AdversarialInputs() {
  Random random(21);
  std::vector<std::pair<std::string, std::vector<uint64_t>>> inputs;
  const auto make = [&](const std::string& name, int n, auto&& key) {
    std::vector<uint64_t> keys;
    for (int i = 0; i < n; ++i) keys.push_back(key(i));
    inputs.emplace_back(name, std::move(keys));
  };
  make("one", 1, [](int) { return 7; });
  make("two", 2, [](int i) { return i == 0 ? UINT64_MAX : 0; });
  make("all equal", 1000, [](int) { return 0x123456789abcdef0; });
  make("all zero", 1000, [](int) { return 0; });
  make("all largest", 1000, [](int) { return UINT64_MAX; });
  make("sorted", 1000, [](int i) { return i; });
  make("falling", 1000, [](int i) { return UINT64_MAX - i; });
  make("two values", 1001, [](int i) { return i % 2 == 0 ? 5 : UINT64_MAX - 5; });
  make("random", 1000, [&](int) { return random(); });
  make("few distinct", 1000, [&](int) { return random.Below(10) << 60; });
  make("heavy tail", 1000, [&](int) { return random() >> random.Below(64); });
  make("neighbours", 1000,
       [&](int) { return (uint64_t{1} << 63) + random.Below(3) - 1; });
  make("doubles", 1000, [&](int) {
    return OrderedFromDouble(random.Unit() * std::pow(10.0, 200 * random.Unit() - 100));
  });
  constexpr double kSpecial[] = {std::numeric_limits<double>::infinity(),
                                 -std::numeric_limits<double>::infinity(),
                                 0.0,
                                 -0.0,
                                 5e-324,
                                 -5e-324,
                                 1.0};
  make("special doubles", 1000,
       [&](int) { return OrderedFromDouble(kSpecial[random.Below(7)]); });
  return inputs;
}

TEST(Selection, EveryRankOfAdversarialInputs) {
  Random random(22);
  for (const auto& [name, keys] : AdversarialInputs()) {
    std::vector<uint64_t> sorted = keys;
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::vector<uint64_t>> parts(4);
    for (const uint64_t key : keys) parts[random.Below(3)].push_back(key);  // one empty
    for (uint64_t rank = 1; rank <= keys.size(); rank += 1 + rank / 10) {
      for (const uint64_t buckets : {2, 3, 1000, 65536}) {
        int rounds;
        ASSERT_EQ(SelectInRounds(parts, rank, buckets, 10, &rounds), sorted[rank - 1])
            << name << " rank " << rank << " buckets " << buckets;
        if (buckets == 65536) {
          ASSERT_LE(rounds, 4) << name;
        }
      }
    }
  }
}

TEST(Selection, BucketsCoverTheRangeExactly) {
  Random random(23);
  for (int round = 0; round < 2000; ++round) {
    KeyRange range{random() >> random.Below(64), random() >> random.Below(64)};
    if (range.first > range.last) std::swap(range.first, range.last);
    const uint64_t max_buckets = 1 + random.Below(50);
    const int shift = BucketShift(range, max_buckets);
    const size_t count = BucketCount(range, shift);
    ASSERT_LE(count, max_buckets);
    if (shift > 0) {
      ASSERT_GT(BucketCount(range, shift - 1), max_buckets);
    }
    uint64_t next = range.first;
    for (size_t i = 0; i < count; ++i) {
      const KeyRange bucket = BucketRange(range, shift, i);
      ASSERT_EQ(bucket.first, next);
      ASSERT_LE(bucket.first, bucket.last);
      next = bucket.last + 1;
      // Both ends of the bucket are counted in it, and nowhere else.
      const uint64_t ends[] = {bucket.first, bucket.last};
      std::vector<uint64_t> counts(count);
      CountBuckets(ends, range, shift, counts);
      ASSERT_EQ(counts[i], 2u);
    }
    ASSERT_EQ(next, range.last + 1);
  }
  EXPECT_EQ(BucketShift(KeyRange{}, 1), 64);
  EXPECT_EQ(BucketRange(KeyRange{}, 64, 0), KeyRange{});
}

TEST(Selection, KeysOutsideTheRangeAreIgnored) {
  const std::vector<uint64_t> keys = {0, 9, 10, 15, 20, 21, UINT64_MAX};
  std::vector<uint64_t> counts(11);
  CountBuckets(keys, {10, 20}, 0, counts);
  EXPECT_EQ(counts, (std::vector<uint64_t>{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}));
  std::vector<uint64_t> collected = {1};
  CollectRange(keys, {10, 20}, &collected);
  EXPECT_EQ(collected, (std::vector<uint64_t>{1, 10, 15, 20}));
  CollectRange({}, {0, 5}, &collected);
  EXPECT_EQ(collected.size(), 4u);
}

TEST(Selection, CollectsManyInOrder) {
  Random random(24);
  std::vector<uint64_t> keys(10001), expected, collected;
  for (uint64_t& key : keys) key = random.Below(100);
  const KeyRange range{20, 70};
  std::copy_if(keys.begin(), keys.end(), std::back_inserter(expected),
               [](uint64_t key) { return key >= 20 && key <= 70; });
  CollectRange(keys, range, &collected);
  EXPECT_EQ(collected, expected);
}

TEST(Selection, CountsAroundAGuess) {
  const std::vector<uint64_t> keys = {1, 2, 2, 3, UINT64_MAX};
  EXPECT_EQ(CountAround(keys, 2).smaller, 1u);
  EXPECT_EQ(CountAround(keys, 2).same, 2u);
  EXPECT_EQ(CountAround(keys, 0).smaller, 0u);
  EXPECT_EQ(CountAround(keys, UINT64_MAX).smaller, 4u);
  EXPECT_EQ(CountAround(std::span<const uint64_t>(), 5).same, 0u);
}

uint64_t Lower(const char* q, uint64_t n) {
  return RanksOf(*ParseQuantile(q), n, QuantileDefinition::kLower).low;
}

TEST(Quantile, LowerRankOfTheMedianIsHalfOfOneMore) {
  for (uint64_t n = 1; n < 100; ++n) EXPECT_EQ(Lower("0.5", n), (n + 1) / 2) << n;
}

TEST(Quantile, RanksAreExactForDecimalFractions) {
  for (uint64_t percent = 1; percent < 100; ++percent) {
    const std::string q = (percent < 10 ? "0.0" : "0.") + std::to_string(percent);
    EXPECT_EQ(Lower(q.c_str(), 100), percent) << q;
  }
  EXPECT_EQ(Lower("0", 10), 1u);
  EXPECT_EQ(Lower("1", 10), 10u);
  EXPECT_EQ(Lower("0.999999999999999999", 1000000000000000000), 999999999999999999u);
  EXPECT_EQ(Lower("0.000000000000000001", UINT64_MAX), 19u);
}

TEST(Quantile, Definitions) {
  using D = QuantileDefinition;
  const Quantile half;
  EXPECT_EQ(RanksOf(half, 6, D::kLower), (QuantileRanks{3, 3}));
  EXPECT_EQ(RanksOf(half, 6, D::kUpper), (QuantileRanks{4, 4}));
  EXPECT_EQ(RanksOf(half, 6, D::kMidpoint), (QuantileRanks{3, 4, 1, 2}));
  EXPECT_EQ(RanksOf(half, 6, D::kInterpolated), (QuantileRanks{3, 4, 1, 2}));
  for (const D d : {D::kLower, D::kUpper, D::kMidpoint, D::kInterpolated}) {
    EXPECT_EQ(RanksOf(half, 7, d), (QuantileRanks{4, 4}));
    EXPECT_EQ(RanksOf(half, 1, d), (QuantileRanks{1, 1}));
    EXPECT_EQ(RanksOf(*ParseQuantile("0"), 9, d), (QuantileRanks{1, 1}));
    EXPECT_EQ(RanksOf(*ParseQuantile("1"), 9, d), (QuantileRanks{9, 9}));
  }
  // h = 9 * 0.25 + 1 = 3.25
  EXPECT_EQ(RanksOf(*ParseQuantile("0.25"), 10, D::kInterpolated),
            (QuantileRanks{3, 4, 25, 100}));
}

TEST(Quantile, Values) {
  const QuantileRanks middle{3, 4, 1, 2};
  const auto integers = [&](int64_t a, int64_t b) {
    return ValueAt(middle, Number::Integer(a), Number::Integer(b)).ToString();
  };
  EXPECT_EQ(integers(3, 4), "3.5");
  EXPECT_EQ(integers(-4, -3), "-3.5");
  EXPECT_EQ(integers(3, 5), "4");
  EXPECT_EQ(integers(INT64_MIN, INT64_MAX), "-0.5");
  EXPECT_EQ(integers(INT64_MAX - 2, INT64_MAX), "9223372036854775806");
  EXPECT_EQ(integers(INT64_MIN, INT64_MIN), "-9223372036854775808");
  const auto reals = [&](double a, double b) {
    return ValueAt(middle, Number::Real(a), Number::Real(b)).real;
  };
  constexpr double kMax = std::numeric_limits<double>::max();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(reals(kMax, kMax), kMax);
  EXPECT_EQ(reals(-kMax, kMax), 0);
  EXPECT_EQ(reals(1, 2), 1.5);
  EXPECT_EQ(reals(kInfinity, kInfinity), kInfinity);
  EXPECT_EQ(reals(-kInfinity, -kInfinity), -kInfinity);
  EXPECT_TRUE(std::isnan(reals(-kInfinity, kInfinity)));
  EXPECT_EQ(reals(-kInfinity, -5), -kInfinity);
  EXPECT_EQ(reals(-kInfinity, 5), -kInfinity);
  EXPECT_EQ(reals(5, kInfinity), kInfinity);
  EXPECT_EQ(reals(-5, kInfinity), kInfinity);
  EXPECT_EQ(ValueAt({1, 2, 1, 4}, Number::Integer(0), Number::Real(2)).real, 0.5);
  // Of opposite signs: floating point keeps 10 digits of it.
  EXPECT_EQ(
      ValueAt({1, 2, 12, 25}, Number::Real(-0.0797953), Number::Real(0.0864446)).real,
      -1.4800000000148027e-07);
  constexpr double kLeast = std::numeric_limits<double>::denorm_min();
  EXPECT_EQ(reals(-kLeast, kLeast), 0);
  EXPECT_EQ(reals(kLeast, 3 * kLeast), 2 * kLeast);
  EXPECT_EQ(reals(-3 * kLeast, -kLeast), -2 * kLeast);
  EXPECT_EQ(reals(kMax / 2, kMax), kMax * 0.75);
  EXPECT_EQ(ValueAt({1, 2, 1, 2}, Number::Integer(-4), Number::Real(1)).real, -1.5);
  EXPECT_EQ(ValueAt({2, 2}, Number::Integer(5), Number::Integer(5)).ToString(), "5");
}

TEST(Quantile, ParsesAndRefuses) {
  for (const char* good :
       {"0", "1", "0.5", ".5", "0.", "1.0", "1.000", "0.123456789012345678"}) {
    EXPECT_TRUE(ParseQuantile(good).ok()) << good;
  }
  for (const char* bad :
       {"", ".", "-0.5", "1.1", "2", "00.5", "0,5", "0.5x", " 0.5", "5e-1", "nan",
        "0.1234567890123456789", "1.000000000000000001", "+0.5"}) {
    EXPECT_EQ(ParseQuantile(bad).status().code(), absl::StatusCode::kInvalidArgument)
        << bad;
  }
  const auto several = ParseQuantiles("0.5,0.99,1");
  ASSERT_TRUE(several.ok());
  ASSERT_EQ(several->size(), 3u);
  EXPECT_EQ((*several)[1].text, "0.99");
  EXPECT_EQ((*several)[1].numerator, 99u);
  EXPECT_EQ((*several)[1].denominator, 100u);
  for (const char* bad : {"", ",", "0.5,", ",0.5", "0.5,,1"}) {
    EXPECT_FALSE(ParseQuantiles(bad).ok()) << bad;
  }
  EXPECT_TRUE(ParseQuantileDefinition("midpoint").ok());
  EXPECT_FALSE(ParseQuantileDefinition("Lower").ok());
}

// On every path, against one key at a time; at sizes around those of vectors and
// pieces.
TEST(Selection, EveryPathCountsAndCollectsTheSame) {
  Random random(77);
  for (const size_t size : {0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 33, 2047, 2048, 2061}) {
    std::vector<uint64_t> keys(size);
    // Few values, on both sides of the middle and at both ends.
    for (uint64_t& key : keys) {
      key = (random.Below(2) << 63) + random.Below(5) - 2 * random.Below(2);
    }
    for (const uint64_t guess : {uint64_t{0}, uint64_t{2}, uint64_t{1} << 63,
                                 (uint64_t{1} << 63) + 2, UINT64_MAX}) {
      const auto smaller = std::count_if(keys.begin(), keys.end(),
                                         [&](uint64_t key) { return key < guess; });
      const auto same = std::count(keys.begin(), keys.end(), guess);
      for (const CpuPath path : SupportedCpuPaths()) {
        const RankCounts counts = CountAround(keys, guess, path);
        EXPECT_EQ(counts.smaller, static_cast<uint64_t>(smaller)) << size;
        EXPECT_EQ(counts.same, static_cast<uint64_t>(same)) << size;
        std::vector<int64_t> values(keys.begin(), keys.end());
        const auto value = static_cast<int64_t>(guess);
        const RankCounts of_signed = CountAround(values, value, path);
        EXPECT_EQ(of_signed.smaller,
                  static_cast<uint64_t>(
                      std::count_if(values.begin(), values.end(),
                                    [&](int64_t other) { return other < value; })));
        EXPECT_EQ(of_signed.same, static_cast<uint64_t>(same)) << size;
      }
    }
    for (const KeyRange range :
         {KeyRange{}, KeyRange{2, uint64_t{1} << 63}, KeyRange{0, 0},
          KeyRange{(uint64_t{1} << 63) + 1, UINT64_MAX}}) {
      std::vector<uint64_t> expected = {99};
      std::copy_if(keys.begin(), keys.end(), std::back_inserter(expected),
                   [&](uint64_t key) { return range.Contains(key); });
      for (const CpuPath path : SupportedCpuPaths()) {
        std::vector<uint64_t> collected = {99};
        CollectRange(keys, range, &collected, path);
        EXPECT_EQ(collected, expected) << size;
      }
    }
  }
}

}  // namespace
}  // namespace skep
