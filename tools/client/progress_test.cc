#include "tools/client/progress.h"

#include "gtest/gtest.h"

namespace skep {
namespace {

JobStatus Running(uint32_t done, uint32_t running, uint32_t waiting) {
  JobStatus status;
  status.set_id(7);
  status.set_name("wordcount");
  status.set_state(JOB_RUNNING);
  StageProgress* const stage = status.add_stages();
  stage->set_name("main");
  stage->mutable_maps()->set_done(done);
  stage->mutable_maps()->set_running(running);
  stage->mutable_maps()->set_waiting(waiting);
  stage->mutable_reduces()->set_waiting(2);
  return status;
}

TEST(ProgressTest, SaysWhatRuns) {
  EXPECT_EQ(ProgressLine(Running(4, 2, 4), false),
            "wordcount: map 4/10, 2 running; reduce 0/2");
  EXPECT_EQ(
      ProgressLine(Running(4, 2, 0), true),
      "wordcount: map 4/6, 2 running; reduce 0/2 [============>           ]  50%");
}

TEST(ProgressTest, SaysWhatIsWaitedFor) {
  JobStatus status = Running(0, 0, 4);
  status.set_waiting_for("no worker is connected");
  EXPECT_EQ(ProgressLine(status, true), "wordcount: waiting: no worker is connected");
}

TEST(ProgressTest, NamesStagesOfJobsWithSeveral) {
  JobStatus status = Running(1, 0, 0);
  status.add_stages()->set_name("narrow");
  EXPECT_EQ(ProgressLine(status, false), "wordcount: stage narrow, map 0/0");
}

TEST(ProgressTest, SummaryTellsWhatRanAgain) {
  JobStatus status = Running(1, 0, 0);
  status.set_state(JOB_SUCCEEDED);
  EXPECT_EQ(SummaryLine(status, absl::Milliseconds(1240)),
            "job 7 wordcount succeeded in 1.24 s");
  status.set_attempts_lost(2);
  EXPECT_EQ(SummaryLine(status, absl::Milliseconds(1240)),
            "job 7 wordcount succeeded in 1.24 s; ran again: 0 failed attempts, 2 lost "
            "attempts, 0 lost map outputs");
}

TEST(ProgressTest, InAPipeShortJobsAreSilentAndLongOnesTellNowAndThen) {
  std::string out;
  const absl::Time start = absl::UnixEpoch();
  Progress progress(Progress::Style::kLines, start,
                    [&out](std::string_view text) { out += text; });
  progress.Update(Running(1, 1, 8), start + absl::Seconds(1));
  EXPECT_EQ(out, "");
  progress.Update(Running(2, 1, 7), start + absl::Seconds(3));
  EXPECT_EQ(out, "wordcount: map 2/10, 1 running; reduce 0/2\n");
  progress.Update(Running(3, 1, 6), start + absl::Seconds(4));
  progress.Update(Running(3, 1, 6), start + absl::Seconds(9));
  progress.End();
  EXPECT_EQ(out,
            "wordcount: map 2/10, 1 running; reduce 0/2\n"
            "wordcount: map 3/10, 1 running; reduce 0/2\n");
}

TEST(ProgressTest, ATerminalLineIsRedrawnAndCleared) {
  std::string out;
  Progress progress(Progress::Style::kTerminal, absl::UnixEpoch(),
                    [&out](std::string_view text) { out += text; });
  progress.Update(Running(1, 1, 8), absl::UnixEpoch());
  EXPECT_TRUE(out.starts_with("\rwordcount: map 1/10")) << out;
  const size_t size = out.size();
  progress.Update(Running(2, 1, 7), absl::UnixEpoch() + absl::Milliseconds(20));
  EXPECT_EQ(out.size(), size) << "redrawn too often";
  progress.End();
  EXPECT_TRUE(out.ends_with("\r\x1b[K"));
}

}  // namespace
}  // namespace skep
