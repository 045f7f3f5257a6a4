// The balancer as a process between one with many clients and backends that are killed
// and come back: no call is lost, nothing is left behind. The long form:
//   SKEP_SOAK_CONNECTIONS=10000 SKEP_SOAK_CALLS=1000000

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "base/random.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "rpc/tcp_transport.h"
#include "tests/end_to_end/echo_server_process.h"
#include "tests/end_to_end/process.h"
#include "tests/soak/call_load.h"

namespace skep {
namespace {

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoll(value, nullptr, 10);
}

int64_t DescriptorsOf(pid_t pid) {
  const std::filesystem::directory_iterator open(StrCat("/proc/", pid, "/fd"));
  return std::distance(begin(open), end(open));
}

int64_t ResidentBytes(pid_t pid) {
  std::ifstream in(StrCat("/proc/", pid, "/statm"));
  int64_t all = 0, resident = 0;
  in >> all >> resident;
  return resident * getpagesize();
}

// What may stay when all clients have left: of the process, and of each connection
// that there was at a time.
constexpr int64_t kKeptBytes = 16 << 20;
constexpr int64_t kKeptBytesEach = 2 << 10;

class SoakTest : public testing::Test {
 protected:
  SoakTest() {
    // Children have the same.
    rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    std::vector<std::string> args = {"balance", "--listen", "127.0.0.1:0", "--admin",
                                     "127.0.0.1:0"};
    for (const char* delay : {"0s", "0s", "2ms", "20ms"}) {
      backends_.push_back(std::make_unique<EchoServerProcess>(delay));
      args.insert(args.end(), {"--backend", backends_.back()->address()});
    }
    balancer_ = std::make_unique<Process>(SkepArgv(args));
    EXPECT_TRUE(balancer_->WaitForText("admin on ")) << balancer_->err();
    at_ = *Address::Parse(WordAfter(balancer_->out(), "balancing "));
    admin_ = WordAfter(balancer_->out(), "admin on ");
    EXPECT_EQ(AwaitUp(), "");
  }

  // The balancer's list of backends, without its heading.
  std::vector<std::string> List() {
    const Outcome list = Skep({"balance", "--admin", admin_, "--list"});
    EXPECT_EQ(list.exit_code, 0) << list.err;
    std::istringstream in(list.out);
    std::vector<std::string> lines;
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) lines.push_back(line);
    return lines;
  }
  // "" once all backends are up and none has calls pending.
  std::string AwaitUp() {
    std::string wrong;
    for (int i = 0; i < 200; ++i) {
      wrong.clear();
      const std::vector<std::string> lines = List();
      if (lines.size() != backends_.size()) wrong = "not all are listed";
      for (const std::string& line : lines) {
        std::istringstream fields(line);
        std::string address, state;
        int64_t pending = -1;
        fields >> address >> state >> pending;
        if (state != "up" || pending != 0) wrong += line + "\n";
      }
      if (wrong.empty()) return wrong;
      absl::SleepFor(absl::Milliseconds(200));
    }
    return wrong;
  }
  // Descriptors of the balancer, once they are in that range, or after a while.
  int64_t AwaitDescriptors(int64_t least, int64_t most) {
    int64_t open = 0;
    for (int i = 0; i < 300; ++i) {
      open = DescriptorsOf(balancer_->pid());
      if (least <= open && open <= most) break;
      absl::SleepFor(absl::Milliseconds(100));
    }
    return open;
  }

  // Kills and freezes backends while calls are made.
  void Trouble(CallLoad& load, int64_t until) {
    while (load.ended() < until) {
      EchoServerProcess& backend = *backends_[random_.Below(backends_.size())];
      if (random_.Chance(0.7)) {
        backend.Kill();
        backend.Restart();
        ++kills_;
      } else {
        backend.Signal(SIGSTOP);
        absl::SleepFor(absl::Milliseconds(200));
        backend.Signal(SIGCONT);
        ++freezes_;
      }
      const int64_t before = load.ended();
      absl::SleepFor(absl::Milliseconds(200));
      // Stuck: Await says so.
      if (load.ended() == before && ++still_ > 100) return;
    }
  }

  std::vector<std::unique_ptr<EchoServerProcess>> backends_;
  std::unique_ptr<Process> balancer_;
  Address at_;
  std::string admin_;
  Random random_{1};
  int kills_ = 0, freezes_ = 0, still_ = 0;
};

TEST_F(SoakTest, EveryCallIsAccountedForAndNothingIsLeft) {
  const int64_t calls = FromEnvironment("SKEP_SOAK_CALLS", 20'000);
  const int connections =
      static_cast<int>(FromEnvironment("SKEP_SOAK_CONNECTIONS", 200));
  const int64_t warm_up = calls / 5;
  const int64_t own_descriptors = DescriptorsOf(getpid());
  const int64_t before = DescriptorsOf(balancer_->pid());
  const int64_t bytes_before = ResidentBytes(balancer_->pid());
  {
    TcpTransport transport(1);
    auto load = std::make_unique<CallLoad>(
        transport, at_,
        CallLoad::Options{.connections = connections, .in_flight = 500});
    ASSERT_TRUE(load->AwaitConnected(absl::Minutes(2)));
    EXPECT_GE(AwaitDescriptors(before + connections, 1 << 20), before + connections);
    load->Start(warm_up);
    Trouble(*load, warm_up * 9 / 10);
    ASSERT_TRUE(load->Await(absl::Minutes(1))) << load->tally().ToString();
    EXPECT_EQ(AwaitUp(), "");
    const int64_t warm = ResidentBytes(balancer_->pid());

    load->Start(calls - warm_up);
    Trouble(*load, calls * 9 / 10);
    ASSERT_TRUE(load->Await(absl::Minutes(1))) << load->tally().ToString();
    const CallTally tally = load->tally();
    std::cout << tally.ToString() << "; " << kills_ << " kills, " << freezes_
              << " freezes\n";
    EXPECT_EQ(tally.started, calls);
    EXPECT_EQ(tally.ended(), calls);
    // Besides these no code is due: what is in flight on a backend that is killed is
    // Unavailable, and so is what comes while none is there.
    EXPECT_EQ(tally.error, 0);
    EXPECT_EQ(tally.wrong, 0);
    EXPECT_EQ(tally.twice, 0);
    EXPECT_GT(tally.ok, calls / 2);
    EXPECT_GT(tally.deadline, 0);
    // Of the 5 % that are cancelled, those whose answer did not come first: the faster
    // the machine, the fewer.
    EXPECT_GT(tally.cancelled, calls / 1000);
    EXPECT_GT(tally.disconnected, 0);
    EXPECT_LT(tally.latest, absl::Seconds(5)) << "deadlines are kept";
    EXPECT_EQ(load->pending(), 0);
    EXPECT_EQ(AwaitUp(), "") << "pending calls are left in the balancer";
    const int64_t now = ResidentBytes(balancer_->pid());
    std::cout << "balancer: " << warm / 1024 << " KiB after " << warm_up << " calls, "
              << now / 1024 << " KiB after all\n";
    EXPECT_LT(now, warm + warm / 4 + (16 << 20)) << "it grows";

    load = nullptr;
    // Each backend's connection may be one more than before, for a moment.
    EXPECT_LE(AwaitDescriptors(0, before + 4), before + 4);
    std::cout << "descriptors: " << before << " before, "
              << DescriptorsOf(balancer_->pid()) << " after\n";
    // What the allocator keeps of the most that was in use does not grow with calls.
    const int64_t bytes_after = ResidentBytes(balancer_->pid());
    std::cout << "balancer: " << bytes_before / 1024 << " KiB before the first client, "
              << bytes_after / 1024 << " KiB after the last\n";
    EXPECT_LT(bytes_after, bytes_before + kKeptBytes + connections * kKeptBytesEach);
  }
  EXPECT_LE(DescriptorsOf(getpid()), own_descriptors + 1);
  // And it still works.
  const Outcome again =
      Skep({"load", "echo", "--target", at_.ToString(), "--requests", "100"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
}

}  // namespace
}  // namespace skep
