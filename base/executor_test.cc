#include "base/executor.h"

#include <vector>

#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(ManualExecutor, RunsInOrderOfTimeThenOfPosting) {
  SimulatedClock clock;
  ManualExecutor executor(clock);
  std::vector<int> ran;
  executor.PostAfter(absl::Seconds(2), [&] { ran.push_back(4); });
  executor.PostAfter(absl::Seconds(1), [&] { ran.push_back(3); });
  executor.Post([&] { ran.push_back(1); });
  executor.Post([&] { ran.push_back(2); });
  EXPECT_TRUE(ran.empty());
  executor.RunUntilIdle();
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
  const absl::Time start = clock.Now();
  executor.RunFor(absl::Seconds(5));
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(clock.Now() - start, absl::Seconds(5));
}

TEST(ManualExecutor, CancelledTimersNeverRun) {
  SimulatedClock clock;
  ManualExecutor executor(clock);
  bool ran = false;
  const TimerId timer = executor.PostAfter(absl::Seconds(1), [&] { ran = true; });
  EXPECT_TRUE(executor.Cancel(timer));
  EXPECT_FALSE(executor.Cancel(timer));
  EXPECT_FALSE(executor.Cancel(TimerId()));
  executor.RunFor(absl::Seconds(2));
  EXPECT_FALSE(ran);
}

TEST(ManualExecutor, KnowsWhenItRuns) {
  SimulatedClock clock;
  ManualExecutor executor(clock);
  bool inside = false;
  executor.Post([&] { inside = executor.IsCurrent(); });
  EXPECT_FALSE(executor.IsCurrent());
  executor.RunUntilIdle();
  EXPECT_TRUE(inside);
}

}  // namespace
}  // namespace skep
