#include "tests/end_to_end/process.h"

#include <signal.h>

#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(ProcessTest, GivesWhatAProgramWroteAndHowItEnded) {
  const Outcome outcome = RunShell("cat; echo oops >&2; exit 7", {.input = "hello"});
  EXPECT_EQ(outcome.out, "hello");
  EXPECT_EQ(outcome.err, "oops\n");
  EXPECT_EQ(outcome.exit_code, 7);
}

TEST(ProcessTest, WaitsForTextAndKills) {
  Process process({"bash", "-c", "echo ready; exec sleep 100"});
  EXPECT_TRUE(process.WaitForText("ready"));
  EXPECT_TRUE(process.running());
  EXPECT_FALSE(process.WaitForText("never", absl::Milliseconds(20)));
  process.Kill(SIGKILL);
  EXPECT_EQ(process.Wait().exit_code, 128 + SIGKILL);
}

TEST(ProcessTest, AProgramThatTakesTooLongIsKilled) {
  EXPECT_EQ(RunProgram({"sleep", "100"}, {}, absl::Milliseconds(50)).exit_code, 124);
}

TEST(ProcessTest, AProgramThatIsNotThereEndsWith127) {
  EXPECT_EQ(RunProgram({"/no/such/program"}).exit_code, 127);
}

TEST(ProcessTest, FindsChildren) {
  Process process({"bash", "-c", "sleep 100 & echo started; wait"});
  ASSERT_TRUE(process.WaitForText("started"));
  const std::vector<pid_t> children = ChildrenOf(process.pid());
  ASSERT_EQ(children.size(), 1u);
  kill(children[0], SIGKILL);
  EXPECT_EQ(process.Wait().exit_code, 0);
}

}  // namespace
}  // namespace skep
