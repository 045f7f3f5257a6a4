#include "base/strings.h"
#include "gtest/gtest.h"
#include "jobs/job_testing.h"

namespace skep {

void NQueens(Job& job);

namespace {

TEST(NQueens, EqualsTheKnownSequence) {
  // OEIS A000170; every depth of prefixes but the last is used.
  const uint64_t known[] = {1,  0,   0,   2,    10,    4,     40,
                            92, 352, 724, 2680, 14200, 73712, 365596};
  for (int n = 1; n <= 14; ++n) {
    const auto result = RunLocally(MakeJob(NQueens), {.options = {{"n", StrCat(n)}}});
    EXPECT_EQ(AnswerOf(result), StrCat(known[n - 1], "\n")) << n;
  }
}

TEST(NQueens, AnswersProgramsToo) {
  const auto result = RunLocally(MakeJob(NQueens), {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->answer.json(), "{\"n\":8,\"solutions\":92}");
}

TEST(NQueens, RefusesBoardsThatItCannotCount) {
  const Job job = MakeJob(NQueens);
  Options options(job.flags());
  for (const char* n : {"0", "-1", "28", "99999999999", "eight"}) {
    EXPECT_EQ(options.Set("n", n).code(), absl::StatusCode::kInvalidArgument) << n;
  }
}

}  // namespace
}  // namespace skep
