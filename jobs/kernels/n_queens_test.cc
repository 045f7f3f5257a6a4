#include "jobs/kernels/n_queens.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <numeric>
#include <utility>

#include "gtest/gtest.h"

namespace skep {
namespace {

// OEIS A000170.
constexpr uint64_t kSolutions[] = {0,  1,   0,   0,    2,     10,    4,     40,
                                   92, 352, 724, 2680, 14200, 73712, 365596};

uint64_t Total(int n, int depth, CpuPath path = BestCpuPath()) {
  uint64_t total = 0;
  for (const QueensPrefix& prefix : QueensPrefixes(n, depth)) {
    total += prefix.weight * CountQueens(prefix, {}, path).value();
  }
  return total;
}

// An unrelated algorithm: row by row, a table of how many partial placements lead to
// each set of attacked columns and diagonals (dynamic programming over states instead
// of a search).
uint64_t CountByStates(int n) {
  using State = std::array<uint32_t, 3>;
  const uint32_t board = (1u << n) - 1;
  std::map<State, uint64_t> states = {{State{}, 1}};
  for (int row = 0; row < n; ++row) {
    std::map<State, uint64_t> next;
    for (const auto& [s, count] : states) {
      for (int column = 0; column < n; ++column) {
        const uint32_t queen = 1u << column;
        if (((s[0] | s[1] | s[2]) & queen) != 0) continue;
        next[{s[0] | queen, (s[1] | queen) << 1 & board, (s[2] | queen) >> 1}] += count;
      }
    }
    states = std::move(next);
  }
  uint64_t total = 0;
  for (const auto& [state, count] : states) total += count;
  return total;
}

// A third one: permutations of the columns, checked pair by pair.
uint64_t CountByPermutations(int n) {
  std::vector<int> columns(n);
  std::iota(columns.begin(), columns.end(), 0);
  uint64_t total = 0;
  do {
    bool good = true;
    for (int i = 0; i < n && good; ++i) {
      for (int j = 0; j < i && good; ++j) {
        good = std::abs(columns[i] - columns[j]) != i - j;
      }
    }
    total += good;
  } while (std::next_permutation(columns.begin(), columns.end()));
  return total;
}

TEST(NQueens, KnownCountsAtEveryDepthOnEveryPath) {
  for (const CpuPath path : SupportedCpuPaths()) {
    for (int n = 1; n <= 12; ++n) {
      for (int depth = 1; depth <= std::min(n, 4); ++depth) {
        EXPECT_EQ(Total(n, depth, path), kSolutions[n])
            << "n " << n << " depth " << depth << CpuPathName(path);
      }
    }
    EXPECT_EQ(Total(13, 2, path), kSolutions[13]);
    EXPECT_EQ(Total(14, 2, path), kSolutions[14]);
  }
}

// Each subtree by itself, also on boards whose masks reach the upper bits of a word.
TEST(NQueens, PathsAgreeOnEveryPrefix) {
  for (const auto& [n, depth] : {std::pair(15, 6), std::pair(25, 15)}) {
    std::vector<QueensPrefix> prefixes;
    if (n == 15) {
      prefixes = QueensPrefixes(n, depth);
      prefixes.resize(2000);
    } else {
      // The first rows of the knight's pattern, and its mirror image.
      QueensPrefix prefix{.n = n};
      for (int row = 0; row < depth; ++row) {
        prefix.columns.push_back(row < n / 2 ? 2 * row + 1 : 2 * (row - n / 2));
      }
      prefixes.push_back(prefix);
      for (int& column : prefix.columns) column = n - 1 - column;
      prefixes.push_back(prefix);
    }
    uint64_t total = 0;
    for (const QueensPrefix& prefix : prefixes) {
      const uint64_t count = CountQueens(prefix, {}, CpuPath::kScalar).value();
      for (const CpuPath path : SupportedCpuPaths()) {
        ASSERT_EQ(CountQueens(prefix, {}, path).value(), count) << CpuPathName(path);
      }
      total += count;
    }
    EXPECT_GT(total, 0u) << n;
  }
}

TEST(NQueens, PrefixesAsDeepAsTheBoard) {
  for (int n = 1; n <= 9; ++n) EXPECT_EQ(Total(n, n), kSolutions[n]) << n;
  EXPECT_EQ(QueensPrefixes(8, 100), QueensPrefixes(8, 8));
}

TEST(NQueens, AgreesWithUnrelatedAlgorithms) {
  for (int n = 1; n <= 11; ++n) EXPECT_EQ(Total(n, 2), CountByStates(n)) << n;
  for (int n = 1; n <= 8; ++n) EXPECT_EQ(Total(n, 2), CountByPermutations(n)) << n;
}

TEST(NQueens, PrefixesNeverOverlapNorAttack) {
  const std::vector<QueensPrefix> prefixes = QueensPrefixes(9, 3);
  for (size_t i = 0; i < prefixes.size(); ++i) {
    ASSERT_EQ(prefixes[i].columns.size(), 3u);
    EXPECT_LE(prefixes[i].columns[0], 4);
    EXPECT_EQ(prefixes[i].weight, 2);
    if (i > 0) {
      EXPECT_LT(prefixes[i - 1].columns, prefixes[i].columns);
    }
    EXPECT_TRUE(CountQueens(prefixes[i], {}).ok());
  }
}

TEST(NQueens, MiddleColumnOfAnOddBoard) {
  const std::vector<QueensPrefix> prefixes = QueensPrefixes(5, 1);
  ASSERT_EQ(prefixes.size(), 3u);
  EXPECT_EQ(prefixes[0].weight, 2);
  EXPECT_EQ(prefixes[1].weight, 2);
  EXPECT_EQ(prefixes[2].weight, 1);
  EXPECT_EQ(prefixes[2].columns, std::vector<int>{2});
}

TEST(NQueens, SubproblemsAsTheServiceAsksThem) {
  for (int n = 1; n <= 11; ++n) {
    uint64_t total = 0;
    for (int first = 0; first < (n + 1) / 2; ++first) {
      const uint64_t count = CountQueensSubproblem(n, first, -1, {}).value();
      total += first == n / 2 ? count : 2 * count;
      uint64_t by_second = 0;
      for (int second = 0; n > 1 && second < n; ++second) {
        by_second += CountQueensSubproblem(n, first, second, {}).value();
      }
      if (n > 1) {
        EXPECT_EQ(by_second, count) << "n " << n << " first " << first;
      }
    }
    EXPECT_EQ(total, kSolutions[n]) << n;
  }
}

TEST(NQueens, RefusesWhatIsNoBoard) {
  for (const int n : {-1, 0, 28, 1000}) {
    EXPECT_EQ(CheckQueens(n).code(), absl::StatusCode::kInvalidArgument) << n;
    EXPECT_FALSE(CountQueens({.n = n, .columns = {0}}, {}).ok());
  }
  EXPECT_TRUE(CheckQueens(1).ok());
  EXPECT_TRUE(CheckQueens(27).ok());
  for (const auto& columns : std::vector<std::vector<int>>{
           {8}, {-1}, {0, 0}, {0, 1}, {3, 0, 3}, {0, 2, 4, 6, 1, 3, 5, 7, 0}}) {
    EXPECT_EQ(CountQueens({.n = 8, .columns = columns}, {}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(CountQueensSubproblem(8, 8, -1, {}).ok());
  EXPECT_FALSE(CountQueensSubproblem(8, 0, 8, {}).ok());
  EXPECT_FALSE(CountQueensSubproblem(8, 0, -2, {}).ok());
  EXPECT_EQ(CountQueensSubproblem(8, 3, 4, {}).value(), 0u);
}

TEST(NQueens, StopsWhenToldTo) {
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(CountQueens({.n = 27, .columns = {0}}, source.get_token()).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace skep
