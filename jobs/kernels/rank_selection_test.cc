#include "jobs/kernels/rank_selection.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/selection.h"

namespace skep {
namespace {

struct Keys {
  std::string name;
  std::vector<uint64_t> keys;
};

// What is hard for a sample, or for a window.
std::vector<Keys> Adversaries(size_t size) {
  Random random(size);
  const auto make = [&](const std::function<uint64_t(size_t)>& key) {
    std::vector<uint64_t> keys(size);
    for (size_t i = 0; i < size; ++i) keys[i] = key(i);
    return keys;
  };
  const auto reals = [&](const std::function<double(size_t)>& real) {
    return make([&](size_t i) { return OrderedFromDouble(real(i)); });
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return {
      {"uniform", make([&](size_t) { return random(); })},
      {"all equal", make([](size_t) { return 7; })},
      {"all lowest", make([](size_t) { return 0; })},
      {"all highest", make([](size_t) { return UINT64_MAX; })},
      {"ascending", make([](size_t i) { return i; })},
      {"descending", make([&](size_t i) { return size - i; })},
      {"two values", make([&](size_t) { return random.Below(2) * 5 + 1; })},
      {"two far values", make([&](size_t) { return -random.Below(2); })},
      {"few values", make([&](size_t) { return random.Below(5); })},
      {"one in the middle of equals", make([&](size_t i) {
         return i == size / 2 ? 8 : i % 2 == 0 ? 7 : 9;
       })},
      {"mostly equal",
       make([&](size_t) { return random.Below(50) == 0 ? random() : 1 << 20; })},
      {"heavy tails", reals([&](size_t) { return 1 / (random.Unit() - 0.5); })},
      {"all scales", reals([&](size_t) {
         double value = std::nan("");
         while (std::isnan(value)) value = std::bit_cast<double>(random());
         return value;
       })},
      {"infinities and zeros", reals([&](size_t i) {
         constexpr double kValues[] = {-kInfinity, -0.0,   0.0,
                                       kInfinity,  5e-324, -5e-324};
         return kValues[i % 6];
       })},
      {"subnormals",
       reals([&](size_t) { return std::ldexp(random.Unit() - 0.5, -1022); })},
      {"saw", make([](size_t i) { return i % 1000; })},
      {"crowded middle", make([&](size_t i) {
         return i % 100 == 0 ? random() : (uint64_t{1} << 63) + random.Below(10);
       })},
  };
}

TEST(RankSelection, EqualsASortOnEveryPath) {
  for (const size_t size : {1, 2, 3, 100, 4096, 4097, 5000, 70000}) {
    for (const Keys& input : Adversaries(size)) {
      std::vector<uint64_t> sorted = input.keys;
      std::sort(sorted.begin(), sorted.end());
      std::vector<uint64_t> ranks;
      for (const double q : {0.5, 0.0, 1.0, 0.001, 0.25, 0.251, 0.9, 0.9999, 0.5}) {
        ranks.push_back(1 + static_cast<uint64_t>(q * static_cast<double>(size - 1)));
      }
      for (const CpuPath path : SupportedCpuPaths()) {
        const std::vector<uint64_t> values = SelectRanks(input.keys, ranks, path);
        ASSERT_EQ(values.size(), ranks.size());
        for (size_t i = 0; i < ranks.size(); ++i) {
          EXPECT_EQ(values[i], sorted[ranks[i] - 1])
              << input.name << ", " << size << " keys, rank " << ranks[i] << ", "
              << CpuPathName(path);
          const uint64_t one[] = {ranks[i]};
          EXPECT_EQ(SelectRanks(input.keys, one, path)[0], values[i]) << input.name;
        }
      }
      const uint64_t rank = ranks[0];
      EXPECT_EQ(SelectByRadix(input.keys, rank), sorted[rank - 1]) << input.name;
      EXPECT_EQ(SelectByBisection(input.keys, rank), sorted[rank - 1]) << input.name;
      EXPECT_EQ(SelectByRandomPivot(input.keys, rank), sorted[rank - 1]) << input.name;
      std::vector<uint64_t> copy = input.keys;
      EXPECT_EQ(SelectRank(copy, rank), sorted[rank - 1]) << input.name;
    }
  }
}

TEST(RankSelection, ReadsTheKeysLittleMoreThanOnce) {
  for (const Keys& input : Adversaries(1'000'000)) {
    SelectionCost cost;
    const uint64_t ranks[] = {500'000};
    SelectRanks(input.keys, ranks, BestCpuPath(), &cost);
    EXPECT_EQ(cost.fallbacks, 0u) << input.name;
    // Equal keys at the end of a window need a second pass.
    EXPECT_LT(cost.keys_read, 2'200'000u) << input.name;
    if (input.name == "uniform") {
      EXPECT_LT(cost.keys_read, 1'100'000u);
    }
  }
}

TEST(RankSelection, ManyRanksAtOnce) {
  Random random(9);
  std::vector<uint64_t> keys(100'000);
  for (uint64_t& key : keys) key = random() >> random.Below(64);
  std::vector<uint64_t> ranks(1000);
  for (uint64_t& rank : ranks) rank = 1 + random.Below(keys.size());
  const std::vector<uint64_t> values = SelectRanks(keys, ranks);
  std::sort(keys.begin(), keys.end());
  for (size_t i = 0; i < ranks.size(); ++i) EXPECT_EQ(values[i], keys[ranks[i] - 1]);
}

// At every size around those of vectors and pieces, with and without room.
TEST(RankSelection, PassesCountAndCollect) {
  Random random(10);
  for (const size_t size : {0, 1, 3, 4, 5, 7, 8, 9, 31, 1023, 1024, 1025, 3000}) {
    std::vector<uint64_t> keys(size);
    for (uint64_t& key : keys) key = (random.Below(2) << 63) + random.Below(6) - 2;
    for (const auto& [low, high] : {std::pair<uint64_t, uint64_t>{1, uint64_t{1} << 63},
                                    {0, UINT64_MAX},
                                    {2, 3},
                                    {(uint64_t{1} << 63) + 1, UINT64_MAX - 1}}) {
      std::vector<uint64_t> expected;
      uint64_t up_to_low = 0;
      for (const uint64_t key : keys) {
        up_to_low += key <= low;
        if ((low < key || low == UINT64_MAX) && (key < high || high == 0)) {
          expected.push_back(key);
        }
      }
      for (const size_t capacity : {size_t{0}, size / 3, size}) {
        const size_t kept = std::min(capacity, expected.size());
        for (const CpuPath path : SupportedCpuPaths()) {
          std::vector<uint64_t> inside(capacity + 8);
          const WindowCounts counts =
              CountAndCollect(keys, low, high, inside.data(), capacity, path);
          if (low < UINT64_MAX) {
            EXPECT_EQ(counts.up_to_low, up_to_low) << size;
          }
          EXPECT_EQ(counts.inside, expected.size()) << size;
          EXPECT_TRUE(std::equal(expected.begin(),
                                 expected.begin() + static_cast<ptrdiff_t>(kept),
                                 inside.begin()))
              << size << " " << capacity << " " << CpuPathName(path);
        }
      }
    }
  }
}

}  // namespace
}  // namespace skep
