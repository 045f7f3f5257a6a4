// Histories by the hundred; by the ten thousand with
//   SKEP_PROPERTY_SEEDS=10000 bazel run //tests/properties:properties_test
// A failure prints its seed. To play only that one again: SKEP_PROPERTY_SEED=17.

#include <cstdlib>
#include <iostream>

#include "glog/logging.h"
#include "gtest/gtest.h"
#include "tests/properties/history.h"

namespace skep {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

void RunSeeds(bool balanced) {
  uint64_t first = FromEnvironment("SKEP_PROPERTY_FIRST", 1);
  uint64_t seeds = FromEnvironment("SKEP_PROPERTY_SEEDS", 300);
  if (const uint64_t seed = FromEnvironment("SKEP_PROPERTY_SEED", 0); seed != 0) {
    first = seed;
    seeds = 1;
  } else {
    FLAGS_minloglevel = google::GLOG_FATAL;
  }
  int failed = 0;
  std::map<std::string, int64_t> tally;
  for (uint64_t seed = first; seed < first + seeds && failed < 5; ++seed) {
    const HistoryResult result = RunHistory(seed, balanced);
    EXPECT_EQ(result.wrong, "") << "play it again with SKEP_PROPERTY_SEED=" << seed;
    failed += result.wrong.empty() ? 0 : 1;
    for (const auto& [what, n] : result.tally) tally[what] += n;
  }
  for (const auto& [what, n] : tally) std::cout << what << "=" << n << " ";
  std::cout << "seeds=" << seeds << "\n";
  if (seeds < 300) return;
  // Or the histories would show little.
  const int64_t many = static_cast<int64_t>(seeds);
  for (const char* what : {"OK", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED",
                           "RESOURCE_EXHAUSTED", "never sent"}) {
    EXPECT_GT(tally[what], many / 2) << what;
  }
}

TEST(ChannelProperties, EveryCallCompletesOnceWithItsOwnReply) { RunSeeds(false); }

TEST(BalancerProperties, EveryCallCompletesOnceWithItsOwnReply) { RunSeeds(true); }

TEST(ChannelProperties, TheSameSeedIsTheSameHistory) {
  FLAGS_minloglevel = google::GLOG_FATAL;
  for (const bool balanced : {false, true}) {
    for (uint64_t seed = 1; seed <= 30; ++seed) {
      const HistoryResult first = RunHistory(seed, balanced);
      // Elsewhere in memory.
      const auto in_the_way = std::make_unique<char[]>(100'000 + seed * 1000);
      const HistoryResult second = RunHistory(seed, balanced);
      EXPECT_EQ(first.digest, second.digest) << "seed " << seed << " of " << balanced;
      EXPECT_EQ(first.tally, second.tally);
      EXPECT_NE(first.digest, RunHistory(seed + 1000, balanced).digest);
    }
  }
}

}  // namespace
}  // namespace skep
