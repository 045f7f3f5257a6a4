// Retries of the balanced channel, on the simulated network.

#include "rpc/balance/balanced_testing.h"

namespace skep {
namespace {

class BalancedRetryTest : public BalancedTest {};

TEST_F(BalancedRetryTest, MakesAnIdempotentCallElsewhere) {
  Dial();
  backends_[0]->behaviour.status = Unavailable("broken");
  for (int i = 0; i < 50; ++i) {
    Echo({.attachment = "bulk"});
    Run(absl::Milliseconds(100));
    EXPECT_TRUE(outcomes_.back().status.ok()) << outcomes_.back().status;
    EXPECT_EQ(outcomes_.back().attachment, "bulk");
    EXPECT_NE(outcomes_.back().payload, "hello@s0");
  }
  ExpectAllCompletedOnce();
  EXPECT_GT(backends_[0]->calls, 0);
  EXPECT_EQ(static_cast<int>(channel_->balanced_counters().retries),
            backends_[0]->calls);
}

TEST_F(BalancedRetryTest, SurvivesABackendThatDiesWithItsCalls) {
  Dial();
  for (auto& backend : backends_) backend->behaviour.delay = absl::Milliseconds(50);
  for (int i = 0; i < 60; ++i) Echo();
  Run(absl::Milliseconds(10));
  ASSERT_GT(backends_[1]->calls, 10);
  backends_[1]->Kill();
  Run(absl::Seconds(1));
  for (const Outcome& outcome : outcomes_) EXPECT_TRUE(outcome.status.ok());
  ExpectAllCompletedOnce();
}

TEST_F(BalancedRetryTest, MakesOtherCallsAgainOnlyIfTheyWereNeverSent) {
  Dial();
  for (auto& backend : backends_) backend->behaviour.status = Unavailable("broken");
  const size_t told = Generate();
  Run(absl::Seconds(1));
  EXPECT_EQ(TotalCalls(), 1);
  EXPECT_EQ(outcomes_[told].status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(NeverSent(outcomes_[told].status));

  // Calls from outside the executor leave with its next turn. The connections break
  // before that, one after the other.
  for (auto& backend : backends_) backend->behaviour.status = absl::OkStatus();
  for (int i = 0; i < 6; ++i) Generate();
  network_.Reset("c", "s0");
  network_.Reset("c", "s1");
  Run(absl::Seconds(1));
  for (size_t i = 1; i < outcomes_.size(); ++i) {
    EXPECT_TRUE(outcomes_[i].status.ok()) << outcomes_[i].status;
  }
  EXPECT_EQ(TotalCalls(), 7);
  ExpectAllCompletedOnce();
}

TEST_F(BalancedRetryTest, GivesUpAfterItsAttemptsAndSaysSo) {
  Dial();
  for (auto& backend : backends_) backend->behaviour.status = Unavailable("broken");
  Echo();
  Run(absl::Seconds(5));
  EXPECT_EQ(TotalCalls(), 3);
  // Each backend once.
  for (auto& backend : backends_) EXPECT_EQ(backend->calls, 1);
  EXPECT_EQ(outcomes_[0].status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(outcomes_[0].status.message().find("after 3 attempts"), std::string::npos);
  ExpectAllCompletedOnce();
}

// The last attempt was never sent, the one before it was: that is not "never sent".
TEST_F(BalancedRetryTest, ALastAttemptThatWasNotSentUnsaysNoOther) {
  backends_.resize(2);
  Dial({.retry = {.max_attempts = 2}});
  // Something fills the way to the second backend.
  network_.Partition("c", "s1");
  for (int i = 0; i < 20 && channel_->backends()[1].pending == 0; ++i) {
    Echo({.attachment = std::string(8 << 20, 'a')});
    Run(absl::Seconds(1));
  }
  ASSERT_EQ(channel_->backends()[1].pending, 1);
  backends_[0]->behaviour.status = Unavailable("broken");
  const size_t told = Echo();
  Run(absl::Seconds(1));
  ASSERT_EQ(channel_->backends()[1].pending, 2) << "its second attempt";
  network_.Reset("c", "s1");
  Run();
  ASSERT_EQ(outcomes_[told].completions, 1);
  const absl::Status& status = outcomes_[told].status;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("after 2 attempts"), std::string::npos) << status;
  EXPECT_FALSE(NeverSent(status)) << status;
  ExpectAllCompletedOnce();
}

TEST_F(BalancedRetryTest, DoesNotRetryWhatTheCallerGotWrong) {
  Dial();
  for (auto& backend : backends_) backend->behaviour.status = InvalidArgument("no");
  Echo();
  Run(absl::Seconds(1));
  EXPECT_EQ(TotalCalls(), 1);
  EXPECT_EQ(outcomes_[0].status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(BalancedRetryTest, SpendsItsBudgetAndNoMore) {
  Dial({.retry = {.budget = {.ratio = 0.2, .min_per_second = 0}}});
  for (auto& backend : backends_) backend->behaviour.status = Unavailable("broken");
  for (int i = 0; i < 1000; ++i) {
    Echo();
    if (i % 100 == 0) Run(absl::Milliseconds(10));
  }
  Run(absl::Seconds(5));
  ExpectAllCompletedOnce();
  EXPECT_EQ(channel_->balanced_counters().retries, 200u);
  EXPECT_EQ(TotalCalls(), 1200);
  EXPECT_GT(channel_->balanced_counters().retries_refused, 0u);
}

TEST_F(BalancedRetryTest, WaitsAsLongAsTheOnlyBackendSays) {
  backends_.resize(1);
  Dial();
  backends_[0]->behaviour = {.status = ResourceExhausted("full"),
                             .retry_after = absl::Milliseconds(700)};
  const absl::Time start = clock_.Now();
  Echo();
  Run();
  backends_[0]->behaviour = {};
  Run(absl::Seconds(2));
  EXPECT_TRUE(outcomes_[0].status.ok()) << outcomes_[0].status;
  EXPECT_GE(outcomes_[0].at - start, absl::Milliseconds(700));
  EXPECT_LT(outcomes_[0].at - start, absl::Milliseconds(710));
}

TEST_F(BalancedRetryTest, EndsByItsDeadlineWhateverFails) {
  Dial();
  for (auto& backend : backends_) {
    backend->behaviour = {.delay = absl::Milliseconds(30),
                          .status = Unavailable("broken")};
  }
  const absl::Time start = clock_.Now();
  Echo({.timeout = absl::Milliseconds(50)});
  Run(absl::Seconds(1));
  ExpectAllCompletedOnce();
  EXPECT_FALSE(outcomes_[0].status.ok());
  EXPECT_LE(outcomes_[0].at - start, absl::Milliseconds(51));
}

TEST_F(BalancedRetryTest, CancelEndsABackoff) {
  backends_.resize(1);
  Dial();
  backends_[0]->behaviour = {.status = Unavailable("broken"),
                             .retry_after = absl::Seconds(3)};
  Echo();
  Run();
  EXPECT_EQ(outcomes_[0].completions, 0);
  channel_->Cancel(ids_[0]);
  Run();
  EXPECT_EQ(outcomes_[0].completions, 1);
  EXPECT_EQ(outcomes_[0].status.code(), absl::StatusCode::kCancelled);
  Run(absl::Seconds(5));
  ExpectAllCompletedOnce();
  EXPECT_EQ(backends_[0]->calls, 1);
}

TEST_F(BalancedRetryTest, LargeCallsAreMadeOnce) {
  Dial({.retry = {.max_call_bytes = 1000}});
  for (auto& backend : backends_) backend->behaviour.status = Unavailable("broken");
  Echo({.attachment = std::string(1001, 'a')});
  Run(absl::Seconds(1));
  EXPECT_EQ(TotalCalls(), 1);
  ExpectAllCompletedOnce();
}

// Connections break and come back all the time; calls, cancels and deadlines meet.
TEST_F(BalancedRetryTest, CompletesEachCallOnceInChaos) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    Dial({.hedge = {.delay = absl::Milliseconds(3),
                    .budget = {.ratio = 1, .min_per_second = 100}},
          .seed = seed});
    outcomes_.clear();
    ids_.clear();
    for (int step = 0; step < 200; ++step) {
      auto& backend = *backends_[random.Below(backends_.size())];
      switch (random.Below(6)) {
        case 0:
          network_.Reset("c", StrCat("s", random.Below(3)));
          break;
        case 1:
          backend.behaviour.delay = absl::Milliseconds(random.Below(10));
          break;
        case 2:
          backend.behaviour.status =
              random.Chance(0.5) ? Unavailable("broken") : absl::OkStatus();
          break;
        case 3:
          if (!ids_.empty()) channel_->Cancel(ids_[random.Below(ids_.size())]);
          break;
        default:
          Echo({.timeout = absl::Milliseconds(1 + random.Below(200))});
      }
      Run(absl::Microseconds(random.Below(3000)));
    }
    Run(absl::Seconds(30));
    ExpectAllCompletedOnce();
    for (auto& backend : backends_) backend->behaviour = {};
  }
}

}  // namespace
}  // namespace skep
