#include "jobs/kernels/queens_halves.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
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

// What a board of halves counts for a choice of western rows, by plain backtracking
// column by column, with symmetries by their definition.
class ChoiceByBacktracking {
 public:
  ChoiceByBacktracking(int n, uint32_t west)
      : n_(n), side_(n / 2), all_((uint32_t{1} << n) - 1), west_(west) {}

  uint64_t Count() {
    Place(0, 0, 0, 0);
    return total_;
  }

 private:
  void Place(int column, uint32_t taken, uint32_t falling, uint32_t rising) {
    if (column == n_) {
      total_ += static_cast<uint64_t>(Weight()) * Mirrored();
      return;
    }
    uint32_t free = all_ & ~(taken | falling | rising);
    free &= column < side_ ? west_ : ~west_;
    for (; free != 0; free &= free - 1) {
      const uint32_t queen = free & -free;
      rows_[column] = std::countr_zero(queen);
      Place(column + 1, taken | queen, (falling | queen) << 1, (rising | queen) >> 1);
    }
  }

  // How many choices are images of this one; 0 if another comes first.
  int Weight() const {
    uint32_t east = 0;
    for (int column = n_ - side_; column < n_; ++column) east |= 1u << rows_[column];
    const auto turned = [this](uint32_t rows) {
      uint32_t image = 0;
      for (int row = 0; row < n_; ++row) image |= (rows >> row & 1) << (n_ - 1 - row);
      return image;
    };
    const std::pair own(west_, east);
    const std::set<std::pair<uint32_t, uint32_t>> images = {
        own,
        {east, west_},
        {turned(west_), turned(east)},
        {turned(east), turned(west_)}};
    return *images.begin() == own ? static_cast<int>(images.size()) : 0;
  }

  // 2 if the columns of the quarters rank above their rows, 0 if below.
  int Mirrored() const {
    std::array<uint32_t, 4> rows{}, columns{};
    for (int column = 0; column < n_; ++column) {
      const int row = rows_[column];
      const bool south = row >= n_ - side_, east = column >= n_ - side_;
      if ((!south && row >= side_) || (!east && column >= side_)) continue;
      rows[2 * south + east] |= 1u << (south ? n_ - 1 - row : row);
      columns[2 * south + east] |= 1u << (east ? n_ - 1 - column : column);
    }
    const uint32_t by_rows = *std::max_element(rows.begin(), rows.end());
    const uint32_t by_columns = *std::max_element(columns.begin(), columns.end());
    return by_columns > by_rows ? 2 : by_columns == by_rows ? 1 : 0;
  }

  const int n_, side_;
  const uint32_t all_, west_;
  std::array<int, 32> rows_{};
  uint64_t total_ = 0;
};

TEST_P(Paths, EveryChoiceAgreesWithBacktracking) {
  for (const int n : {9, 10}) {
    const auto board = QueensHalves::Create(n, GetParam(), 0).value();
    for (size_t i = 0; i < board->size(); ++i) {
      ASSERT_EQ(board->Count(i, i + 1, {}).value(),
                ChoiceByBacktracking(n, board->western_rows(i)).Count())
          << n << ": " << board->western_rows(i);
    }
  }
}

uint64_t CountOfChoice(const QueensHalves& board, uint32_t western_rows) {
  for (size_t i = 0; i < board.size(); ++i) {
    if (board.western_rows(i) == western_rows) return board.Count(i, i + 1, {}).value();
  }
  ADD_FAILURE() << "no choice of these rows";
  return 0;
}

// Choices with few solutions, of boards too large to count.
TEST(QueensHalves, ChoicesOfALargeBoardAgreeWithBacktracking) {
  constexpr uint32_t kRows = 0x557f;
  for (const int n : {22, 23}) {
    const uint64_t count = ChoiceByBacktracking(n, kRows).Count();
    EXPECT_GT(count, 0u);
    EXPECT_EQ(CountOfChoice(*QueensHalves::Create(n).value(), kRows), count) << n;
  }
  // The same backtracking takes seconds here: what it said, once.
  EXPECT_EQ(CountOfChoice(*QueensHalves::Create(24).value(), 0x1557f), 2172u);
  EXPECT_EQ(CountOfChoice(*QueensHalves::Create(25).value(), 0xaaff), 1504u);
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
  for (const int n : {-1, 0, 3, 28, 100}) {
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
