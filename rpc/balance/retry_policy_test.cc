// The rules of retries and hedges, without a network.

#include "rpc/balance/retry_policy.h"

#include "gtest/gtest.h"
#include "rpc/balance/hedge_policy.h"

namespace skep {
namespace {

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(1000);

FailedAttempt Failed() {
  return {.code = absl::StatusCode::kUnavailable,
          .idempotent = true,
          .elsewhere = true,
          .left = absl::Seconds(10)};
}

TEST(RetryBudgetTest, LetsAFifthOfTheCallsBeMadeAgain) {
  RetryBudget budget({.ratio = 0.2, .min_per_second = 0});
  EXPECT_FALSE(budget.TryWithdraw(kStart));
  int extras = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.Deposit(kStart + i * absl::Milliseconds(1));
    extras += budget.TryWithdraw(kStart + i * absl::Milliseconds(1));
  }
  EXPECT_EQ(extras, 200);
}

TEST(RetryBudgetTest, HasAFloor) {
  RetryBudget budget({.ratio = 0, .min_per_second = 2});
  int extras = 0;
  for (int i = 0; i < 60'000; ++i) {
    extras += budget.TryWithdraw(kStart + i * absl::Milliseconds(1));
  }
  EXPECT_NEAR(extras, 2 * 60, 20);
}

TEST(RetryBudgetTest, ForgetsCallsOfLongAgo) {
  RetryBudget budget({.ratio = 1, .min_per_second = 0});
  for (int i = 0; i < 50; ++i) budget.Deposit(kStart);
  EXPECT_EQ(budget.Left(kStart + absl::Seconds(8)), 50);
  EXPECT_EQ(budget.Left(kStart + absl::Seconds(11)), 0);
  budget.Deposit(kStart + absl::Hours(1));
  EXPECT_EQ(budget.Left(kStart + absl::Hours(1)), 1);
}

TEST(RetryPolicyTest, RetriesWhatIsIdempotentOrWasNeverSent) {
  Random random(1);
  const RetryOptions options;
  FailedAttempt failed = Failed();
  EXPECT_TRUE(RetryDelay(options, failed, random).has_value());
  failed.idempotent = false;
  EXPECT_FALSE(RetryDelay(options, failed, random).has_value());
  failed.never_sent = true;
  EXPECT_EQ(RetryDelay(options, failed, random), absl::ZeroDuration());
  failed.code = absl::StatusCode::kInvalidArgument;
  EXPECT_FALSE(RetryDelay(options, failed, random).has_value());
}

TEST(RetryPolicyTest, RetriesOnlyCodesThatAnotherBackendMayMend) {
  Random random(1);
  const RetryOptions options;
  for (int code = 1; code < 17; ++code) {
    FailedAttempt failed = Failed();
    failed.code = static_cast<absl::StatusCode>(code);
    const bool expected = failed.code == absl::StatusCode::kUnavailable ||
                          failed.code == absl::StatusCode::kResourceExhausted;
    EXPECT_EQ(RetryDelay(options, failed, random).has_value(), expected) << code;
  }
}

TEST(RetryPolicyTest, BacksOffWithJitterAndEndsAfterItsAttempts) {
  Random random(1);
  const RetryOptions options{.max_attempts = 8};
  FailedAttempt failed = Failed();
  absl::Duration most = absl::Milliseconds(25);
  for (; failed.attempts < 8; ++failed.attempts) {
    absl::Duration least_seen = absl::InfiniteDuration(), most_seen;
    for (int i = 0; i < 1000; ++i) {
      const auto delay = RetryDelay(options, failed, random);
      ASSERT_TRUE(delay.has_value());
      least_seen = std::min(least_seen, *delay);
      most_seen = std::max(most_seen, *delay);
    }
    EXPECT_GE(least_seen, most / 2);
    EXPECT_LT(least_seen, most * 0.6);
    EXPECT_LE(most_seen, most);
    EXPECT_GT(most_seen, most * 0.9);
    most = std::min(2 * most, absl::Milliseconds(250));
  }
  EXPECT_FALSE(RetryDelay(options, failed, random).has_value());
}

TEST(RetryPolicyTest, HonoursRetryAfterUnlessItGoesElsewhere) {
  Random random(1);
  const RetryOptions options;
  FailedAttempt failed = Failed();
  failed.retry_after = absl::Seconds(2);
  EXPECT_LT(*RetryDelay(options, failed, random), absl::Milliseconds(26));
  failed.elsewhere = false;
  EXPECT_EQ(RetryDelay(options, failed, random), absl::Seconds(2));
}

TEST(RetryPolicyTest, NeverGoesBeyondTheDeadline) {
  Random random(1);
  const RetryOptions options;
  FailedAttempt failed = Failed();
  failed.left = absl::Milliseconds(12);
  EXPECT_FALSE(RetryDelay(options, failed, random).has_value());
  failed.left = absl::Seconds(1);
  failed.elsewhere = false;
  failed.retry_after = absl::Seconds(1);
  EXPECT_FALSE(RetryDelay(options, failed, random).has_value());
}

TEST(HedgeDelayTest, IsFixedUnlessToldAPercentile) {
  HedgeDelay none({});
  EXPECT_EQ(none.delay(), absl::InfiniteDuration());
  HedgeDelay fixed({.delay = absl::Milliseconds(7)});
  for (int i = 0; i < 1000; ++i) fixed.Record(absl::Seconds(1), kStart);
  EXPECT_EQ(fixed.delay(), absl::Milliseconds(7));
}

TEST(HedgeDelayTest, FollowsItsPercentile) {
  HedgeDelay delay({.percentile = 95});
  const auto record = [&](int calls, absl::Duration unit, absl::Time now) {
    for (int i = 0; i < calls; ++i) delay.Record((i % 100 + 1) * unit, now);
  };
  record(99, absl::Milliseconds(1), kStart);
  EXPECT_EQ(delay.delay(), absl::InfiniteDuration());
  record(101, absl::Milliseconds(1), kStart);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(delay.delay()), 95, 1.5);
  // Ten to twenty seconds later the old ones no longer count.
  record(100, absl::Milliseconds(4), kStart + absl::Seconds(10));
  record(300, absl::Milliseconds(4), kStart + absl::Seconds(21));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(delay.delay()), 380, 5);
  record(300, absl::Nanoseconds(10), kStart + absl::Seconds(40));
  record(300, absl::Nanoseconds(10), kStart + absl::Seconds(60));
  EXPECT_EQ(delay.delay(), absl::Milliseconds(1));
}

}  // namespace
}  // namespace skep
