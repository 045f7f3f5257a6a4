#include "jobs/kernels/quantile_sketch.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/sketch_ddsketch.h"
#include "jobs/kernels/sketch_kll.h"
#include "jobs/kernels/sketch_tdigest.h"

namespace skep {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kQuantiles[] = {0,    0.001, 0.01, 0.1,   0.25, 0.5,
                                 0.75, 0.9,   0.99, 0.999, 1};

struct Input {
  std::string name;
  bool dense;  // has a density: no value stands for many
  std::vector<double> values;
};

std::vector<Input> Inputs(int size) {
  Random random(61);
  const auto make = [&](const std::function<double(int)>& value) {
    std::vector<double> values;
    for (int i = 0; i < size; ++i) values.push_back(value(i));
    return values;
  };
  return {
      {"uniform", true, make([&](int) { return random.Unit(); })},
      {"ascending", true, make([](int i) { return i - 1000.5; })},
      {"descending", true, make([](int i) { return -i; })},
      {"exponential", true, make([&](int) { return -std::log(1 - random.Unit()); })},
      {"heavy tails", false, make([&](int) { return 1 / (random.Unit() - 0.5); })},
      {"equal", false, make([](int) { return 7.5; })},
      {"two values", false, make([](int i) { return i % 2 == 0 ? -1e300 : 1e300; })},
      {"saw", false, make([](int i) { return i % 100; })},
      {"all scales", false, make([&](int) {
         return std::ldexp(random.Unit() - 0.5,
                           static_cast<int>(random.Below(2000)) - 1050);
       })},
      {"infinities", false, make([](int i) {
         return i % 10 == 0 ? -kInfinity : i % 10 == 1 ? kInfinity : i;
       })},
  };
}

// How far a value's ranks are from a rank, as a part of all.
double RankError(const std::vector<double>& sorted, double value, uint64_t rank) {
  const auto [low, high] = std::equal_range(sorted.begin(), sorted.end(), value);
  const uint64_t off =
      RanksOff(static_cast<uint64_t>(low - sorted.begin()),
               static_cast<uint64_t>(high - low), {.low = rank, .high = rank});
  return static_cast<double>(off) / static_cast<double>(sorted.size());
}

// Of the values in so many parts, through bytes, merged.
std::unique_ptr<QuantileSketch> SketchOf(SketchKind kind,
                                         const std::vector<double>& values,
                                         size_t parts, uint64_t seed) {
  std::unique_ptr<QuantileSketch> whole = MakeSketch(kind, seed);
  for (size_t part = 0; part < parts; ++part) {
    const auto sketch = MakeSketch(kind, seed + 1 + part);
    const size_t begin = values.size() * part / parts;
    const size_t end = values.size() * (part + 1) / parts;
    sketch->Add(std::span(values).subspan(begin, end - begin));
    const auto read = ParseSketch(kind, sketch->Serialize());
    EXPECT_TRUE(read.ok()) << read.status();
    EXPECT_EQ((*read)->Serialize(), sketch->Serialize());
    whole->Merge(**read);
  }
  EXPECT_EQ(whole->count(), values.size());
  return whole;
}

void CheckBounds(SketchKind kind, const Input& input, size_t parts, uint64_t seed,
                 int* beyond) {
  std::vector<double> sorted = input.values;
  std::sort(sorted.begin(), sorted.end());
  const auto sketch = SketchOf(kind, input.values, parts, seed);
  EXPECT_EQ(sketch->ValueOfRank(1), sorted.front()) << SketchKindName(kind);
  EXPECT_EQ(sketch->ValueOfRank(sorted.size()), sorted.back()) << SketchKindName(kind);
  for (const double q : kQuantiles) {
    const auto rank =
        1 + static_cast<uint64_t>(q * static_cast<double>(sorted.size() - 1));
    const double value = sketch->ValueOfRank(rank), exact = sorted[rank - 1];
    const std::string what = std::string(SketchKindName(kind)) + ", " + input.name +
                             ", " + std::to_string(q) + " in " + std::to_string(parts);
    switch (kind) {
      case SketchKind::kKll:
        *beyond += RankError(sorted, value, rank) > KllSketch(0).RankError();
        break;
      case SketchKind::kTDigest:
        if (input.dense) {
          EXPECT_LE(RankError(sorted, value, rank),
                    TDigest().RankError(q) + 2 / static_cast<double>(sorted.size()))
              << what;
        }
        EXPECT_GE(value, sorted.front()) << what;
        EXPECT_LE(value, sorted.back()) << what;
        break;
      case SketchKind::kDdSketch:
        if (std::isinf(exact)) {
          EXPECT_EQ(value, exact) << what;
        } else {
          EXPECT_LE(std::fabs(value - exact),
                    std::fabs(exact) * DdSketch().error() * (1 + 1e-9) + 1e-322)
              << what;
        }
        break;
    }
  }
}

TEST(QuantileSketch, KeepsItsBounds) {
  for (const SketchKind kind :
       {SketchKind::kKll, SketchKind::kTDigest, SketchKind::kDdSketch}) {
    int beyond = 0, checked = 0;
    for (const int size : {1, 2, 10, 999, 50'000}) {
      for (const Input& input : Inputs(size)) {
        for (const size_t parts : {1, 7}) {
          CheckBounds(kind, input, parts, checked, &beyond);
          checked += static_cast<int>(std::size(kQuantiles));
        }
      }
    }
    // The bound of kll holds for 99 of 100.
    EXPECT_LE(beyond, checked / 100) << SketchKindName(kind);
  }
}

// Merged with others, on either side, nothing changes them.
TEST(QuantileSketch, OfNothing) {
  for (const SketchKind kind :
       {SketchKind::kKll, SketchKind::kTDigest, SketchKind::kDdSketch}) {
    const auto nothing = ParseSketch(kind, MakeSketch(kind, 1)->Serialize());
    ASSERT_TRUE(nothing.ok()) << nothing.status();
    EXPECT_EQ((*nothing)->count(), 0u);
    const auto two = MakeSketch(kind, 2), merged = MakeSketch(kind, 3);
    two->Add(std::vector<double>{-kInfinity, 2.5});
    merged->Merge(**nothing);
    EXPECT_EQ(merged->count(), 0u);
    merged->Merge(*two);
    merged->Merge(**nothing);
    EXPECT_EQ(merged->count(), 2u);
    EXPECT_EQ(merged->ValueOfRank(1), -kInfinity) << SketchKindName(kind);
    EXPECT_EQ(merged->ValueOfRank(2), 2.5) << SketchKindName(kind);
  }
}

TEST(QuantileSketch, RanksOff) {
  const auto off = [](uint64_t below, uint64_t equal, uint64_t low, uint64_t high) {
    return RanksOff(below, equal, {.low = low, .high = high});
  };
  EXPECT_EQ(off(4, 1, 5, 5), 0u);  // it is the fifth
  EXPECT_EQ(off(4, 1, 4, 4), 1u);
  EXPECT_EQ(off(4, 3, 7, 7), 0u);  // the fifth to the seventh
  EXPECT_EQ(off(4, 3, 9, 9), 2u);
  EXPECT_EQ(off(4, 0, 4, 4), 0u);  // between the fourth and the fifth
  EXPECT_EQ(off(4, 0, 5, 5), 0u);
  EXPECT_EQ(off(4, 0, 6, 6), 1u);
  EXPECT_EQ(off(4, 0, 2, 3), 1u);  // wanted: between two
  EXPECT_EQ(off(0, 0, 1, 1), 0u);  // less than all
}

TEST(QuantileSketch, FewValuesAreExactInKll) {
  const auto sketch = MakeSketch(SketchKind::kKll, 1);
  for (int i = 100; i > 0; --i) sketch->Add(i);
  for (uint64_t rank = 1; rank <= 100; ++rank) {
    EXPECT_EQ(sketch->ValueOfRank(rank), static_cast<double>(rank));
  }
}

TEST(QuantileSketch, StaysSmall) {
  Random random(62);
  for (const SketchKind kind :
       {SketchKind::kKll, SketchKind::kTDigest, SketchKind::kDdSketch}) {
    const auto sketch = MakeSketch(kind, 1);
    for (int i = 0; i < 1'000'000; ++i) sketch->Add(random.Unit() + 1);
    EXPECT_LT(sketch->memory_used(), 200'000u) << SketchKindName(kind);
    EXPECT_LT(sketch->Serialize().size(), 50'000u) << SketchKindName(kind);
  }
}

TEST(QuantileSketch, DamagedBytesAreRefused) {
  Random random(63);
  for (const SketchKind kind :
       {SketchKind::kKll, SketchKind::kTDigest, SketchKind::kDdSketch}) {
    const auto sketch = MakeSketch(kind, 1);
    for (int i = 0; i < 3000; ++i) sketch->Add(i);
    const std::string bytes = sketch->Serialize();
    for (size_t size = 0; size < bytes.size(); size += 1 + size / 10) {
      EXPECT_FALSE(ParseSketch(kind, bytes.substr(0, size)).ok())
          << SketchKindName(kind) << " " << size;
    }
    // Whatever they are, they do no harm.
    for (int i = 0; i < 300; ++i) {
      std::string damaged = bytes;
      damaged[random.Below(damaged.size())] = static_cast<char>(random());
      const auto read = ParseSketch(kind, damaged);
      if (read.ok() && (*read)->count() > 0) (*read)->ValueOfRank(1);
    }
  }
  EXPECT_FALSE(ParseSketchKind("gk").ok());
}

}  // namespace
}  // namespace skep
