#include "jobs/key_windows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Numbers {
  std::vector<int64_t> integers;
  std::vector<uint64_t> large;
  std::vector<double> reals;

  std::vector<OrderKey> Keys() const {
    std::vector<OrderKey> keys;
    for (const int64_t value : integers) keys.push_back(OrderKeyOf(value));
    for (const uint64_t value : large) keys.push_back(OrderKeyOf(value));
    for (const double value : reals) keys.push_back(OrderKeyOf(value));
    return keys;
  }
};

Numbers SomeNumbers(Random& random, int count) {
  Numbers numbers{.integers = {INT64_MIN, INT64_MAX, 0, 1, -1},
                  .large = {uint64_t{1} << 63, UINT64_MAX},
                  .reals = {-kInfinity, kInfinity, 0.0, -0.0, 0x1p63, -0x1p63, 0x1p64,
                            5e-324, 0.5}};
  for (int i = 0; i < count; ++i) {
    const uint64_t bits = random();
    numbers.integers.push_back(static_cast<int64_t>(bits) >> random.Below(64));
    numbers.large.push_back(bits | uint64_t{1} << 63);
    const double real = std::bit_cast<double>(random());
    if (!std::isnan(real)) numbers.reals.push_back(real);
    numbers.reals.push_back(static_cast<double>(random.Below(20)) - 10);
  }
  return numbers;
}

// Windows between keys of the numbers or beside them, some of one key, ascending.
std::vector<KeyWindow> SomeWindows(Random& random, const std::vector<OrderKey>& keys,
                                   size_t count, bool open) {
  std::set<OrderKey> ends;
  while (ends.size() < 2 * count) {
    const OrderKey key = keys[random.Below(keys.size())];
    ends.insert(key + random.Below(3) - 1);
  }
  std::vector<KeyWindow> windows;
  for (auto end = ends.begin(); end != ends.end();) {
    const OrderKey low = *end++, high = *end++;
    windows.push_back({low, random.Below(4) == 0 ? low : high});
  }
  if (open) {
    windows.front().low = KeyWindow::kLowest;
    windows.back().high = KeyWindow::kHighest;
  }
  return windows;
}

TEST(KeyWindows, EqualACountOfEachKey) {
  Random random(51);
  for (int round = 0; round < 60; ++round) {
    const Numbers numbers = SomeNumbers(random, 300);
    const std::vector<OrderKey> keys = numbers.Keys();
    // Few are looked at in pieces, many one by one.
    const size_t count = round % 2 == 0 ? 1 + random.Below(6) : 17 + random.Below(10);
    auto windows = SomeWindows(random, keys, count, round % 3 == 0);
    if (round == 0) windows = {KeyWindow{}};
    // Both zeros are one key.
    const OrderKey zero = OrderKeyOf(0.0);
    if (round == 2) windows = {{zero, zero}};
    if (round == 4) windows = {{OrderKeyOf(-1.0), zero}};
    if (round == 6) windows = {{zero, OrderKeyOf(0.5)}};
    KeyWindows counted(windows, 1 << 20, 1);
    counted.Add(numbers.integers);
    counted.Add(numbers.large);
    counted.Add(numbers.reals);
    std::string bytes;
    PutTallies(&bytes, counted.Take());
    std::string_view rest = bytes;
    std::vector<WindowTally> tallies;
    ASSERT_TRUE(GetTallies(&rest, &tallies));
    EXPECT_TRUE(rest.empty());
    ASSERT_EQ(tallies.size(), windows.size());
    for (size_t i = 0; i < windows.size(); ++i) {
      const auto [low, high] = windows[i];
      WindowTally expected;
      for (const OrderKey key : keys) {
        expected.below += key < low;
        expected.at_low += key == low;
        expected.at_high += key == high && low < high;
        if (low < key && key < high) expected.sample.push_back(key);
      }
      const WindowTally& tally = tallies[i];
      EXPECT_EQ(tally.below, expected.below);
      EXPECT_EQ(tally.at_low, expected.at_low);
      EXPECT_EQ(tally.inside, expected.sample.size());
      EXPECT_EQ(tally.at_high, expected.at_high);
      EXPECT_EQ(tally.stride, 1u);
      std::vector<OrderKey> sample = tally.sample;
      std::sort(sample.begin(), sample.end());
      std::sort(expected.sample.begin(), expected.sample.end());
      EXPECT_TRUE(sample == expected.sample);
    }
    bytes.resize(bytes.size() - 1);
    rest = bytes;
    EXPECT_FALSE(GetTallies(&rest, &tallies));
  }
}

TEST(KeySample, TakesOneOfEachStride) {
  Random random(52);
  KeySample<uint64_t> sample(64, 7);
  constexpr uint64_t kCount = 100'000;
  for (uint64_t at = 0; at < kCount;) {
    const uint64_t step = std::min(kCount - at, random.Below(500));
    if (random.Below(2) == 0) {
      sample.AddMany(step, [at](uint64_t i) { return at + i; });
    } else {
      for (uint64_t i = 0; i < step; ++i) sample.Add(at + i);
    }
    at += step;
  }
  EXPECT_EQ(sample.stride(), 2048u);
  ASSERT_EQ(sample.keys().size(), kCount / 2048 + (sample.keys().size() == 49));
  for (size_t i = 0; i < sample.keys().size(); ++i) {
    EXPECT_EQ(sample.keys()[i] / 2048, i);
  }
}

TEST(KeySample, IsFair) {
  // The mean of what is taken out of 0 .. 9999 is near the middle.
  double sum = 0;
  int count = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    KeySample<int> sample(16, seed);
    for (int key = 0; key < 10'000; ++key) sample.Add(key);
    for (const int key : sample.keys()) {
      sum += key;
      ++count;
    }
  }
  // Some 4000 keys of standard deviation 300 in their groups.
  EXPECT_NEAR(sum / count, 5000, 150);
}

}  // namespace
}  // namespace skep
