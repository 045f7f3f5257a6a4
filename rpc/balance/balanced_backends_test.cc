// What the balanced channel makes of its backends' weights, age and errors, on the
// simulated network.

#include "rpc/balance/balanced_testing.h"

namespace skep {
namespace {

class BalancedBackendsTest : public BalancedTest {
 protected:
  // Calls with a deadline, each made when the one before has ended; how many failed.
  int FailedInTurn(int count, absl::Duration timeout) {
    int failed = 0;
    for (int i = 0; i < count; ++i) {
      const size_t call = Echo({.timeout = timeout});
      EXPECT_TRUE(RunUntil([&] { return outcomes_[call].completions > 0; },
                           absl::Milliseconds(1)));
      failed += !outcomes_[call].status.ok();
    }
    return failed;
  }
  BackendSpec Spec(size_t backend) const {
    return {.address = backends_[backend]->address()};
  }
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
  ASSERT_TRUE(RunUntil([&] { return channel_->backends()[0].connected; }));
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

TEST_F(BalancedBackendsTest, AFrozenBackendIsNoticedByItsSilence) {
  Dial();
  backends_[0]->behaviour.delay = absl::Hours(1);
  // One a hold time at first, and then it is out, for longer and longer.
  int failed = FailedInTurn(600, absl::Milliseconds(100));
  EXPECT_LE(failed, 3);
  for (int i = 0; i < 6000 && !channel_->backends()[0].ejected; ++i) {
    failed += FailedInTurn(1, absl::Milliseconds(100));
  }
  EXPECT_LE(failed, 6) << "the first may come before others have answered";
  EXPECT_TRUE(channel_->backends()[0].ejected);
  EXPECT_FALSE(channel_->backends()[1].ejected);
  EXPECT_LE(FailedInTurn(6000, absl::Milliseconds(100)), 5);
  backends_[0]->behaviour.delay = absl::ZeroDuration();
  Run(absl::Minutes(1));
  backends_[0]->calls = 0;
  Calls(300);
  EXPECT_NEAR(backends_[0]->calls, 100, 40) << "and comes back";
}

// It counts as loaded by what it owes, though nothing ejects it.
TEST_F(BalancedBackendsTest, WhatAFrozenBackendOwesCountsAsItsOwn) {
  Dial({.health = {.errors_in_a_row = 0}});
  backends_[0]->behaviour.delay = absl::Hours(1);
  const absl::Time begin = clock_.Now();
  const int failed = FailedInTurn(1000, absl::Milliseconds(100));
  EXPECT_LE(failed, 1 + absl::ToInt64Seconds(clock_.Now() - begin))
      << "one each hold time";
}

TEST_F(BalancedBackendsTest, HedgesDoNotFeedAFrozenBackend) {
  BalancedOptions options;
  options.hedge.delay = absl::Milliseconds(10);
  Dial(options);
  backends_[0]->behaviour.delay = absl::Hours(1);
  EXPECT_LE(FailedInTurn(600, absl::Milliseconds(100)), 1);
  EXPECT_EQ(channel_->balanced_counters().hedges_refused, 0u);
}

TEST_F(BalancedBackendsTest, DeadlinesThatNobodyKeepsEjectNobody) {
  Dial();
  Calls(30);
  for (auto& backend : backends_) backend->behaviour.delay = absl::Hours(1);
  EXPECT_EQ(FailedInTurn(30, absl::Milliseconds(100)), 30);
  for (const auto& backend : channel_->backends()) EXPECT_FALSE(backend.ejected);
}

TEST_F(BalancedBackendsTest, BackendsComeAndGo) {
  Dial();
  Calls(30);
  backends_[1]->behaviour.delay = absl::Milliseconds(500);
  size_t slow = Echo();
  const auto begun = [&] {
    if (backends_[1]->calls > 0 && channel_->backends()[1].pending > 0) return true;
    slow = Echo();
    return false;
  };
  ASSERT_TRUE(RunUntil(begun, absl::Milliseconds(1)));
  const uint64_t started = channel_->backends()[0].started;
  backends_.push_back(std::make_unique<SimBackend>(network_, executor_, "s3"));
  // s0 stays, s1 has a call to finish, s2 has none, s3 is new.
  channel_->SetBackends({{.address = backends_[0]->address(), .weight = 2}, Spec(3)});
  Run(absl::Milliseconds(20));
  ASSERT_EQ(channel_->backends().size(), 3);
  EXPECT_EQ(channel_->peer(), "s0:7000,s3:7000");
  EXPECT_EQ(channel_->backends()[0].weight, 2);
  EXPECT_GE(channel_->backends()[0].started, started);
  EXPECT_EQ(backends_[0]->server().connections(), 1) << "it stayed";
  EXPECT_EQ(backends_[1]->server().connections(), 1);
  EXPECT_EQ(backends_[2]->server().connections(), 0);
  for (auto& backend : backends_) backend->calls = 0;
  Calls(300);
  EXPECT_NEAR(backends_[0]->calls, 200, 40);
  EXPECT_EQ(backends_[1]->calls, 0);
  EXPECT_EQ(backends_[2]->calls, 0);
  EXPECT_NEAR(backends_[3]->calls, 100, 40);
  Run(absl::Seconds(1));
  EXPECT_EQ(outcomes_[slow].completions, 1);
  EXPECT_TRUE(outcomes_[slow].status.ok()) << outcomes_[slow].status;
  EXPECT_EQ(channel_->backends().size(), 2);
  EXPECT_EQ(backends_[1]->server().connections(), 0);
  EXPECT_FALSE(channel_->SetDraining(backends_[1]->address(), true).ok());
  // Without any, calls wait for one.
  channel_->SetBackends({});
  const size_t waits = Echo();
  Run(absl::Seconds(1));
  EXPECT_EQ(outcomes_[waits].completions, 0);
  channel_->SetBackends({Spec(1), Spec(2)});
  Run(absl::Seconds(1));
  EXPECT_TRUE(outcomes_[waits].status.ok()) << outcomes_[waits].status;
  ExpectAllCompletedOnce();
}

}  // namespace
}  // namespace skep
