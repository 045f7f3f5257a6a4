// A master that is killed and started again, with a journal and without.

#include <csignal>
#include <memory>
#include <string>
#include <vector>

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
  Process submit(SkepArgv({"submit", "nqueens", "--n", "17", "--algorithm", "prefixes",
                           "--master", address}));
  ASSERT_TRUE(submit.WaitForText("map ")) << submit.err();
  Restart(master, address, journal);
  const Outcome outcome = submit.Wait();
  EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
  EXPECT_EQ(outcome.out, "95815104\n");
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

}  // namespace
}  // namespace skep
