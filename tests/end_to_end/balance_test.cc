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
#include "tests/end_to_end/echo_server_process.h"
#include "tests/end_to_end/process.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

struct Row {
  std::string state;
  int64_t pending = 0, forwarded = 0, failed = 0;
  double weight = 0;
};

// A balancer with an admin address.
class RunningBalancer {
 public:
  explicit RunningBalancer(const std::vector<std::string>& more) {
    std::vector<std::string> args = {"balance", "--listen", "127.0.0.1:0", "--admin",
                                     "127.0.0.1:0"};
    args.insert(args.end(), more.begin(), more.end());
    process_ = std::make_unique<Process>(SkepArgv(args));
    EXPECT_TRUE(process_->WaitForText("admin on ")) << process_->err();
    address_ = WordAfter(process_->out(), "balancing ");
    admin_ = WordAfter(process_->out(), "admin on ");
  }

  // The backends as `skep balance --list` shows them.
  std::map<std::string, Row> Backends() { return Order({"--list"}); }
  std::map<std::string, Row> Order(const std::vector<std::string>& order) {
    std::vector<std::string> args = {"balance", "--admin", admin_};
    args.insert(args.end(), order.begin(), order.end());
    const Outcome list = Skep(args);
    EXPECT_EQ(list.exit_code, 0) << list.err;
    std::istringstream lines(list.out);
    std::string line;
    std::getline(lines, line);  // the heading
    std::map<std::string, Row> rows;
    while (std::getline(lines, line)) {
      std::istringstream fields(line);
      std::string address;
      Row row;
      fields >> address >> row.state >> row.pending >> row.forwarded >> row.failed >>
          row.weight;
      rows[address] = row;
    }
    return rows;
  }
  int CountUp() {
    int up = 0;
    for (const auto& [address, row] : Backends()) up += row.state == "up";
    return up;
  }
  const std::string& address() const { return address_; }
  const std::string& admin() const { return admin_; }
  Process& process() { return *process_; }

 private:
  std::unique_ptr<Process> process_;
  std::string address_, admin_;
};

template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 200; ++i) {
    if (condition()) return true;
    absl::SleepFor(absl::Milliseconds(50));
  }
  return false;
}

std::vector<std::string> LoadArgv(const std::string& target,
                                  const std::vector<std::string>& more) {
  std::vector<std::string> args = {"load",   "echo",          "--target",
                                   target,   "--window",      "6",
                                   "--json", "--connections", "2"};
  args.insert(args.end(), more.begin(), more.end());
  return SkepArgv(args);
}

class BalancerProcess : public testing::Test {
 protected:
  BalancerProcess()
      : balancer_({"--backend", slow_.address(), "--backend", fast_.address(),
                   "--backend", other_.address(), "--check-interval", "200ms"}) {
    EXPECT_TRUE(Eventually([&] { return CountUp() == 3; }));
  }

  std::map<std::string, Row> Backends() { return balancer_.Backends(); }
  int CountUp() { return balancer_.CountUp(); }
  std::vector<std::string> Load(const std::vector<std::string>& more) {
    return LoadArgv(balancer_.address(), more);
  }

  EchoServerProcess slow_{"20ms"};
  EchoServerProcess fast_{"0s"};
  EchoServerProcess other_{"0s"};
  RunningBalancer balancer_;
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
  balancer_.Order({"--drain", fast_.address()});
  const int64_t before = Backends()[fast_.address()].forwarded;
  EXPECT_EQ(RunProgram(Load({"--requests", "300"})).exit_code, 0);
  EXPECT_EQ(Backends()[fast_.address()].forwarded, before);
  EXPECT_EQ(Backends()[fast_.address()].state, "draining");
  balancer_.Order({"--undrain", fast_.address()});
  EXPECT_EQ(RunProgram(Load({"--requests", "300"})).exit_code, 0);
  EXPECT_GT(Backends()[fast_.address()].forwarded, before);
}

// It accepts connections, and what is sent to it, and never answers.
TEST_F(BalancerProcess, AFrozenServerIsLeftOutUntilItThaws) {
  fast_.Signal(SIGSTOP);
  EXPECT_TRUE(
      Eventually([&] { return Backends()[fast_.address()].state == "ejected"; }));
  const int64_t before = Backends()[fast_.address()].forwarded;
  const Outcome load = RunProgram(Load({"--requests", "300", "--deadline", "5s"}));
  EXPECT_EQ(load.exit_code, 0) << load.err;
  EXPECT_EQ(nlohmann::json::parse(load.out)["received"], 300);
  EXPECT_EQ(Backends()[fast_.address()].forwarded, before);
  fast_.Signal(SIGCONT);
  EXPECT_TRUE(Eventually([&] { return Backends()[fast_.address()].state == "up"; }));
  EXPECT_EQ(RunProgram(Load({"--requests", "300"})).exit_code, 0);
  EXPECT_GT(Backends()[fast_.address()].forwarded, before);
}

TEST_F(BalancerProcess, TakesOrdersToAddAndRemove) {
  auto rows = balancer_.Order({"--remove", slow_.address()});
  EXPECT_EQ(rows.size(), 2u);
  rows = balancer_.Order({"--add", slow_.address() + ",weight=0.5"});
  EXPECT_EQ(rows[slow_.address()].weight, 0.5);
  EXPECT_TRUE(Eventually([&] { return CountUp() == 3; }));
  EXPECT_NE(Skep({"balance", "--admin", balancer_.admin(), "--remove", "127.0.0.1:1"})
                .exit_code,
            0);
}

// SIGTERM: what is in progress is answered, whoever the client is.
TEST_F(BalancerProcess, FinishesWhatItHas) {
  EchoServerProcess late("1s");
  balancer_.Order({"--add", late.address()});
  for (const EchoServerProcess* server : {&slow_, &fast_, &other_}) {
    balancer_.Order({"--drain", server->address()});
  }
  EXPECT_TRUE(Eventually([&] { return Backends()[late.address()].state == "up"; }));
  Process call(SkepArgv({"rpc", "call", balancer_.address(), "echo.EchoService.Echo",
                         R"({"payload": "bye"})"}));
  // The call itself: what asks for its types before is answered at once.
  const auto in_progress = [&] { return Backends()[late.address()].pending > 0; };
  ASSERT_TRUE(Eventually([&] {
    if (!in_progress()) return false;
    absl::SleepFor(absl::Milliseconds(200));
    return in_progress();
  }));
  balancer_.process().Kill(SIGTERM);
  const Outcome answered = call.Wait();
  EXPECT_EQ(answered.exit_code, 0) << answered.err;
  EXPECT_NE(answered.out.find("bye"), std::string::npos);
  EXPECT_EQ(balancer_.process().Wait().exit_code, 0);
}

TEST(Balancer, ReadsItsFileAgain) {
  EchoServerProcess first("0s"), second("0s");
  const std::string path = TestFolder() + "/backends";
  WriteWholeFile(path, first.address() + " weight=3\n" + second.address() + "\n");
  RunningBalancer balancer({"--backend", "file:" + path});
  EXPECT_TRUE(Eventually([&] { return balancer.CountUp() == 2; }));
  EXPECT_EQ(balancer.Backends()[first.address()].weight, 3);
  EXPECT_EQ(RunProgram(LoadArgv(balancer.address(), {"--requests", "4000"})).exit_code,
            0);
  auto rows = balancer.Backends();
  EXPECT_GT(rows[first.address()].forwarded, rows[second.address()].forwarded * 3 / 2);
  WriteWholeFile(path, second.address() + "\n");
  EXPECT_TRUE(Eventually([&] { return balancer.Backends().size() == 1; }));
  WriteWholeFile(path, "no backend here\n");
  EXPECT_TRUE(balancer.process().WaitForText("backends_not_read"));
  EXPECT_EQ(balancer.CountUp(), 1) << "what it said before is kept";
}

// One thread computes; a client that goes away frees it, through the balancer.
TEST(Balancer, AClientThatGoesAwayStopsTheComputation) {
  Process server(
      SkepArgv({"serve", "nqueens", "--listen", "127.0.0.1:0", "--threads", "1"}));
  ASSERT_TRUE(server.WaitForText("serving nqueens on ")) << server.err();
  const std::string address = WordAfter(server.out(), "serving nqueens on ");
  RunningBalancer balancer({"--backend", address});
  EXPECT_TRUE(Eventually([&] { return balancer.CountUp() == 1; }));
  const std::string method = "nqueens.NQueensService.Solve";
  Process endless(SkepArgv({"rpc", "call", "--timeout", "600", balancer.address(),
                            method, R"({"nqueens": 24, "first_row": 0})"}));
  ASSERT_TRUE(Eventually([&] { return balancer.Backends()[address].pending > 0; }));
  endless.Kill(SIGKILL);
  const Outcome small = Skep({"rpc", "call", "--timeout", "20", balancer.address(),
                              method, R"({"nqueens": 8, "first_row": 0})"});
  EXPECT_EQ(small.exit_code, 0) << small.err;
}

// Its loops have begun to connect to the backends by then.
TEST(Balancer, SaysWhenAnAddressIsTaken) {
  EchoServerProcess server("0ms");
  for (const char* flag : {"--listen", "--admin", "--stats"}) {
    for (int i = 0; i < 3; ++i) {
      std::vector<std::string> args = {"balance", "--backend", server.address(), flag,
                                       server.address()};
      if (args[3] != "--listen") args.insert(args.end(), {"--listen", "127.0.0.1:0"});
      const Outcome outcome = Skep(args);
      EXPECT_EQ(outcome.exit_code, kUnavailable) << flag << ": " << outcome.err;
    }
  }
}

TEST(Balancer, CallsByNameEndInOrder) {
  EchoServerProcess first("0ms"), second("30ms");
  const std::string both = first.address() + "," + second.address();
  for (int i = 0; i < 10; ++i) {
    const Outcome hedged = Skep({"rpc", "call", both, "echo.EchoService.Echo",
                                 R"({"payload": "hello"})", "--hedge", "5ms"});
    EXPECT_EQ(hedged.exit_code, 0) << hedged.err;
    const Outcome bad = Skep({"rpc", "call", first.address(), "Echo", "{}"});
    EXPECT_EQ(bad.exit_code, kUsage) << bad.err;
  }
}

}  // namespace
}  // namespace skep
