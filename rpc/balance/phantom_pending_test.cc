#include "rpc/balance/phantom_pending.h"

#include "gtest/gtest.h"

namespace skep {
namespace {

constexpr auto kFails = absl::StatusCode::kInternal;
const absl::Time kStart = absl::UnixEpoch();

TEST(PhantomPendingTest, AnErrorIsHeldForItsTime) {
  PhantomPending phantoms(absl::Seconds(1));
  phantoms.Ended(kFails, kStart);
  phantoms.Ended(kFails, kStart + absl::Milliseconds(400));
  EXPECT_EQ(phantoms.Count(kStart + absl::Milliseconds(400)), 2);
  EXPECT_EQ(phantoms.Count(kStart + absl::Milliseconds(999)), 2);
  EXPECT_EQ(phantoms.Count(kStart + absl::Milliseconds(1000)), 1);
  EXPECT_EQ(phantoms.Count(kStart + absl::Milliseconds(1400)), 0);
  EXPECT_TRUE(phantoms.empty());
}

TEST(PhantomPendingTest, SuccessesAndCallersFaultsAreNotHeld) {
  PhantomPending phantoms(absl::Seconds(1));
  for (const absl::StatusCode code :
       {absl::StatusCode::kOk, absl::StatusCode::kCancelled,
        absl::StatusCode::kInvalidArgument, absl::StatusCode::kNotFound,
        absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kPermissionDenied}) {
    phantoms.Ended(code, kStart);
  }
  EXPECT_EQ(phantoms.Count(kStart), 0);
}

TEST(PhantomPendingTest, WithoutAHoldNothingIs) {
  PhantomPending phantoms(absl::ZeroDuration());
  phantoms.Ended(kFails, kStart);
  EXPECT_EQ(phantoms.Count(kStart), 0);
}

TEST(PhantomPendingTest, IsBounded) {
  PhantomPending phantoms(absl::Seconds(1));
  for (int i = 0; i < 25'000; ++i) phantoms.Ended(kFails, kStart);
  EXPECT_EQ(phantoms.Count(kStart), 10'000);
}

TEST(PhantomPending, HoldsCallsThatWereGivenUp) {
  PhantomPending phantoms(absl::Seconds(1));
  const absl::Time now = absl::UnixEpoch();
  phantoms.Ended(absl::StatusCode::kDeadlineExceeded, now);
  EXPECT_EQ(phantoms.Count(now), 0) << "of itself it may be the caller's fault";
  phantoms.Hold(now);
  EXPECT_EQ(phantoms.Count(now), 1);
  EXPECT_EQ(phantoms.Count(now + absl::Seconds(1)), 0);
}

}  // namespace
}  // namespace skep
