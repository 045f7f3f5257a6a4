#include "rpc/balance/pick.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace skep {
namespace {

constexpr PickPolicy kAll[] = {PickPolicy::kLeastPending, PickPolicy::kRoundRobin,
                               PickPolicy::kRandom, PickPolicy::kPowerOfTwo};

std::vector<Candidate> Pending(std::initializer_list<int64_t> counts) {
  std::vector<Candidate> candidates;
  for (const int64_t count : counts) candidates.push_back({.pending = count});
  return candidates;
}

std::map<size_t, int> Histogram(PickPolicy policy, const std::vector<Candidate>& from,
                                int picks) {
  PickState state(7);
  std::map<size_t, int> histogram;
  for (int i = 0; i < picks; ++i) ++histogram[*Pick(policy, from, state)];
  return histogram;
}

TEST(Pick, NothingUsableIsNothing) {
  PickState state(1);
  for (const PickPolicy policy : kAll) {
    EXPECT_EQ(Pick(policy, {}, state), std::nullopt);
    const std::vector<Candidate> dead = {{.usable = false}, {.usable = false}};
    EXPECT_EQ(Pick(policy, dead, state), std::nullopt);
  }
}

TEST(Pick, NeverTakesAnUnusableOne) {
  const std::vector<Candidate> candidates = {{.pending = 0, .usable = false},
                                             {.pending = 9},
                                             {.pending = 0, .usable = false},
                                             {.pending = 5}};
  for (const PickPolicy policy : kAll) {
    PickState state(3);
    for (int i = 0; i < 1000; ++i) {
      const size_t picked = *Pick(policy, candidates, state);
      EXPECT_TRUE(picked == 1 || picked == 3) << PickPolicyName(policy);
    }
  }
}

TEST(LeastPending, TakesTheLeastAndSpreadsTies) {
  EXPECT_EQ(Histogram(PickPolicy::kLeastPending, Pending({3, 1, 2}), 100),
            (std::map<size_t, int>{{1, 100}}));
  const auto ties = Histogram(PickPolicy::kLeastPending, Pending({0, 4, 0, 0}), 30'000);
  EXPECT_EQ(ties.size(), 3u);
  for (const auto& [index, count] : ties) EXPECT_NEAR(count, 10'000, 400) << index;
}

TEST(LeastPending, WeighsCapacity) {
  // 3/2 < 2/1.
  const std::vector<Candidate> candidates = {{.pending = 2, .weight = 1},
                                             {.pending = 3, .weight = 2}};
  EXPECT_EQ(Histogram(PickPolicy::kLeastPending, candidates, 10),
            (std::map<size_t, int>{{1, 10}}));
}

TEST(Pick, WeightsHoldWithoutLoad) {
  const std::vector<Candidate> idle = {{.weight = 2}, {.weight = 1}, {.weight = 0.5}};
  for (const PickPolicy policy : kAll) {
    const auto histogram = Histogram(policy, idle, 35'000);
    EXPECT_NEAR(histogram.at(0), 20'000, 500) << PickPolicyName(policy);
    EXPECT_NEAR(histogram.at(1), 10'000, 500) << PickPolicyName(policy);
    EXPECT_NEAR(histogram.at(2), 5'000, 500) << PickPolicyName(policy);
  }
}

TEST(Pick, TakesAnEjectedOneOnlyIfThereIsNothingElse) {
  std::vector<Candidate> candidates = {
      {.pending = 0, .ejected = true}, {.pending = 9}, {.pending = 0, .usable = false}};
  for (const PickPolicy policy : kAll) {
    candidates[1].usable = true;
    EXPECT_EQ(Histogram(policy, candidates, 100), (std::map<size_t, int>{{1, 100}}));
    candidates[1].usable = false;
    EXPECT_EQ(Histogram(policy, candidates, 100), (std::map<size_t, int>{{0, 100}}));
  }
}

TEST(RoundRobin, WhoWasAwayDoesNotMakeUpForIt) {
  std::vector<Candidate> candidates = Pending({0, 0});
  PickState state(1);
  candidates[1].usable = false;
  for (int i = 0; i < 100; ++i) Pick(PickPolicy::kRoundRobin, candidates, state);
  candidates[1].usable = true;
  std::map<size_t, int> histogram;
  for (int i = 0; i < 10; ++i) {
    ++histogram[*Pick(PickPolicy::kRoundRobin, candidates, state)];
  }
  EXPECT_EQ(histogram, (std::map<size_t, int>{{0, 5}, {1, 5}}));
}

TEST(RoundRobin, TakesTurnsAndSkipsTheUnusable) {
  std::vector<Candidate> candidates = Pending({9, 0, 5});
  PickState state(1);
  std::vector<size_t> picked;
  for (int i = 0; i < 6; ++i) {
    picked.push_back(*Pick(PickPolicy::kRoundRobin, candidates, state));
  }
  // All have had their turn, and have it again in the same order.
  EXPECT_EQ(std::set<size_t>(picked.begin(), picked.begin() + 3).size(), 3);
  EXPECT_TRUE(std::equal(picked.begin(), picked.begin() + 3, picked.begin() + 3));
  candidates[2].usable = false;
  const size_t next = *Pick(PickPolicy::kRoundRobin, candidates, state);
  EXPECT_NE(next, 2);
  EXPECT_EQ(*Pick(PickPolicy::kRoundRobin, candidates, state), 1 - next);
  EXPECT_EQ(*Pick(PickPolicy::kRoundRobin, candidates, state), next);
}

// Or all loops and all balancers of a fleet would meet at every backend.
TEST(RoundRobin, BeginsAnywhereAndGoesRoundInAnyOrder) {
  const std::vector<Candidate> candidates = Pending({0, 0, 0});
  std::set<std::vector<size_t>> orders;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    PickState state(seed);
    std::vector<size_t> order;
    for (int i = 0; i < 3; ++i) {
      order.push_back(*Pick(PickPolicy::kRoundRobin, candidates, state));
    }
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6);
}

TEST(RandomPolicy, IsUniform) {
  for (const auto& [index, count] :
       Histogram(PickPolicy::kRandom, Pending({0, 50, 100}), 30'000)) {
    EXPECT_NEAR(count, 10'000, 400) << index;
  }
}

TEST(PowerOfTwo, NeverTakesTheMostLoadedOfDistinctLoads) {
  auto histogram = Histogram(PickPolicy::kPowerOfTwo, Pending({0, 50, 100}), 30'000);
  // The least loaded wins the two pairs of three that it is in.
  EXPECT_NEAR(histogram[0], 20'000, 500);
  EXPECT_NEAR(histogram[1], 10'000, 500);
  EXPECT_EQ(histogram[2], 0);
}

TEST(PickPolicy, NamesRoundTrip) {
  for (const PickPolicy policy : kAll) {
    EXPECT_EQ(*ParsePickPolicy(PickPolicyName(policy)), policy);
  }
  EXPECT_FALSE(ParsePickPolicy("fastest").ok());
}

TEST(Pick, TheSameSeedGivesTheSameTrace) {
  const std::vector<Candidate> candidates = Pending({1, 1, 1, 2, 1});
  for (const PickPolicy policy : kAll) {
    PickState a(42), b(42);
    for (int i = 0; i < 1000; ++i) {
      EXPECT_EQ(Pick(policy, candidates, a), Pick(policy, candidates, b));
    }
  }
}

}  // namespace
}  // namespace skep
