#include "jobs/kernels/queens_halves.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "jobs/kernels/n_queens.h"
#include "jobs/kernels/pair_tables.h"
#include "jobs/kernels/queens_coronal.h"

namespace skep {
namespace {

uint64_t CountByBacktracking(int n) {
  uint64_t total = 0;
  for (const QueensPrefix& prefix : QueensPrefixes(n, 2)) {
    total += prefix.weight * CountQueens(prefix, {}).value();
  }
  return total;
}

// A way without anything in common with the others.
TEST(Coronal, AgreesWithTheKnownCounts) {
  constexpr uint64_t kSolutions[] = {2,   10,   4,     40,    92,    352,
                                     724, 2680, 14200, 73712, 365596};
  for (int n = 4; n <= 14; ++n) EXPECT_EQ(CountQueensByRing(n), kSolutions[n - 4]) << n;
}

class Paths : public testing::TestWithParam<CpuPath> {};

TEST_P(Paths, HalvesAgreeWithBacktracking) {
  for (int n = kMinHalvesQueens; n <= 13; ++n) {
    const auto board = QueensHalves::Create(n, GetParam()).value();
    EXPECT_EQ(board->Count(0, board->size(), {}).value(), CountByBacktracking(n)) << n;
  }
}

TEST_P(Paths, HalvesKnowTheKnownCounts) {
  const auto fourteen = QueensHalves::Create(14, GetParam()).value();
  EXPECT_EQ(fourteen->Count(0, fourteen->size(), {}).value(), 365596u);
  const auto fifteen = QueensHalves::Create(15, GetParam()).value();
  EXPECT_EQ(fifteen->Count(0, fifteen->size(), {}).value(), 2279184u);
}

TEST_P(Paths, SortedHalvesCountTheSame) {
  for (const int n : {9, 12, 13, 14}) {
    const auto plain = QueensHalves::Create(n, GetParam()).value();
    const auto sorted = QueensHalves::Create(n, GetParam(), 0).value();
    EXPECT_EQ(sorted->Count(0, sorted->size(), {}).value(),
              plain->Count(0, plain->size(), {}).value())
        << n;
  }
}

uint64_t CountDisjointPairs(std::span<const uint64_t> a, std::span<const uint64_t> b,
                            int bits, CpuPath path) {
  PairTables tables(bits, path);
  uint64_t count = 0;
  while (!b.empty()) {
    const auto group = b.first(std::min(PairTables::kGroup, b.size()));
    tables.Fill(group);
    count += tables.Count(a);
    b = b.subspan(group.size());
  }
  return count;
}

uint64_t CountPairsOneByOne(const std::vector<uint64_t>& a,
                            const std::vector<uint64_t>& b) {
  uint64_t count = 0;
  for (const uint64_t x : a) {
    for (const uint64_t y : b) count += (x & y) == 0;
  }
  return count;
}

TEST_P(Paths, DisjointPairsAgreeWithOneByOne) {
  Random random(41);
  for (const size_t size : {0, 1, 63, 64, 65, 511, 512, 513, 1100}) {
    for (int bits = 1; bits <= kMaxPairBits; ++bits) {
      std::vector<uint64_t> a(random.Below(100)), b(size);
      const uint64_t mask = (uint64_t{1} << bits) - 1;
      // Few bits, so that many pairs are disjoint; among them 0 and the full mask.
      for (uint64_t& x : a) x = random() & random() & random() & mask;
      for (uint64_t& x : b) x = random() & random() & random() & mask;
      if (!a.empty()) a[0] = 0;
      if (!b.empty()) b.back() = mask;
      ASSERT_EQ(CountDisjointPairs(a, b, bits, GetParam()), CountPairsOneByOne(a, b))
          << "size " << size << " bits " << bits;
    }
  }
}

TEST_P(Paths, EveryBitSeparates) {
  for (int bit = 0; bit < kMaxPairBits; ++bit) {
    const std::vector<uint64_t> one = {uint64_t{1} << bit};
    const std::vector<uint64_t> rest = {((uint64_t{1} << kMaxPairBits) - 1) & ~one[0]};
    EXPECT_EQ(CountDisjointPairs(one, one, kMaxPairBits, GetParam()), 0u);
    EXPECT_EQ(CountDisjointPairs(one, rest, kMaxPairBits, GetParam()), 1u);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Paths, testing::ValuesIn(SupportedCpuPaths()),
                         [](const auto& info) {
                           return std::string(CpuPathName(info.param));
                         });

TEST(QueensHalves, RangesAddUp) {
  const auto board = QueensHalves::Create(11).value();
  for (const size_t step : {1, 7, 1000}) {
    uint64_t total = 0;
    for (size_t first = 0; first < board->size(); first += step) {
      total += board->Count(first, std::min(first + step, board->size()), {}).value();
    }
    EXPECT_EQ(total, 2680u);
  }
  EXPECT_EQ(board->Count(3, 3, {}).value(), 0u);
  EXPECT_GT(board->memory_used(), 0u);
}

TEST(QueensHalves, RefusesBadBoardsAndRanges) {
  for (const int n : {-1, 0, 3, 23, 100}) {
    EXPECT_EQ(QueensHalves::Create(n).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  const auto board = QueensHalves::Create(5).value();
  EXPECT_EQ(board->Count(0, board->size() + 1, {}).status().code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(board->Count(2, 1, {}).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(QueensHalves, SharedBoardsAreMadeOnce) {
  std::vector<std::thread> threads;
  std::array<uint64_t, 4> totals{};
  for (size_t i = 0; i < totals.size(); ++i) {
    threads.emplace_back([&totals, i] {
      const auto board = SharedQueensHalves(10).value();
      totals[i] = board->Count(0, board->size(), {}).value();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const uint64_t total : totals) EXPECT_EQ(total, 724u);
  const auto ten = SharedQueensHalves(10).value();
  EXPECT_EQ(SharedQueensHalves(10).value(), ten);
  EXPECT_FALSE(SharedQueensHalves(2).ok());
  const auto nine = SharedQueensHalves(9).value();
  EXPECT_EQ(nine->Count(0, nine->size(), {}).value(), 352u);
  EXPECT_EQ(ten->Count(0, ten->size(), {}).value(), 724u);  // still there
}

TEST(QueensHalves, StopsWhenToldTo) {
  const auto board = QueensHalves::Create(12).value();
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(board->Count(0, board->size(), source.get_token()).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace skep
