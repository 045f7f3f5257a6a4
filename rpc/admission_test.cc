#include "rpc/admission.h"

#include "gtest/gtest.h"

namespace skep {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);

class AdmissionTest : public ::testing::Test {
 protected:
  Admission::Verdict Arrive(absl::Duration left, int method = 0) {
    Admission::Ticket ticket;
    const auto verdict = admission_.Arrive(&methods_[method], kThreads, left, &ticket);
    if (verdict.admitted) queue_.push_back(ticket);
    return verdict;
  }
  Admission::Ticket Begin() {
    const Admission::Ticket ticket = queue_.front();
    queue_.erase(queue_.begin());
    admission_.Begin(ticket);
    return ticket;
  }
  // A call that was alone took so long.
  void Learn(absl::Duration service, int method = 0) {
    ASSERT_TRUE(Arrive(absl::ZeroDuration(), method).admitted);
    admission_.End(Begin(), service, true);
  }

  static constexpr int kThreads = 2;
  int methods_[2] = {};
  Admission admission_;
  std::vector<Admission::Ticket> queue_;
};

TEST_F(AdmissionTest, RefusesWhoWouldWaitLongerThanItHas) {
  Learn(10 * kMs);
  for (int i = 0; i < 12; ++i) EXPECT_TRUE(Arrive(absl::Seconds(1)).admitted);
  // Nobody runs yet; twelve times 10 ms for two threads.
  EXPECT_EQ(Arrive(60 * kMs).wait, 60 * kMs);
  const auto refused = Arrive(64 * kMs);  // behind thirteen
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.wait, 65 * kMs);
  EXPECT_EQ(refused.retry_after, 65 * kMs);
  EXPECT_TRUE(Arrive(66 * kMs).admitted);
}

TEST_F(AdmissionTest, WhatRunsIsNoLongerInTheWay) {
  Learn(10 * kMs);
  for (int i = 0; i < 4; ++i) Arrive(absl::Seconds(1));
  Begin();
  Begin();
  EXPECT_EQ(Arrive(absl::Seconds(1)).wait, 10 * kMs);
}

TEST_F(AdmissionTest, ReckonsEachMethodByItself) {
  Learn(100 * kMs, 0);
  Learn(2 * kMs, 1);
  Arrive(absl::Seconds(1), 0);
  Arrive(absl::Seconds(1), 1);
  EXPECT_EQ(Arrive(absl::Seconds(1)).wait, 51 * kMs);
}

TEST_F(AdmissionTest, RefusesNothingWhileAThreadIsFree) {
  Learn(absl::Minutes(1));
  EXPECT_TRUE(Arrive(kMs).admitted);
  EXPECT_TRUE(Arrive(kMs).admitted);
  EXPECT_FALSE(Arrive(kMs).admitted);
  // And so it learns: the estimate falls by an eighth each time.
  admission_.End(Begin(), kMs, true);
  admission_.End(Begin(), kMs, true);
  for (int i = 0; i < 100; ++i) Learn(kMs);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Arrive(absl::Seconds(1)).admitted);
}

TEST_F(AdmissionTest, WhatWasNotRunTeachesNothing) {
  Learn(10 * kMs);
  Arrive(absl::Seconds(1));
  admission_.End(Begin(), absl::ZeroDuration(), false);
  for (int i = 0; i < 2; ++i) Arrive(absl::Seconds(1));
  EXPECT_EQ(Arrive(absl::Seconds(1)).wait, 10 * kMs);
}

TEST_F(AdmissionTest, ForgetsWhatThePoolDidNotTake) {
  Learn(10 * kMs);
  for (int i = 0; i < 10; ++i) Arrive(absl::Seconds(1));
  for (const Admission::Ticket& ticket : queue_) admission_.Drop(ticket);
  queue_.clear();
  EXPECT_EQ(Arrive(absl::ZeroDuration()).wait, absl::ZeroDuration());
}

TEST_F(AdmissionTest, BoundsWhatItTellsToWait) {
  Learn(absl::Hours(1));
  Arrive(absl::InfiniteDuration());
  Arrive(absl::InfiniteDuration());
  EXPECT_TRUE(Arrive(absl::InfiniteDuration()).admitted);
  EXPECT_EQ(Arrive(kMs).retry_after, absl::Seconds(10));
}

}  // namespace
}  // namespace skep
