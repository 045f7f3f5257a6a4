#include "rpc/balance/health.h"

#include <vector>

#include "gtest/gtest.h"

namespace skep {
namespace {

absl::Time At(int64_t milliseconds) {
  return absl::UnixEpoch() + absl::Milliseconds(milliseconds);
}

class HealthTest : public ::testing::Test {
 protected:
  void Add(int backends) {
    for (int i = 0; i < backends; ++i) health_.Add(static_cast<Health::Id>(i));
  }
  // Which of `backends` are out, as in "x.x.".
  std::string Out(int backends, int64_t at) {
    std::string out;
    for (int i = 0; i < backends; ++i) {
      out += health_.IsEjected(static_cast<Health::Id>(i), At(at)) ? 'x' : '.';
    }
    return out;
  }
  void Errors(Health::Id id, int count, int64_t at) {
    for (int i = 0; i < count; ++i) health_.OnError(id, At(at));
  }

  Health health_{HealthOptions{.slow_factor = 5}};
};

TEST_F(HealthTest, ErrorsInARowEject) {
  Add(4);
  Errors(1, 4, 0);
  EXPECT_EQ(Out(4, 0), "....");
  health_.OnSuccess(1, At(1));
  Errors(1, 4, 2);
  EXPECT_EQ(Out(4, 2), "....") << "a success begins the row anew";
  EXPECT_TRUE(health_.OnError(1, At(3)));
  EXPECT_EQ(Out(4, 3), ".x..");
  EXPECT_EQ(health_.ejected_until(1), At(1003));
  EXPECT_EQ(Out(4, 1003), "....");
}

// The golden trace: 1, 2, 4, ... 60 seconds, and 1 again after a good minute.
TEST_F(HealthTest, TheTimeDoublesAndIsForgotten) {
  Add(4);
  int64_t now = 0;
  Errors(2, 5, now);
  for (const int64_t seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_EQ(health_.ejected_until(2), At(now + seconds * 1000));
    // What comes in while it is out does not count.
    Errors(2, 9, now + 1);
    EXPECT_EQ(health_.ejected_until(2), At(now + seconds * 1000));
    now += seconds * 1000;
    EXPECT_FALSE(health_.IsEjected(2, At(now)));
    // On probation: the first error is enough.
    EXPECT_TRUE(health_.OnError(2, At(now)));
  }
  now += 60'000;
  health_.OnSuccess(2, At(now));
  now += 60'000;
  Errors(2, 4, now);
  EXPECT_FALSE(health_.IsEjected(2, At(now))) << "no probation after a success";
  Errors(2, 1, now);
  EXPECT_EQ(health_.ejected_until(2), At(now + 1000));
}

TEST_F(HealthTest, NeverMoreThanHalfAreOut) {
  Add(5);
  for (Health::Id id = 0; id < 5; ++id) Errors(id, 5, 0);
  EXPECT_EQ(Out(5, 0), "xx...");
  for (int i = 0; i < 3; ++i) health_.OnCheck(4, false, At(1));
  EXPECT_EQ(Out(5, 1), "xx...");
  // There is room again when the first are back.
  health_.OnCheck(4, false, At(1000));
  EXPECT_EQ(Out(5, 1000), "....x");
}

TEST_F(HealthTest, ASingleBackendStaysIn) {
  Add(1);
  Errors(0, 100, 0);
  for (int i = 0; i < 9; ++i) health_.OnCheck(0, false, At(i));
  EXPECT_EQ(Out(1, 9), ".");
}

TEST_F(HealthTest, FailedChecksEjectUntilOnePasses) {
  Add(2);
  EXPECT_FALSE(health_.OnCheck(0, false, At(0)));
  EXPECT_FALSE(health_.OnCheck(0, true, At(1)));
  EXPECT_FALSE(health_.OnCheck(0, false, At(2)));
  EXPECT_EQ(Out(2, 2), "..");
  EXPECT_TRUE(health_.OnCheck(0, false, At(3)));
  EXPECT_EQ(Out(2, 3), "x.");
  EXPECT_EQ(Out(2, 1'000'000), "x.");
  EXPECT_TRUE(health_.OnCheck(0, true, At(1'000'001)));
  EXPECT_EQ(Out(2, 1'000'001), "..");
}

TEST_F(HealthTest, MuchSlowerThanTheOthersIsOut) {
  Add(4);
  const std::vector<Health::Latency> latencies = {
      {.id = 0, .calls = 100, .mean = absl::Milliseconds(10)},
      {.id = 1, .calls = 100, .mean = absl::Milliseconds(12)},
      {.id = 2, .calls = 100, .mean = absl::Milliseconds(61)},
      // Slow, but of too few calls.
      {.id = 3, .calls = 19, .mean = absl::Seconds(1)}};
  EXPECT_TRUE(health_.OnLatencies(latencies, At(0)));
  EXPECT_EQ(Out(4, 0), "..x.");
  EXPECT_FALSE(health_.OnLatencies(std::span(latencies).subspan(0, 2), At(5000)))
      << "of two, nobody can tell";
}

TEST_F(HealthTest, WhatIsGoneIsForgotten) {
  Add(3);
  Errors(0, 5, 0);
  health_.Remove(0);
  EXPECT_FALSE(health_.IsEjected(0, At(0)));
  EXPECT_FALSE(health_.OnError(0, At(0)));
  health_.Add(0);
  EXPECT_EQ(Out(3, 0), "...");
}

TEST_F(HealthTest, OnlyErrorsOfTheBackendSpeakAgainstIt) {
  EXPECT_TRUE(Health::SpeaksAgainst(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(Health::SpeaksAgainst(absl::StatusCode::kInternal));
  for (const absl::StatusCode code :
       {absl::StatusCode::kOk, absl::StatusCode::kNotFound,
        absl::StatusCode::kResourceExhausted, absl::StatusCode::kDeadlineExceeded,
        absl::StatusCode::kUnimplemented, absl::StatusCode::kInvalidArgument}) {
    EXPECT_FALSE(Health::SpeaksAgainst(code)) << static_cast<int>(code);
  }
}

}  // namespace
}  // namespace skep
