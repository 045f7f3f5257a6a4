// Separate processes: a master, three workers, a submitter; and what happens to a job
// when some of them die.

#include "tests/end_to_end/fleet.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/end_to_end/tcp_relay.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// An output directory's files and their bytes, but for the receipt, which has times.
std::map<std::string, std::string> Files(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name != "_SUCCESS") files[name] = ReadWholeFile(entry.path().string());
  }
  return files;
}

// The Bible so many times.
std::string LargeFile(int copies) {
  const std::string path = TestFolder() + "/large.txt";
  const std::string text = ReadWholeFile(TestData("kjv.txt"));
  std::string all;
  for (int i = 0; i < copies; ++i) all += text;
  WriteWholeFile(path, all);
  return path;
}

// What `skep run` makes of it, undisturbed.
std::map<std::string, std::string> Reference(const std::string& input, int times = 1) {
  const std::string output = TestFolder() + "/reference";
  std::vector<std::string> args = {"run", "wordcount", "--output", output};
  args.insert(args.end(), times, input);
  const Outcome run = Skep(args);
  EXPECT_EQ(run.exit_code, kOk) << run.err;
  return Files(output);
}

class FleetTest : public testing::Test {
 protected:
  void SetUp() override { SKEP_REQUIRE_TEST_DATA(); }
};

TEST_F(FleetTest, ThreeWorkersGiveTheBytesOfRun) {
  const std::string input = TestData("kjv.txt");
  Fleet fleet(3);
  const std::string output = TestFolder() + "/counts";
  const Outcome submit = fleet.Submit({"wordcount", "--output", output, input});
  ASSERT_EQ(submit.exit_code, kOk) << submit.err;
  EXPECT_TRUE(Files(output) == Reference(input));
  EXPECT_EQ(fleet.Submit({"wordcount", "--top", "2", input}).out,
            "the\t62051\nand\t38572\n");
  const Outcome jobs = Skep({"jobs", "--master", fleet.master()});
  EXPECT_NE(jobs.out.find("succeeded"), std::string::npos) << jobs.out;
  EXPECT_EQ(Json::parse(fleet.StatusJson(2))["state"], "succeeded");
}

TEST_F(FleetTest, AWorkerThatDoesNotSeeTheSubmittersFilesGetsThem) {
  if (RunProgram({"unshare", "--mount", "true"}).exit_code != 0) {
    GTEST_SKIP() << "only root can hide a folder from a worker";
  }
  const std::string folder = TestFolder();
  fs::copy(TestData("kjv.txt"), folder + "/kjv.txt");
  Fleet fleet(0);
  // In the worker's view of the machine the folder is empty, and what is written there
  // is its own.
  fleet.AddWorker("", {"unshare", "--mount", "bash", "-c",
                       "mount -t tmpfs none " + folder + " && exec \"$@\"", "bash"});
  const Outcome submit =
      fleet.Submit({"wordcount", "--output", folder + "/counts", folder + "/kjv.txt"});
  ASSERT_EQ(submit.exit_code, kOk) << submit.err;
  EXPECT_TRUE(Files(folder + "/counts") == Reference(TestData("kjv.txt")));
  EXPECT_TRUE(fs::exists(folder + "/counts/_SUCCESS"));
}

TEST_F(FleetTest, AWorkerThatSeesAnotherFileOfThatNameSaysSo) {
  if (RunProgram({"unshare", "--mount", "true"}).exit_code != 0) {
    GTEST_SKIP() << "only root can hide a folder from a worker";
  }
  const std::string folder = TestFolder();
  WriteWholeFile(folder + "/words.txt", "a b c\n");
  Fleet fleet(0);
  fleet.AddWorker("", {"unshare", "--mount", "bash", "-c",
                       "mount -t tmpfs none " + folder + " && echo other > " + folder +
                           "/words.txt && exec \"$@\"",
                       "bash"});
  const Outcome submit =
      fleet.Submit({"wordcount", "--top", "1", folder + "/words.txt"});
  // It gets the right one from the submitter, and warns.
  EXPECT_EQ(submit.out, "a\t1\n") << submit.err;
  EXPECT_NE(submit.err.find(folder + "/words.txt is another file"), std::string::npos)
      << submit.err;
}

TEST_F(FleetTest, CancelledJobsEndWithTheirOwnCode) {
  Fleet fleet(1);
  const auto submit = fleet.StartSubmit({"nqueens", "--n", "20"});
  absl::SleepFor(absl::Seconds(1));
  EXPECT_EQ(Skep({"cancel", "1", "--master", fleet.master()}).exit_code, kOk);
  const Outcome outcome = submit->Wait(absl::Seconds(20));
  EXPECT_EQ(outcome.exit_code, kCancelled) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(Skep({"cancel", "77", "--master", fleet.master()}).exit_code, kJobFailed);
}

TEST_F(FleetTest, DetachedJobsRunOnTheirOwn) {
  Fleet fleet(2);
  const std::string output = TestFolder() + "/counts";
  const Outcome submit =
      fleet.Submit({"wordcount", "--detach", "--output", output, TestData("kjv.txt")});
  ASSERT_EQ(submit.exit_code, kOk) << submit.err;
  EXPECT_EQ(submit.out, "1\n");
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!fs::exists(output + "/_SUCCESS") && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_TRUE(Files(output) == Reference(TestData("kjv.txt")));
}

// --- Failures
// ----------------------------------------------------------------------------

// Runs word count over an input that takes seconds, calls `disturb` when `when` is true
// of the job's status, and expects the same bytes as without.
class FailureTest : public FleetTest {
 protected:
  // A file of 130 MB, read many times over: some 3 GB, which take more than five
  // seconds.
  static constexpr int kCopies = 30;
  static constexpr int kTimes = 24;

  static const std::string& Input() {
    static const std::string path = LargeFile(kCopies);
    return path;
  }
  static const std::map<std::string, std::string>& Expected() {
    static const auto files = Reference(Input(), kTimes);
    return files;
  }

  // The finished job's JSON.
  Json RunDisturbed(Fleet& fleet, const std::function<bool(const std::string&)>& when,
                    const std::function<void()>& disturb) {
    const std::string output = TestFolder() + "/counts";
    std::vector<std::string> args = {"wordcount", "--json", "--output", output};
    args.insert(args.end(), kTimes, Input());
    const auto submit = fleet.StartSubmit(args);
    bool disturbed = false;
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (submit->running() && !disturbed && absl::Now() < deadline) {
      if (when(Skep({"status", "1", "--master", fleet.master()}).out)) {
        disturb();
        disturbed = true;
      }
    }
    EXPECT_TRUE(disturbed) << "the job was over before it could be disturbed";
    const Outcome outcome = submit->Wait(absl::Minutes(4));
    EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
    if (outcome.exit_code != kOk) return {};
    EXPECT_TRUE(Files(output) == Expected());
    return Json::parse(outcome.out);
  }

  // Whether `skep status` tells of at least so many finished maps.
  static bool MapsDone(const std::string& status, int least) {
    const size_t at = status.find("maps ");
    return at != std::string::npos && std::atoi(status.c_str() + at + 5) >= least;
  }
};

TEST_F(FailureTest, AWorkerKilledWhileItMapsCostsItsWork) {
  Fleet fleet(3);
  const Json job = RunDisturbed(
      fleet, [](const std::string& status) { return MapsDone(status, 1); },
      [&fleet] { fleet.worker(0).Kill(SIGKILL); });
  ASSERT_TRUE(job.is_object());
  EXPECT_GE(
      job["ran_again"]["lost"].get<int>() + job["ran_again"]["map_outputs"].get<int>(),
      1)
      << job;
}

TEST_F(FailureTest, AWorkerKilledWithFinishedMapsHasThemRunAgain) {
  Fleet fleet(3);
  const Json job = RunDisturbed(
      fleet, [](const std::string& status) { return MapsDone(status, 30); },
      [&fleet] { fleet.worker(1).Kill(SIGKILL); });
  ASSERT_TRUE(job.is_object());
  EXPECT_GE(job["ran_again"]["map_outputs"].get<int>(), 1) << job;
}

TEST_F(FailureTest, AnExecutorKilledCostsOneAttempt) {
  Fleet fleet(3);
  const Json job = RunDisturbed(
      fleet, [](const std::string& status) { return MapsDone(status, 1); },
      [&fleet] {
        const auto children = ChildrenOf(fleet.worker(2).pid());
        ASSERT_EQ(children.size(), 1u);
        kill(children[0], SIGKILL);
      });
  ASSERT_TRUE(job.is_object());
  EXPECT_EQ(job["ran_again"]["failed"].get<int>() + job["ran_again"]["lost"].get<int>(),
            1)
      << job;
  EXPECT_EQ(job["ran_again"]["map_outputs"], 0) << job;
}

TEST_F(FailureTest, ADroppedConnectionRunsNothingAgain) {
  Fleet fleet(1);
  TcpRelay relay(fleet.master());
  fleet.AddWorker(relay.address());
  fleet.AddWorker(relay.address());
  const Json job = RunDisturbed(
      fleet, [](const std::string& status) { return MapsDone(status, 5); },
      [&relay] { relay.Cut(); });
  EXPECT_EQ(relay.cut(), 2);
  ASSERT_TRUE(job.is_object());
  EXPECT_EQ(job["ran_again"]["failed"], 0) << job;
  EXPECT_EQ(job["ran_again"]["lost"], 0) << job;
  EXPECT_EQ(job["ran_again"]["map_outputs"], 0) << job;
}

TEST_F(FailureTest, AWorkerThatStandsStillForAMomentLosesNothing) {
  Fleet fleet(3);
  const Json job = RunDisturbed(
      fleet, [](const std::string& status) { return MapsDone(status, 1); },
      [&fleet] {
        fleet.worker(0).Kill(SIGSTOP);
        absl::SleepFor(absl::Seconds(1));
        fleet.worker(0).Kill(SIGCONT);
      });
  ASSERT_TRUE(job.is_object());
  EXPECT_EQ(job["ran_again"]["lost"], 0) << job;
  EXPECT_EQ(job["ran_again"]["map_outputs"], 0) << job;
}

TEST(Fleet, WhoWaitsForAJobIsToldItsAnswerOrWhereItIs) {
  Fleet fleet(1);
  const std::string folder = TestFolder();
  WriteWholeFile(folder + "/t", "a b a\n");
  const auto submit = [&](std::vector<std::string> args) {
    EXPECT_EQ(fleet.Submit(std::move(args)).exit_code, kOk);
  };
  submit({"wordcount", "--detach", "--output", folder + "/counts", folder + "/t"});
  submit({"sort", "--output", folder + "/sorted", folder + "/t"});
  submit({"sort", folder + "/t"});
  submit({"wordcount", "--top", "1", folder + "/t"});
  const auto wait = [&](const char* id) {
    return Skep({"wait", id, "--master", fleet.master()});
  };
  const std::pair<const char*, std::string> kTold[] = {
      {"1", "output: " + folder + "/counts, 1 file of 8 bytes"},
      {"2", "output: " + folder + "/sorted, 6 bytes"},
      {"3", "output: standard output of its submitter, 6 bytes"}};
  for (const auto& [id, told] : kTold) {
    const Outcome outcome = wait(id);
    EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(told), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(wait("4").out, "a\t2\n");
}

// Every family's jobs, as `skep compare` submits them.
TEST(Fleet, ComparesAlgorithmsOfJobs) {
  Fleet fleet(2);
  const auto compare = [&fleet](std::vector<std::string> args) {
    args.insert(args.begin(), "compare");
    args.insert(args.end(), {"--master", fleet.master(), "--rounds", "3", "--json"});
    return Skep(args);
  };
  for (const auto& [family, size] :
       std::vector<std::pair<std::string, std::string>>{{"nqueens", "10"},
                                                        {"sudoku", "50"},
                                                        {"wordcount", "64K"},
                                                        {"median", "10000"},
                                                        {"average", "10000"},
                                                        {"sort", "1000"},
                                                        {"grep", "64K"}}) {
    const Outcome outcome = compare({family, "--sizes", size});
    ASSERT_EQ(outcome.exit_code, kOk) << family << outcome.err;
    const auto json = nlohmann::json::parse(outcome.out);
    EXPECT_NE(std::string(json["fleet"]).find("(2 workers, 2 slots)"),
              std::string::npos);
    for (const auto& algorithm : json["sizes"][0]["algorithms"]) {
      EXPECT_GT(algorithm["wall_seconds"]["estimate"], 0) << family;
      EXPECT_GE(algorithm["rounds"], 1) << family;
    }
  }
  const auto words = nlohmann::json::parse(
      compare({"wordcount", "--sizes", "64K", "--algorithms", "combiner"}).out);
  EXPECT_GT(words["sizes"][0]["algorithms"][0]["bytes_moved"], 1000);
  EXPECT_EQ(compare({"nqueens", "--algorithms", "bitmask"}).exit_code, kUsage);
  EXPECT_EQ(Skep({"compare", "nqueens", "--master", "127.0.0.1:1"}).exit_code,
            kUnavailable);
}

}  // namespace
}  // namespace skep
