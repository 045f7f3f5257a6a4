// The balancer over three echo servers, all of them processes: one slow, one killed.

#include <csignal>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/end_to_end/process.h"

namespace skep {
namespace {

// What follows `label` on its line.
std::string After(const std::string& text, const std::string& label) {
  const size_t begin = text.find(label) + label.size();
  return text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

class EchoServer {
 public:
  explicit EchoServer(const std::string& delay, const std::string& at = "127.0.0.1:0")
      : delay_(delay) {
    Start(at);
  }
  void Kill() {
    process_->Kill(SIGKILL);
    process_->Wait();
  }
  void Restart() { Start(address_); }
  const std::string& address() const { return address_; }

 private:
  void Start(const std::string& at) {
    process_ = std::make_unique<Process>(
        SkepArgv({"serve", "echo", "--listen", at, "--delay", delay_}));
    ASSERT_TRUE(process_->WaitForText("serving echo on ")) << process_->err();
    address_ = After(process_->out(), "serving echo on ");
  }

  const std::string delay_;
  std::unique_ptr<Process> process_;
  std::string address_;
};

struct Row {
  std::string state;
  int64_t pending = 0, forwarded = 0, failed = 0;
};

class BalancerProcess : public testing::Test {
 protected:
  BalancerProcess() {
    std::vector<std::string> args = {"balance", "--listen", "127.0.0.1:0", "--admin",
                                     "127.0.0.1:0"};
    for (const EchoServer* server : {&slow_, &fast_, &other_}) {
      args.insert(args.end(), {"--backend", server->address()});
    }
    balancer_ = std::make_unique<Process>(SkepArgv(args));
    EXPECT_TRUE(balancer_->WaitForText("admin on ")) << balancer_->err();
    address_ = After(balancer_->out(), "balancing ");
    admin_ = After(balancer_->out(), "admin on ");
    EXPECT_TRUE(Eventually([&] { return CountUp() == 3; }));
  }

  // The backends as `skep balance --list` shows them.
  std::map<std::string, Row> Backends() {
    const Outcome list = Skep({"balance", "--admin", admin_, "--list"});
    EXPECT_EQ(list.exit_code, 0) << list.err;
    std::istringstream lines(list.out);
    std::string line;
    std::getline(lines, line);  // the heading
    std::map<std::string, Row> rows;
    while (std::getline(lines, line)) {
      std::istringstream fields(line);
      std::string address;
      Row row;
      fields >> address >> row.state >> row.pending >> row.forwarded >> row.failed;
      rows[address] = row;
    }
    return rows;
  }
  int CountUp() {
    int up = 0;
    for (const auto& [address, row] : Backends()) up += row.state == "up";
    return up;
  }
  template <typename Condition>
  static bool Eventually(Condition condition) {
    for (int i = 0; i < 200; ++i) {
      if (condition()) return true;
      absl::SleepFor(absl::Milliseconds(50));
    }
    return false;
  }
  std::vector<std::string> Load(const std::vector<std::string>& more) {
    std::vector<std::string> args = {"load",   "echo",          "--target",
                                     address_, "--window",      "6",
                                     "--json", "--connections", "2"};
    args.insert(args.end(), more.begin(), more.end());
    return SkepArgv(args);
  }

  EchoServer slow_{"20ms"};
  EchoServer fast_{"0s"};
  EchoServer other_{"0s"};
  std::unique_ptr<Process> balancer_;
  std::string address_, admin_;
};

TEST_F(BalancerProcess, GivesTheSlowServerTheFewestCalls) {
  const Outcome load = RunProgram(Load({"--requests", "5000"}));
  ASSERT_EQ(load.exit_code, 0) << load.err;
  EXPECT_EQ(nlohmann::json::parse(load.out)["received"], 5000);
  auto rows = Backends();
  EXPECT_LT(rows[slow_.address()].forwarded, rows[fast_.address()].forwarded);
  EXPECT_LT(rows[slow_.address()].forwarded, rows[other_.address()].forwarded);
}

TEST_F(BalancerProcess, AKilledServerHangsNoCallAndRejoins) {
  Process load(Load({"--duration", "6s", "--deadline", "30s"}));
  absl::SleepFor(absl::Seconds(1));
  fast_.Kill();
  EXPECT_TRUE(Eventually([&] { return CountUp() == 2; }));
  const auto without = Backends();
  fast_.Restart();
  EXPECT_TRUE(Eventually([&] { return CountUp() == 3; }));
  EXPECT_TRUE(Eventually([&] {
    return Backends()[fast_.address()].forwarded >
           without.at(fast_.address()).forwarded + 100;
  })) << "it gets calls again";
  const Outcome outcome = load.Wait();
  const auto report = nlohmann::json::parse(outcome.out);
  // At most what the killed one held: the 12 that are ever outstanding.
  EXPECT_LE(report["failed"], 12) << outcome.out;
  EXPECT_EQ(report["errors"].count("DEADLINE_EXCEEDED"), 0u) << outcome.out;
  EXPECT_GT(report["received"], 1000) << "the others carried on";
  EXPECT_EQ(report["connections_lost"], 0);
}

TEST_F(BalancerProcess, DrainsOnDemand) {
  ASSERT_EQ(Skep({"balance", "--admin", admin_, "--drain", fast_.address()}).exit_code,
            0);
  const int64_t before = Backends()[fast_.address()].forwarded;
  EXPECT_EQ(RunProgram(Load({"--requests", "300"})).exit_code, 0);
  EXPECT_EQ(Backends()[fast_.address()].forwarded, before);
  EXPECT_EQ(Backends()[fast_.address()].state, "draining");
  ASSERT_EQ(
      Skep({"balance", "--admin", admin_, "--undrain", fast_.address()}).exit_code, 0);
  EXPECT_EQ(RunProgram(Load({"--requests", "300"})).exit_code, 0);
  EXPECT_GT(Backends()[fast_.address()].forwarded, before);
}

}  // namespace
}  // namespace skep
