// A master that is killed and started again, with a journal and without.

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/end_to_end/process.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

constexpr char kListening[] = "listening on ";

std::unique_ptr<Process> StartMaster(const std::string& listen,
                                     const std::string& journal) {
  std::vector<std::string> args = {"master", "--listen", listen};
  if (!journal.empty()) args.insert(args.end(), {"--journal", journal});
  auto master = std::make_unique<Process>(SkepArgv(args));
  EXPECT_TRUE(master->WaitForText(kListening)) << master->err();
  return master;
}

std::string AddressOf(const Process& master) {
  return WordAfter(master.out(), kListening);
}

// Kills it as the machine would, and starts it again where it was.
void Restart(std::unique_ptr<Process>& master, const std::string& address,
             const std::string& journal) {
  master->Kill(SIGKILL);
  master->Wait();
  master = StartMaster(address, journal);
}

TEST(MasterRestart, WithAJournalRepeatsNothing) {
  const std::string journal = TestFolder() + "/journal";
  auto master = StartMaster("127.0.0.1:0", journal);
  const std::string address = AddressOf(*master);
  Process worker(SkepArgv({"worker", "--master", address, "--slots", "2"}));
  ASSERT_TRUE(worker.WaitForText("registered with")) << worker.err();
  // Some seconds of many small tasks.
  Process submit(SkepArgv({"submit", "nqueens", "--n", "19", "--master", address}));
  ASSERT_TRUE(submit.WaitForText("map ")) << submit.err();
  Restart(master, address, journal);
  const Outcome outcome = submit.Wait();
  EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
  EXPECT_EQ(outcome.out, "4968057848\n");
  const Outcome status = Skep({"status", "1", "--json", "--master", address});
  ASSERT_EQ(status.exit_code, kOk) << status.err;
  const auto again = nlohmann::json::parse(status.out)["ran_again"];
  EXPECT_EQ(again["failed"], 0);
  EXPECT_EQ(again["lost"], 0);
  EXPECT_EQ(again["map_outputs"], 0);
}

TEST(MasterRestart, WithoutAJournalSaysThatTheJobIsLost) {
  auto master = StartMaster("127.0.0.1:0", "");
  const std::string address = AddressOf(*master);
  const std::string input = TestFolder() + "/input";
  WriteWholeFile(input, "a\n");
  const std::vector<std::string> args = {"submit",   "wordcount", "--top", "1",
                                         "--master", address,     input};
  Process waits(SkepArgv(args));
  ASSERT_TRUE(waits.WaitForText("no worker is connected")) << waits.err();
  Restart(master, address, "");
  // Takes the id that the lost job had; its answer is nobody else's.
  Process other(SkepArgv(args));
  const Outcome outcome = waits.Wait();
  EXPECT_EQ(outcome.exit_code, kJobFailed);
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find("was started anew and has lost job 1"), std::string::npos)
      << outcome.err;
}

// --- Submitters that are killed -----------------------------------------------------

// Some seconds of about a hundred tasks.
constexpr char kAnswer[] = "95815104\n";
std::vector<std::string> Queens(const std::string& command,
                                const std::vector<std::string>& flags) {
  std::vector<std::string> args = {command, "nqueens",     "--n",
                                   "17",    "--algorithm", "prefixes"};
  args.insert(args.end(), flags.begin(), flags.end());
  return SkepArgv(args);
}

// Until some tasks are in the checkpoint, some 60 bytes each.
void WaitForTasks(const std::string& file, const Process& process) {
  const absl::Time end = absl::Now() + absl::Seconds(60);
  while (ReadWholeFile(file).size() < 800) {
    ASSERT_LT(absl::Now(), end) << process.err();
    absl::SleepFor(absl::Milliseconds(5));
  }
}

// The number before " tasks" in "skep: FILE has 37 tasks: ... solutions so far".
int TasksIn(const std::string& err) {
  const size_t has = err.find(" has ");
  return has == std::string::npos ? 0 : std::atoi(err.c_str() + has + 5);
}

TEST(SubmitterRestart, GoesOnFromItsCheckpoint) {
  const std::string file = TestFolder() + "/queens";
  const std::vector<std::string> args = Queens("run", {"--checkpoint", file});
  {
    Process killed(args);
    WaitForTasks(file, killed);
    killed.Kill(SIGSTOP);
    // Nobody else may write it meanwhile.
    const Outcome other = RunProgram(args);
    EXPECT_EQ(other.exit_code, kFiles);
    EXPECT_NE(other.err.find("another skep is using"), std::string::npos) << other.err;
    killed.Kill(SIGKILL);
    killed.Wait();
  }
  // As if the machine had died in the middle of a record, too.
  const std::string bytes = ReadWholeFile(file);
  WriteWholeFile(file, bytes.substr(0, bytes.size() - 5));
  const Outcome outcome = RunProgram(args);
  EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
  EXPECT_EQ(outcome.out, kAnswer);
  EXPECT_GT(TasksIn(outcome.err), 2) << outcome.err;
  EXPECT_NE(outcome.err.find("solutions so far"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("were damaged and are left out"), std::string::npos)
      << outcome.err;
  // A third time there is nothing left to do.
  const Outcome again = RunProgram(args);
  EXPECT_EQ(again.out, kAnswer);
  EXPECT_NE(again.err.find("the answer is in"), std::string::npos) << again.err;
  // It is of this job only.
  const Outcome other = Skep({"run", "nqueens", "--n", "18", "--checkpoint", file});
  EXPECT_EQ(other.exit_code, kUsage);
  EXPECT_NE(other.err.find("is of `nqueens --algorithm prefixes --n 17`"),
            std::string::npos)
      << other.err;
  const Outcome words = Skep({"run", "wordcount", "--checkpoint", file, file});
  EXPECT_EQ(words.exit_code, kUsage);
}

TEST(SubmitterRestart, FindsItsJobOnTheFleetOrSubmitsWhatIsLeft) {
  auto master = StartMaster("127.0.0.1:0", "");
  const std::string address = AddressOf(*master);
  Process worker(SkepArgv({"worker", "--master", address, "--slots", "2"}));
  ASSERT_TRUE(worker.WaitForText("registered with")) << worker.err();
  const std::string file = TestFolder() + "/queens";
  const std::vector<std::string> args =
      Queens("submit", {"--master", address, "--checkpoint", file});
  {
    Process killed(args);
    WaitForTasks(file, killed);
    worker.Kill(SIGSTOP);  // so that the job is not over before we look again
    killed.Kill(SIGKILL);
    killed.Wait();
  }
  {
    Process waits(SkepArgv({"wait", "1", "--master", address}));
    Process found(args);
    ASSERT_TRUE(found.WaitForText("the master still has it, as job 1")) << found.err();
    // With the master the job is gone; what it came to is in the file.
    Restart(master, address, "");
    worker.Kill(SIGCONT);
    EXPECT_EQ(waits.Wait().exit_code, kJobFailed);
    const Outcome lost = found.Wait();
    EXPECT_EQ(lost.exit_code, kJobFailed);
    EXPECT_NE(lost.err.find("the same command goes on from there"), std::string::npos)
        << lost.err;
  }
  const Outcome outcome = RunProgram(args);
  EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
  EXPECT_EQ(outcome.out, kAnswer);
  EXPECT_GT(TasksIn(outcome.err), 2) << outcome.err;
  const Outcome waited = Skep({"wait", "1", "--master", address, "--json"});
  EXPECT_EQ(waited.exit_code, kOk) << waited.err;
  EXPECT_EQ(nlohmann::json::parse(waited.out)["answer"]["solutions"], 95815104u);
  EXPECT_EQ(Skep({"wait", "9", "--master", address}).exit_code, kJobFailed);
}

// A job that wants its submitter's files cannot be joined: what it came to when nobody
// looked is taken over before it is cancelled.
TEST(SubmitterRestart, TakesOverWhatItsJobCameTo) {
  auto master = StartMaster("127.0.0.1:0", "");
  const std::string address = AddressOf(*master);
  Process worker(SkepArgv({"worker", "--master", address, "--slots", "1"}));
  ASSERT_TRUE(worker.WaitForText("registered with")) << worker.err();
  const std::string folder = TestFolder(), file = folder + "/sum";
  std::string numbers;
  for (int i = 1; i <= 200'000; ++i) numbers += std::to_string(i) + "\n";
  WriteWholeFile(folder + "/numbers", numbers);
  const std::vector<std::string> args =
      SkepArgv({"submit", "average", "--master", address, "--checkpoint", file,
                "--split-size", "4K", folder + "/numbers"});
  const auto maps_done = [&address] {
    const std::string status = Skep({"status", "1", "--master", address}).out;
    const size_t at = status.find("maps ");
    return at == std::string::npos ? 0 : std::atoi(status.c_str() + at + 5);
  };
  int done = 0;
  {
    Process killed(args);
    const absl::Time end = absl::Now() + absl::Seconds(60);
    while (ReadWholeFile(file).size() < 150 && absl::Now() < end) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    killed.Kill(SIGSTOP);
    while ((done = maps_done()) < 5 && absl::Now() < end) {
    }
    worker.Kill(SIGSTOP);
    done = maps_done();
    killed.Kill(SIGKILL);
    killed.Wait();
  }
  if (done == 0) GTEST_SKIP() << "the job was over before it could be looked at";
  Process again(args);
  ASSERT_TRUE(again.WaitForText(" tasks")) << again.err();
  EXPECT_GE(TasksIn(again.err()), done) << again.err();
  worker.Kill(SIGCONT);
  const Outcome outcome = again.Wait();
  EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
  EXPECT_NE(outcome.out.find("sum\t20000100000\n"), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace skep
