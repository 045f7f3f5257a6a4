// Hedged calls of the balanced channel, on the simulated network.

#include "rpc/balance/balanced_testing.h"

namespace skep {
namespace {

class BalancedHedgeTest : public BalancedTest {
 protected:
  BalancedHedgeTest() : BalancedTest(2) {}

  static BalancedOptions After(absl::Duration delay) {
    BalancedOptions options;
    // The first call goes to the first backend.
    options.policy = PickPolicy::kRoundRobin;
    options.hedge.delay = delay;
    return options;
  }
};

TEST_F(BalancedHedgeTest, TheFirstReplyWinsAndTheLoserIsStopped) {
  Dial(After(absl::Milliseconds(10)));
  for (auto& backend : backends_) backend->behaviour.delay = absl::Seconds(2);
  const absl::Time start = clock_.Now();
  Echo({.attachment = "bulk"});
  Run(absl::Milliseconds(5));
  ASSERT_EQ(TotalCalls(), 1);
  const int slow = backends_[0]->calls == 1 ? 0 : 1;
  backends_[1 - slow]->behaviour.delay = absl::Milliseconds(1);
  Run(absl::Milliseconds(20));
  EXPECT_EQ(TotalCalls(), 2);
  EXPECT_EQ(outcomes_[0].completions, 1);
  EXPECT_EQ(outcomes_[0].payload, StrCat("hello@s", 1 - slow));
  EXPECT_EQ(outcomes_[0].attachment, "bulk");
  EXPECT_LT(outcomes_[0].at - start, absl::Milliseconds(16));
  Run(absl::Seconds(5));
  EXPECT_EQ(backends_[slow]->stopped, 1);
  EXPECT_EQ(backends_[1 - slow]->stopped, 0);
  ExpectAllCompletedOnce();
  EXPECT_EQ(channel_->balanced_counters().hedges, 1u);
  EXPECT_EQ(channel_->balanced_counters().hedges_won, 1u);
}

TEST_F(BalancedHedgeTest, TheFirstAttemptMayWinToo) {
  Dial(After(absl::Milliseconds(10)));
  for (auto& backend : backends_) backend->behaviour.delay = absl::Milliseconds(15);
  Echo();
  Run(absl::Seconds(1));
  EXPECT_EQ(TotalCalls(), 2);
  EXPECT_EQ(channel_->balanced_counters().hedges, 1u);
  EXPECT_EQ(channel_->balanced_counters().hedges_won, 0u);
  EXPECT_EQ(backends_[0]->stopped + backends_[1]->stopped, 1);
  ExpectAllCompletedOnce();
}

TEST_F(BalancedHedgeTest, QuickCallsAreNotHedged) {
  Dial(After(absl::Milliseconds(10)));
  for (int i = 0; i < 100; ++i) {
    Echo();
    Run(absl::Milliseconds(5));
  }
  EXPECT_EQ(TotalCalls(), 100);
  EXPECT_EQ(channel_->balanced_counters().hedges, 0u);
}

TEST_F(BalancedHedgeTest, OnlyIdempotentMethodsAre) {
  Dial(After(absl::Microseconds(1)));
  Generate();
  Run(absl::Seconds(1));
  EXPECT_EQ(TotalCalls(), 1);
}

TEST_F(BalancedHedgeTest, ACallMaySayWhen) {
  Dial();
  for (auto& backend : backends_) backend->behaviour.delay = absl::Milliseconds(50);
  Echo();
  Run(absl::Milliseconds(100));
  EXPECT_EQ(TotalCalls(), 1);
  Echo({.hedge_after = absl::Milliseconds(5)});
  Run(absl::Milliseconds(100));
  EXPECT_EQ(TotalCalls(), 3);
  ExpectAllCompletedOnce();
}

TEST_F(BalancedHedgeTest, StaysWithinItsBudget) {
  BalancedOptions options = After(absl::Milliseconds(1));
  options.hedge.budget = {.ratio = 0.1, .min_per_second = 0};
  Dial(std::move(options));
  for (auto& backend : backends_) backend->behaviour.delay = absl::Milliseconds(20);
  for (int i = 0; i < 500; ++i) Echo();
  Run(absl::Seconds(1));
  EXPECT_EQ(channel_->balanced_counters().hedges, 50u);
  EXPECT_EQ(channel_->balanced_counters().hedges_refused, 450u);
  EXPECT_EQ(TotalCalls(), 550);
  ExpectAllCompletedOnce();
}

TEST_F(BalancedHedgeTest, AFailedAttemptLeavesTheOtherItsChance) {
  Dial(After(absl::Milliseconds(10)));
  for (auto& backend : backends_) backend->behaviour.delay = absl::Milliseconds(100);
  Echo();
  Run(absl::Milliseconds(5));
  const int slow = backends_[0]->calls == 1 ? 0 : 1;
  backends_[1 - slow]->behaviour = {.status = Unavailable("broken")};
  Run(absl::Seconds(1));
  EXPECT_TRUE(outcomes_[0].status.ok()) << outcomes_[0].status;
  EXPECT_EQ(outcomes_[0].payload, StrCat("hello@s", slow));
  ExpectAllCompletedOnce();
}

TEST_F(BalancedHedgeTest, CancelStopsBoth) {
  Dial(After(absl::Milliseconds(10)));
  for (auto& backend : backends_) backend->behaviour.delay = absl::Seconds(1);
  Echo();
  Run(absl::Milliseconds(30));
  ASSERT_EQ(TotalCalls(), 2);
  channel_->Cancel(ids_[0]);
  Run(absl::Seconds(5));
  EXPECT_EQ(outcomes_[0].status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(backends_[0]->stopped + backends_[1]->stopped, 2);
  ExpectAllCompletedOnce();
}

TEST_F(BalancedHedgeTest, FollowsItsOwnPercentile) {
  BalancedOptions options;
  options.hedge.percentile = 95;
  options.hedge.budget = {.ratio = 1, .min_per_second = 0};
  Dial(std::move(options));
  for (auto& backend : backends_) backend->behaviour.delay = absl::Milliseconds(8);
  for (int i = 0; i < 100; ++i) {
    Echo();
    Run(absl::Milliseconds(12));
  }
  EXPECT_EQ(channel_->balanced_counters().hedges, 0u);
  // From now on a call that takes much longer is hedged after about 10 ms.
  for (auto& backend : backends_) backend->behaviour.delay = absl::Milliseconds(300);
  Echo();
  Run(absl::Milliseconds(6));
  EXPECT_EQ(channel_->balanced_counters().hedges, 0u);
  Run(absl::Milliseconds(6));
  EXPECT_EQ(channel_->balanced_counters().hedges, 1u);
  Run(absl::Seconds(1));
  ExpectAllCompletedOnce();
}

}  // namespace
}  // namespace skep
