#include "jobs/kernels/ranked_masks.h"

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace skep {
namespace {

using Section = RankedMasks::Section;
constexpr int kSide = 9, kQueens = 18;
constexpr RankedMasks::Projection kProjection = {
    .shared = 2 * kSide - 1,
    .first = 0,
    .second = 32 + kQueens - kSide - QueensHalf::Rising(kQueens)};
constexpr QueensDiagonals kClash = uint64_t{1} << 12 | uint64_t{1} << (32 + 6);

class Paths : public testing::TestWithParam<CpuPath> {
 protected:
  Paths()
      : quarter_(kSide), splits_(kSide), half_(quarter_, splits_, kQueens, GetParam()) {
    half_.Place(0b010101101001101010);
  }

  std::vector<uint64_t> Masks(const RankedMasks& masks, Section section) const {
    return {masks.all() + masks.begin(section, 0),
            masks.all() + masks.begin(section, masks.buckets())};
  }

  const QueensQuarter quarter_;
  const QueensHalfSplits splits_;
  QueensHalf half_;
};

TEST_P(Paths, SectionsHoldWhatRanksBelowAtAndAbove) {
  for (const uint32_t limit :
       {0u, 0b101100100u, 0b110100011u, 0b111111111u, 1u << kSide}) {
    RankedMasks masks(kProjection, false, GetParam());
    masks.Take(half_, kClash, limit, 0);
    const size_t ends[] = {0, half_.CountBelow(limit), half_.CountBelow(limit + 1),
                           half_.placements().size()};
    for (const Section section :
         {RankedMasks::kBelow, RankedMasks::kEqual, RankedMasks::kAbove}) {
      std::vector<uint64_t> expected;
      for (size_t i = ends[section]; i < ends[section + 1]; ++i) {
        const QueensDiagonals placement = half_.placements()[i];
        if ((placement & kClash) != 0) continue;
        expected.push_back((placement & 0x1ffff) |
                           (placement >> kProjection.second & 0x1ffff) << 17);
      }
      EXPECT_EQ(Masks(masks, section), expected) << limit << " " << section;
    }
  }
}

TEST_P(Paths, SortingKeepsTheMasksAndSortsThemByKey) {
  constexpr uint32_t kLimit = 0b110010011;
  RankedMasks unsorted(kProjection, false, GetParam());
  unsorted.Take(half_, kClash, kLimit, 0);
  for (const bool gray : {false, true}) {
    for (int bits = 2; bits <= RankedMasks::kMaxKeyBits; bits += 2) {
      RankedMasks sorted(kProjection, gray, GetParam());
      sorted.Take(half_, kClash, kLimit, bits);
      ASSERT_EQ(sorted.buckets(), 1u << bits);
      for (const Section section : {RankedMasks::kBelow, RankedMasks::kAbove}) {
        std::vector<uint64_t> before = Masks(unsorted, section);
        std::vector<uint64_t> after = Masks(sorted, section);
        ASSERT_GT(before.size(), 100u);
        std::sort(before.begin(), before.end());
        std::sort(after.begin(), after.end());
        EXPECT_EQ(before, after);
        // Masks of one bucket agree in the bits of its key, and every bit of the key
        // is one of the masks' own.
        for (uint32_t b = 0; b < sorted.buckets(); ++b) {
          uint64_t all = ~uint64_t{0};
          for (size_t i = sorted.begin(section, b); i < sorted.begin(section, b + 1);
               ++i) {
            all &= sorted.all()[i];
          }
          EXPECT_GE(std::popcount(all), std::popcount(sorted.Key(b))) << b;
          if (gray && b > 0) {
            EXPECT_EQ(std::popcount(sorted.Key(b) ^ sorted.Key(b - 1)), 1);
          }
        }
      }
    }
  }
}

TEST(RankedMasks, KeysGrowWithTheHalf) {
  EXPECT_EQ(RankedMasks::KeyBitsFor(0), 2);
  EXPECT_EQ(RankedMasks::KeyBitsFor(16 << 10), 4);
  EXPECT_EQ(RankedMasks::KeyBitsFor(32 << 10), 6);
  EXPECT_EQ(RankedMasks::KeyBitsFor(2 << 20), 12);
  EXPECT_EQ(RankedMasks::KeyBitsFor(size_t{1} << 30), RankedMasks::kMaxKeyBits);
}

INSTANTIATE_TEST_SUITE_P(All, Paths, testing::ValuesIn(SupportedCpuPaths()),
                         [](const auto& info) {
                           return std::string(CpuPathName(info.param));
                         });

}  // namespace
}  // namespace skep
