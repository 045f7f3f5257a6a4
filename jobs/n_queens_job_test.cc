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
    for (const char* algorithm : {"auto", "prefixes"}) {
      const auto result = RunLocally(
          MakeJob(NQueens), {.options = {{"n", StrCat(n)}, {"algorithm", algorithm}}});
      EXPECT_EQ(AnswerOf(result), StrCat(known[n - 1], "\n")) << n << algorithm;
    }
  }
}

TEST(NQueens, AddsUpTheTasksOfHalves) {
  const auto result = RunLocally(MakeJob(NQueens), {.options = {{"n", "17"}}});
  EXPECT_EQ(AnswerOf(result), "95815104\n");
  EXPECT_EQ(result->stages, std::vector<std::string>({"halves"}));
}

TEST(NQueens, CountsUpToSymmetry) {
  const uint64_t known[] = {1,  0,  0,   1,    2,    1,     6,      12,
                            46, 92, 341, 1787, 9233, 45752, 285053, 1846955};
  for (int n = 1; n <= 16; ++n) {
    const auto result = RunLocally(
        MakeJob(NQueens), {.options = {{"n", StrCat(n)}, {"fundamental", "true"}}});
    EXPECT_EQ(AnswerOf(result), StrCat(known[n - 1], "\n")) << n;
  }
  const auto eight =
      RunLocally(MakeJob(NQueens), {.options = {{"fundamental", "true"}}});
  ASSERT_TRUE(eight.ok()) << eight.status();
  EXPECT_EQ(eight->answer.json(), "{\"n\":8,\"solutions\":92,\"fundamental\":12}");
  EXPECT_EQ(eight->answer.notes(0), "92 solutions, 12 up to symmetry");
}

TEST(NQueens, DrawsBoards) {
  const auto one =
      RunLocally(MakeJob(NQueens), {.options = {{"n", "4"}, {"show", "1"}}});
  EXPECT_EQ(AnswerOf(one), ". Q . .\n. . . Q\nQ . . .\n. . Q .\n");
  EXPECT_TRUE(one->answer.notes().empty());
  const auto all =
      RunLocally(MakeJob(NQueens), {.options = {{"n", "4"}, {"show", "3"}}});
  EXPECT_EQ(AnswerOf(all),
            ". Q . .\n. . . Q\nQ . . .\n. . Q .\n\n"
            ". . Q .\nQ . . .\n. . . Q\n. Q . .\n");
  EXPECT_EQ(all->answer.json(), "{\"n\":4,\"boards\":[[1,3,0,2],[2,0,3,1]]}");
  EXPECT_EQ(all->answer.notes(0), "there are only 2");
  const auto classes =
      RunLocally(MakeJob(NQueens),
                 {.options = {{"n", "6"}, {"show", "9"}, {"fundamental", "true"}}});
  ASSERT_TRUE(classes.ok()) << classes.status();
  EXPECT_EQ(classes->answer.json(), "{\"n\":6,\"boards\":[[1,3,5,0,2,4]]}");
  const auto none =
      RunLocally(MakeJob(NQueens), {.options = {{"n", "3"}, {"show", "1"}}});
  EXPECT_EQ(AnswerOf(none), "");
  EXPECT_EQ(none->answer.json(), "{\"n\":3,\"boards\":[]}");
}

TEST(NQueens, SaysWhatALargeBoardTakes) {
  const Job job = MakeJob(NQueens);
  const auto announcement = [&job](const char* n, const char* algorithm) {
    Options options(job.flags());
    EXPECT_TRUE(options.Set("n", n).ok());
    EXPECT_TRUE(options.Set("algorithm", algorithm).ok());
    return job.announcement(options);
  };
  EXPECT_EQ(announcement("19", "auto"), "");
  EXPECT_EQ(announcement("16", "prefixes"), "");
  EXPECT_NE(announcement("20", "auto").find("62 MB in each worker"), std::string::npos);
  EXPECT_NE(announcement("21", "prefixes").find("--algorithm halves"),
            std::string::npos);
  EXPECT_NE(announcement("27", "auto").find("years"), std::string::npos);
  EXPECT_EQ(announcement("20", "auto").find("the first partial"), std::string::npos);
  EXPECT_NE(announcement("26", "auto").find("the first partial total comes after"),
            std::string::npos);
}

TEST(NQueens, TellsWhatItHasCountedSoFar) {
  const Job job = MakeJob(NQueens);
  ASSERT_TRUE(job.has_partial());
  EXPECT_EQ(job.partial("prefixes", {"\x02", "\x04"}), "6 solutions so far");
  EXPECT_EQ(job.partial("halves", {"\xac\x02"}), "300 solutions so far");
  EXPECT_EQ(job.partial("halves", {}), "");
  EXPECT_EQ(job.partial("halves", {"\xff"}), "");
  EXPECT_EQ(job.partial("boards", {"\x02"}), "");
}

TEST(NQueens, RefusesHalvesOfSmallBoardsBeforeItStarts) {
  const Job job = MakeJob(NQueens);
  const auto check = [&job](const char* n, const char* algorithm) {
    Options options(job.flags());
    EXPECT_TRUE(options.Set("n", n).ok());
    EXPECT_TRUE(options.Set("algorithm", algorithm).ok());
    return job.CheckOptions(options).code();
  };
  EXPECT_EQ(check("3", "halves"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(check("3", "auto"), absl::StatusCode::kOk);
  EXPECT_EQ(check("4", "halves"), absl::StatusCode::kOk);
  EXPECT_EQ(check("27", "halves"), absl::StatusCode::kOk);
}

TEST(NQueens, TakesNoMoreTasksThanAJobCanCarry) {
  const Job job = MakeJob(NQueens);
  const auto tasks = [&job](const char* n) {
    Options options(job.flags());
    EXPECT_TRUE(options.Set("n", n).ok());
    const auto plan = job.MakePlan({.options = options, .splits = {}, .finished = {}});
    return plan.ok() ? plan->stage().tasks().payload_size() : 0;
  };
  EXPECT_EQ(tasks("8"), 2);
  EXPECT_EQ(tasks("16"), 2);
  EXPECT_GE(tasks("20"), 64);
  EXPECT_LE(tasks("22"), 4001);
  EXPECT_EQ(tasks("24"), 20'000);
  EXPECT_EQ(tasks("27"), 20'000);
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
  EXPECT_FALSE(options.Set("algorithm", "fast").ok());
  EXPECT_FALSE(options.Set("show", "0").ok());
  EXPECT_FALSE(options.Set("show", "10001").ok());
}

}  // namespace
}  // namespace skep
