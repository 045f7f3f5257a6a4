// What the balanced channel makes of its backends' weights, age and errors, on the
// simulated network.

#include "rpc/balance/balanced_testing.h"

namespace skep {
namespace {

class BalancedBackendsTest : public BalancedTest {
 protected:
  // So many calls, one at a time.
  void Calls(int count) {
    for (int i = 0; i < count; ++i) {
      Echo();
      Run(absl::Milliseconds(2));
    }
  }
};

TEST_F(BalancedBackendsTest, WeightsHoldWhateverTheLoad) {
  for (const PickPolicy policy : {PickPolicy::kLeastPending, PickPolicy::kRoundRobin,
                                  PickPolicy::kRandom, PickPolicy::kPowerOfTwo}) {
    for (auto& backend : backends_) backend->calls = 0;
    Dial({.policy = policy}, {2, 1, 1});
    Calls(400);
    EXPECT_NEAR(backends_[0]->calls, 200, 40) << PickPolicyName(policy);
    EXPECT_NEAR(backends_[1]->calls, 100, 30) << PickPolicyName(policy);
    EXPECT_EQ(channel_->backends()[0].weight, 2);
  }
}

TEST_F(BalancedBackendsTest, ABackendThatComesTakesItsShareSlowly) {
  Dial({.slow_start = absl::Seconds(20)});
  Run(absl::Seconds(30));
  backends_[0]->Kill();
  Run(absl::Seconds(1));
  backends_[0]->Listen();
  while (!channel_->backends()[0].connected) Run();
  backends_[0]->calls = 0;
  Calls(500);
  EXPECT_GT(backends_[0]->calls, 0);
  EXPECT_LT(backends_[0]->calls, 60) << "a tenth of a third at first";
  Run(absl::Seconds(20));
  backends_[0]->calls = 0;
  Calls(300);
  EXPECT_NEAR(backends_[0]->calls, 100, 30);
}

TEST_F(BalancedBackendsTest, ErrorsInARowLeaveABackendOut) {
  Dial({.error_hold = absl::ZeroDuration(),
        .health = {.errors_in_a_row = 3},
        .retry = {.max_attempts = 1}});
  backends_[0]->behaviour.status = Internal("broken");
  Calls(300);  // 0.6 s
  EXPECT_EQ(backends_[0]->calls, 3);
  EXPECT_TRUE(channel_->backends()[0].ejected);
  EXPECT_FALSE(channel_->backends()[1].ejected);
  // Back on probation: one error more is enough.
  Run(absl::Seconds(1));
  Calls(300);
  EXPECT_EQ(backends_[0]->calls, 4);
  Run(absl::Seconds(3));
  backends_[0]->behaviour.status = absl::OkStatus();
  Calls(300);
  EXPECT_NEAR(backends_[0]->calls, 104, 40);
  ExpectAllCompletedOnce();
}

TEST_F(BalancedBackendsTest, WhatIsLeftIsUsedThoughItFails) {
  Dial({.health = {.errors_in_a_row = 1}, .retry = {.max_attempts = 1}});
  for (auto& backend : backends_) backend->behaviour.status = Internal("broken");
  Calls(20);
  for (const Outcome& outcome : outcomes_) {
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kInternal);
  }
  EXPECT_EQ(TotalCalls(), 20);
}

}  // namespace
}  // namespace skep
