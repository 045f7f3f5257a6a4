// Pick and PhantomPending against naive implementations of what they promise, against
// recorded traces, and against the probabilities that follow from their definitions.
//
// The traces in testdata/pick_traces.tsv say that a seed still gives the same picks: a
// fleet's history is replayed by them. Written anew, after a change that is meant, by
//   SKEP_WRITE_TRACES=$PWD/rpc/balance/testdata/pick_traces.tsv
//     bazel run //rpc/balance:pick_reference_test

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "rpc/balance/phantom_pending.h"
#include "rpc/balance/pick.h"

namespace skep {
namespace {

constexpr PickPolicy kPolicies[] = {PickPolicy::kLeastPending, PickPolicy::kRoundRobin,
                                    PickPolicy::kRandom, PickPolicy::kPowerOfTwo};

// Weights are whole numbers here, so that loads compare without rounding.
std::vector<Candidate> RandomCandidates(Random& random) {
  std::vector<Candidate> candidates(random.Below(12));
  const uint64_t spread =
      1 + random.Below(random.Chance(0.7) ? 3 : 20);  // or ties are rare
  const bool weighted = random.Chance(0.5);
  const double usable = random.Unit();
  for (Candidate& c : candidates) {
    c.pending = static_cast<int64_t>(random.Below(spread));
    c.weight = weighted ? static_cast<double>(1 + random.Below(5)) : 1;
    c.usable = random.Chance(usable);
  }
  return candidates;
}

std::vector<size_t> Usable(const std::vector<Candidate>& candidates) {
  std::vector<size_t> usable;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].usable) usable.push_back(i);
  }
  return usable;
}

// Whether `a` is less loaded than `b`.
bool Less(const Candidate& a, const Candidate& b) {
  return a.pending * std::lround(b.weight) < b.pending * std::lround(a.weight);
}

double WeightOf(const std::vector<Candidate>& candidates,
                const std::vector<size_t>& some) {
  double weight = 0;
  for (const size_t i : some) weight += candidates[i].weight;
  return weight;
}

// The chance of each candidate, straight from the definition of its policy. Round
// robin goes not by chance: all that are usable may have their turn.
std::vector<double> Chances(PickPolicy policy,
                            const std::vector<Candidate>& candidates) {
  std::vector<double> chances(candidates.size(), 0);
  const std::vector<size_t> usable = Usable(candidates);
  if (usable.empty()) return chances;
  const double all = WeightOf(candidates, usable);
  switch (policy) {
    case PickPolicy::kLeastPending: {
      std::vector<size_t> best;
      for (const size_t i : usable) {
        if (std::none_of(usable.begin(), usable.end(), [&](size_t j) {
              return Less(candidates[j], candidates[i]);
            })) {
          best.push_back(i);
        }
      }
      const double tied = WeightOf(candidates, best);
      for (const size_t i : best) chances[i] = candidates[i].weight / tied;
      break;
    }
    case PickPolicy::kRoundRobin:
    case PickPolicy::kRandom:
      for (const size_t i : usable) chances[i] = candidates[i].weight / all;
      break;
    default:
      if (usable.size() == 1) {
        chances[usable[0]] = 1;
        break;
      }
      for (const size_t first : usable) {
        const Candidate& one = candidates[first];
        for (const size_t second : usable) {
          if (first == second) continue;
          const Candidate& other = candidates[second];
          chances[Less(other, one) ? second : first] +=
              one.weight / all * (other.weight / (all - one.weight));
        }
      }
  }
  return chances;
}

TEST(PickReference, PicksOnlyWhatThePolicyAllows) {
  for (const PickPolicy policy : kPolicies) {
    Random random(1);
    PickState state(2);
    for (int i = 0; i < 100'000; ++i) {
      const std::vector<Candidate> candidates = RandomCandidates(random);
      const std::vector<double> chances = Chances(policy, candidates);
      const std::optional<size_t> picked = Pick(policy, candidates, state);
      ASSERT_EQ(picked.has_value(), !Usable(candidates).empty());
      if (!picked) continue;
      ASSERT_LT(*picked, candidates.size());
      ASSERT_GT(chances[*picked], 0) << PickPolicyName(policy) << " case " << i;
    }
  }
}

TEST(PickReference, PicksAsOftenAsThePolicySays) {
  for (const PickPolicy policy : kPolicies) {
    if (policy == PickPolicy::kRoundRobin) continue;  // not by chance: below
    Random random(3);
    PickState state(4);
    // Pearson's chi-square over many cases: the sum of independent ones.
    double chi_square = 0;
    int degrees = 0;
    for (int i = 0; i < 300; ++i) {
      const std::vector<Candidate> candidates = RandomCandidates(random);
      const std::vector<double> chances = Chances(policy, candidates);
      if (Usable(candidates).empty()) continue;
      constexpr int kPicks = 3000;
      std::vector<int> picks(candidates.size(), 0);
      for (int j = 0; j < kPicks; ++j) ++picks[*Pick(policy, candidates, state)];
      int possible = 0;
      for (size_t c = 0; c < candidates.size(); ++c) {
        if (chances[c] == 0) continue;
        ++possible;
        const double expected = chances[c] * kPicks;
        chi_square += (picks[c] - expected) * (picks[c] - expected) / expected;
      }
      degrees += possible - 1;
    }
    // Nearly normal with so many degrees of freedom. The seeds are fixed: this holds or
    // it does not.
    ASSERT_GT(degrees, 100);
    const double deviations = (chi_square - degrees) / std::sqrt(2.0 * degrees);
    EXPECT_LT(std::abs(deviations), 4)
        << PickPolicyName(policy) << ": chi-square " << chi_square << " with "
        << degrees << " degrees of freedom";
  }
}

// After any number of picks no two have had turns, for their weight, that differ by
// more than one turn of each.
TEST(PickReference, RoundRobinIsFairAtAnyTime) {
  Random random(6);
  for (int round = 0; round < 200; ++round) {
    const std::vector<Candidate> candidates = RandomCandidates(random);
    const std::vector<size_t> usable = Usable(candidates);
    if (usable.empty()) continue;
    PickState state(1);
    std::vector<double> turns(candidates.size(), 0);
    for (int i = 0; i < 200; ++i) {
      ++turns[*Pick(PickPolicy::kRoundRobin, candidates, state)];
      for (const size_t a : usable) {
        for (const size_t b : usable) {
          const double wa = candidates[a].weight, wb = candidates[b].weight;
          ASSERT_LE(turns[a] / wa - turns[b] / wb, 1 / wa + 1 / wb + 1e-9);
        }
      }
    }
  }
}

// One pick after another while calls come and go, as text.
std::string Trace(PickPolicy policy, uint64_t seed) {
  Random random(seed * 1000 + 7);
  PickState state(seed);
  std::vector<Candidate> candidates(2 + random.Below(6));
  std::string weights;
  for (Candidate& c : candidates) {
    if (seed % 2 == 0) c.weight = static_cast<double>(1 + random.Below(4));
    weights += StrCat(weights.empty() ? "" : ",", c.weight);
  }
  std::string picks;
  for (int i = 0; i < 60; ++i) {
    // Backends go and come, calls end.
    Candidate& some = candidates[random.Below(candidates.size())];
    if (random.Chance(0.1)) some.usable = !some.usable;
    if (random.Chance(0.7) && some.pending > 0) --some.pending;
    const std::optional<size_t> picked = Pick(policy, candidates, state);
    if (picked) ++candidates[*picked].pending;
    picks += StrCat(i == 0 ? "" : " ", picked ? StrCat(*picked) : std::string("-"));
  }
  return StrCat(PickPolicyName(policy), "\t", seed, "\t", weights, "\t", picks, "\n");
}

TEST(PickReference, GivesTheRecordedTraces) {
  std::string traces = "policy\tseed\tweights\tpicks\n";
  for (const PickPolicy policy : kPolicies) {
    for (uint64_t seed = 1; seed <= 10; ++seed) traces += Trace(policy, seed);
  }
  if (const char* const path = std::getenv("SKEP_WRITE_TRACES")) {
    std::ofstream(path) << traces;
  }
  std::ifstream in("rpc/balance/testdata/pick_traces.tsv");
  const std::string recorded((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(traces, recorded);
}

TEST(PhantomPendingReference, CountsTheErrorsOfTheHoldTime) {
  Random random(5);
  for (int round = 0; round < 100; ++round) {
    const auto hold = absl::Milliseconds(1 + random.Below(1000));
    PhantomPending phantoms(hold);
    std::vector<absl::Time> errors;
    absl::Time now = absl::UnixEpoch();
    for (int i = 0; i < 1000; ++i) {
      now += absl::Microseconds(static_cast<int64_t>(random.Below(20'000)));
      const auto code = static_cast<absl::StatusCode>(random.Below(17));
      phantoms.Ended(code, now);
      if (PhantomPending::IsBackendsFault(code)) errors.push_back(now);
      const auto held = std::count_if(errors.begin(), errors.end(),
                                      [&](absl::Time t) { return t + hold > now; });
      ASSERT_EQ(phantoms.Count(now), held);
    }
  }
}

}  // namespace
}  // namespace skep
