// Servers, a balancer, load on them, and what is seen of it, with the real binary.

#include <signal.h>

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/process.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

using nlohmann::json;

// A program that prints addresses as it begins.
class Running {
 public:
  Running(const std::vector<std::string>& args, const std::string& last_words)
      : process_(SkepArgv(args)) {
    EXPECT_TRUE(process_.WaitForText(last_words)) << process_.err();
  }
  // The address that stands behind `words` in its output.
  std::string After(const std::string& words) {
    const std::string word = WordAfter(process_.out(), words);
    EXPECT_NE(word, "") << process_.out();
    return word.substr(0, word.find('/'));
  }
  pid_t pid() const { return process_.pid(); }

 private:
  Process process_;
};

std::vector<std::string> ServeArgs(const std::string& service) {
  return {"serve", service, "--listen", "127.0.0.1:0", "--stats", "127.0.0.1:0"};
}

TEST(LoadTest, EchoThroughABalancer) {
  Running one(ServeArgs("echo"), "statistics on"),
      two(ServeArgs("echo"), "statistics on");
  Running balancer(
      {"balance", "--listen", "127.0.0.1:0", "--stats", "127.0.0.1:0", "--backend",
       one.After("echo on "), "--backend", two.After("echo on ")},
      "statistics on");
  const std::string folder = TestFolder();
  const Outcome load =
      Skep({"load", "echo", "--target", balancer.After("balancing "), "--connections",
            "3", "--window", "5", "--requests", "3000", "--cpu-of",
            std::to_string(balancer.pid()), "--json", "--plot", folder + "/plot.svg",
            "--histogram", folder + "/histogram.txt"});
  ASSERT_EQ(load.exit_code, kOk) << load.err;
  const json report = json::parse(load.out);
  EXPECT_EQ(report["received"], 3000);
  EXPECT_EQ(report["failed"], 0);
  EXPECT_GT(report["latency_us"]["median"], 0);
  EXPECT_TRUE(ReadWholeFile(folder + "/plot.svg").starts_with("<svg "));
  EXPECT_TRUE(ReadWholeFile(folder + "/histogram.txt").ends_with(" 100.00\n"));

  const Outcome top = Skep({"rpc", "top", balancer.After("http://"), "--count", "1"});
  EXPECT_EQ(top.exit_code, kOk) << top.err;
  EXPECT_NE(top.out.find("backend=" + one.After("echo on ") + " state=up"),
            std::string::npos)
      << top.out;
}

TEST(LoadTest, TopShowsWhatALoadDoes) {
  Running server(ServeArgs("sudoku"), "statistics on");
  Process load(SkepArgv({"load", "sudoku", "--target", server.After("sudoku on "),
                         "--rate", "200", "--duration", "20s"}));
  const Outcome top = Skep({"rpc", "top", server.After("http://"), "--count", "4"});
  load.Kill(SIGTERM);
  const Outcome ended = load.Wait();
  EXPECT_EQ(ended.exit_code, kOk) << ended.err;
  EXPECT_NE(ended.out.find("open loop, 200 requests/s"), std::string::npos);
  EXPECT_NE(top.out.find("method=sudoku.SudokuService.Solve calls_per_s="),
            std::string::npos)
      << top.out;
}

TEST(LoadTest, SudokuByText) {
  Running server(ServeArgs("sudoku"), "statistics on");
  const Outcome load =
      Skep({"load", "sudoku", "--target", server.After("sudoku on "), "--protocol",
            "text", "--window", "10", "--requests", "500", "--deadline", "5s"});
  EXPECT_EQ(load.exit_code, kOk) << load.err;
  EXPECT_NE(load.out.find("received 500 "), std::string::npos) << load.out;
}

// SIGKILL, while the capture is being written, and cuts where a disk that lost its
// power would leave them.
TEST(LoadTest, ACaptureOfAKilledServerIsPlayedUpToTheCut) {
  const std::string folder = TestFolder(), file = folder + "/traffic";
  std::vector<std::string> args = ServeArgs("echo");
  args.insert(args.end(), {"--record", file});
  Running server(args, "statistics on");
  const std::string at = server.After("echo on ");
  const Outcome first = Skep({"load", "echo", "--target", at, "--connections", "2",
                              "--payload", "1K", "--requests", "2000"});
  ASSERT_EQ(first.exit_code, kOk) << first.err;
  Process load(
      SkepArgv({"load", "echo", "--target", at, "--payload", "1K", "--rate", "1000"}));
  // It grows once a second, by all that came before: once more, and those 2000 are
  // there.
  auto size = std::filesystem::file_size(file);
  int grown = 0;
  for (int i = 0; i < 1000 && grown < 2; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
    const auto now = std::filesystem::file_size(file);
    grown += now > size;
    size = now;
  }
  ASSERT_EQ(grown, 2) << size;
  kill(server.pid(), SIGKILL);
  load.Kill(SIGKILL);

  Running other(ServeArgs("echo"), "statistics on");
  const std::string whole = ReadWholeFile(file);
  int before = std::numeric_limits<int>::max();
  for (const size_t cut : {0, 1, 500}) {
    const std::string part = folder + "/part";
    WriteWholeFile(part, whole.substr(0, whole.size() - cut));
    const Outcome replay = Skep({"load", "--replay", part, "--speed", "max", "--target",
                                 other.After("echo on "), "--json"});
    ASSERT_EQ(replay.exit_code, kOk) << cut << ": " << replay.err;
    EXPECT_NE(replay.err.find("requests before it are played"), std::string::npos)
        << cut << ": " << replay.err;
    const json report = json::parse(replay.out);
    EXPECT_EQ(report["failed"], 0) << cut;
    const int received = report["received"];
    EXPECT_GE(received, 2000) << cut << ": of " << whole.size() << " bytes";
    EXPECT_LE(received, before) << cut;
    before = received;
  }
}

TEST(LoadTest, ABoundOnFailuresIsAnExitCode) {
  Running good(ServeArgs("echo"), "statistics on");
  std::vector<std::string> args = ServeArgs("echo");
  args.insert(args.end(), {"--delay", "20s", "--delay-one-in", "4"});
  Running slow(args, "statistics on");
  const auto load = [](const std::string& target, std::vector<std::string> more) {
    more.insert(more.begin(), {"load", "echo", "--target", target, "--requests", "40",
                               "--window", "40", "--deadline", "3s"});
    return Skep(more);
  };
  const std::string late = slow.After("echo on ");
  const Outcome most = load(late, {});
  EXPECT_EQ(most.exit_code, kOk) << "it was answered";
  EXPECT_NE(most.out.find("failed, 25 % of those sent: DEADLINE_EXCEEDED 10"),
            std::string::npos)
      << most.out;
  const Outcome over = load(late, {"--max-failed", "9"});
  EXPECT_EQ(over.exit_code, kJobFailed);
  EXPECT_NE(over.err.find("10 of 40 calls failed, over --max-failed 9"),
            std::string::npos)
      << over.err;
  EXPECT_EQ(load(late, {"--max-failed", "25%"}).exit_code, kOk);
  const Outcome both =
      load(late + "," + good.After("echo on "),
           {"--hedge", "50ms", "--hedge-budget", "100", "--max-failed", "0"});
  EXPECT_EQ(both.exit_code, kOk) << both.out << both.err;
  EXPECT_NE(both.out.find("hedges: "), std::string::npos) << both.out;
}

TEST(LoadTest, WrongUseIsSaid) {
  EXPECT_EQ(
      Skep({"load", "echo", "--target", "127.0.0.1:1", "--hedge", "5ms"}).exit_code,
      kUsage);
  EXPECT_EQ(Skep({"load", "echo", "--target", "127.0.0.1:1", "--max-failed", "many"})
                .exit_code,
            kUsage);
  EXPECT_EQ(Skep({"load", "echo"}).exit_code, kUsage);
  EXPECT_EQ(Skep({"load", "chess", "--target", "127.0.0.1:1"}).exit_code, kUsage);
  EXPECT_EQ(
      Skep({"load", "echo", "--target", "127.0.0.1:1", "--protocol", "text"}).exit_code,
      kUsage);
  EXPECT_EQ(Skep({"load", "echo", "--target", "127.0.0.1:1"}).exit_code, kUnavailable);
  EXPECT_EQ(Skep({"rpc", "top", "127.0.0.1:1"}).exit_code, kUnavailable);
  EXPECT_EQ(
      Skep({"load", "echo", "--target", "127.0.0.1:1", "--duration", "soon"}).exit_code,
      kUsage);
}

}  // namespace
}  // namespace skep
