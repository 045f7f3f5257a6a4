#include "worker/attempt_table.h"

#include <string>

#include "gtest/gtest.h"

namespace skep {
namespace {

AttemptId Id(uint64_t job, uint32_t task) {
  AttemptId id;
  id.set_job(job);
  id.set_task(task);
  id.set_attempt(1);
  return id;
}

TaskResult ResultOf(const std::string& text) {
  TaskResult result;
  result.set_result(text);
  return result;
}

class AttemptTableTest : public testing::Test {
 protected:
  AttemptTable::Found Join(const AttemptId& id) {
    return table_.Join(
        id, [this](const TaskResult& result) { got_ += result.result() + ";"; });
  }
  std::string Registered() {
    RegisterRequest request;
    table_.Describe(&request);
    std::string text;
    for (const AttemptId& id : request.running()) {
      text += "running " + std::to_string(id.task()) + ";";
    }
    for (const AttemptId& id : request.finished()) {
      text += "finished " + std::to_string(id.task()) + ";";
    }
    return text;
  }

  AttemptTable table_;
  std::string got_;
};

TEST_F(AttemptTableTest, AllWhoJoinGetTheOneResult) {
  EXPECT_EQ(Join(Id(1, 1)), AttemptTable::Found::kNew);
  EXPECT_EQ(Join(Id(1, 1)), AttemptTable::Found::kRunning);
  EXPECT_EQ(Registered(), "running 1;");
  EXPECT_EQ(got_, "");
  EXPECT_TRUE(table_.Finish(RefOf(Id(1, 1)), ResultOf("a")));
  EXPECT_EQ(got_, "a;a;");
  EXPECT_EQ(Join(Id(1, 1)), AttemptTable::Found::kFinished);
  EXPECT_EQ(got_, "a;a;a;");
  EXPECT_EQ(Registered(), "finished 1;");
}

TEST_F(AttemptTableTest, EveryPartOfTheIdCounts) {
  EXPECT_EQ(Join(Id(1, 1)), AttemptTable::Found::kNew);
  AttemptId id = Id(1, 1);
  id.set_attempt(2);
  EXPECT_EQ(Join(id), AttemptTable::Found::kNew);
  id.set_epoch(1);
  EXPECT_EQ(Join(id), AttemptTable::Found::kNew);
  id.set_stage(1);
  EXPECT_EQ(Join(id), AttemptTable::Found::kNew);
  id.set_kind(TASK_REDUCE);
  EXPECT_EQ(Join(id), AttemptTable::Found::kNew);
  EXPECT_EQ(table_.running(), 5);
}

TEST_F(AttemptTableTest, AReleasedJobIsForgottenAsItsAttemptsEnd) {
  Join(Id(1, 1));
  Join(Id(1, 2));
  Join(Id(2, 3));
  table_.Finish(RefOf(Id(1, 1)), ResultOf("a"));
  const std::vector<AttemptRef> running = table_.ReleaseJob(1);
  EXPECT_EQ(running, std::vector<AttemptRef>{RefOf(Id(1, 2))});
  EXPECT_EQ(Registered(), "running 3;");
  EXPECT_FALSE(table_.Finish(RefOf(Id(1, 2)), ResultOf("b")))
      << "its files are not kept";
  EXPECT_EQ(got_, "a;b;") << "who waits is told all the same";
  EXPECT_EQ(table_.running(), 1);
}

TEST_F(AttemptTableTest, DropForgetsOneAttempt) {
  Join(Id(1, 1));
  Join(Id(1, 2));
  table_.Finish(RefOf(Id(1, 1)), ResultOf("a"));
  EXPECT_FALSE(table_.Drop(RefOf(Id(1, 1))));
  EXPECT_TRUE(table_.Drop(RefOf(Id(1, 2))));
  EXPECT_FALSE(table_.Drop(RefOf(Id(1, 3))));
  EXPECT_EQ(Registered(), "");
}

TEST_F(AttemptTableTest, HeartbeatsCarryProgress) {
  Join(Id(1, 1));
  table_.SetProgress(RefOf(Id(1, 1)), 0.25f);
  HeartbeatRequest request;
  table_.Describe(&request);
  ASSERT_EQ(request.running_size(), 1);
  EXPECT_EQ(request.running(0).fraction(), 0.25f);
}

}  // namespace
}  // namespace skep
