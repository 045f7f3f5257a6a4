// Load over real sockets against the services that `skep serve` serves.

#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "rpc/server.h"
#include "rpc/tcp_transport.h"
#include "tools/load/load.h"
#include "tools/load/replay.h"
#include "tools/record/recording_transport.h"
#include "tools/services/services.h"
#include "tools/services/sudoku_text.h"

namespace skep {
namespace {

constexpr char kPuzzle[] =
    "530070000600195000098000060800060003400803001700020006060000280000419005000080079";

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    services_.Add(echo_.get());
    services_.Add(sudoku_.get(), ServiceTable::Run::kPool);
    ServerOptions options;
    options.pool = &pool_;
    options.other_protocol = [this](Stream& stream) {
      return MakeSudokuTextSession(stream, text_);
    };
    auto server = Server::Listen(transport_, Address::Tcp("127.0.0.1", 0), services_,
                                 std::move(options));
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  LoadOptions Options(LinkFactory factory) {
    LoadOptions options;
    options.factory = std::move(factory);
    options.link.target = server_->address();
    options.link.puzzles = {kPuzzle};
    options.link.timeout = absl::Seconds(30);  // sanitizers are slow
    options.duration = absl::InfiniteDuration();
    return options;
  }
  static LoadReport Run(LoadOptions options) {
    LoadRun run(std::move(options));
    auto report = run.Run();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *std::move(report) : LoadReport{};
  }

  SudokuStats stats_{Clock::Real()};
  TcpTransport transport_{1};
  ThreadPool pool_{"compute", 2};
  const SudokuTextServer text_{.options = {.require_id = true},
                               .pool = pool_,
                               .stats = stats_,
                               .clock = Clock::Real()};
  const std::unique_ptr<google::protobuf::Service> echo_ = MakeEchoService();
  const std::unique_ptr<google::protobuf::Service> sudoku_ =
      MakeSudokuService(stats_, Clock::Real());
  ServiceTable services_;
  std::unique_ptr<Server> server_;
};

TEST_F(LoadTest, EchoInClosedLoopOverSeveralConnectionsAndThreads) {
  LoadOptions options = Options(MakeEchoLink);
  options.connections = 5;
  options.threads = 2;
  options.window = 8;
  options.requests = 1003;
  options.cpu_of = {getpid()};
  const LoadReport report = Run(std::move(options));
  EXPECT_EQ(report.stats.sent, 1003);
  EXPECT_EQ(report.stats.ok(), 1003);
  EXPECT_GT(report.client_cpu, absl::ZeroDuration());
  EXPECT_EQ(report.cpu_of.size(), 1);
  EXPECT_EQ(report.connections_lost, 0);
}

TEST_F(LoadTest, SudokuInOpenLoopByBothProtocols) {
  for (const LinkFactory& factory :
       {LinkFactory(MakeSudokuLink), LinkFactory(MakeSudokuTextLink)}) {
    LoadOptions options = Options(factory);
    options.connections = 2;
    options.rate = 400;
    options.duration = absl::Milliseconds(500);
    const LoadReport report = Run(std::move(options));
    EXPECT_EQ(report.stats.sent, 200);
    EXPECT_EQ(report.stats.ok(), 200);
    EXPECT_EQ(report.stats.lag.count(), 200);
  }
  EXPECT_NE(stats_.Report(0).find("total_solved 400"), std::string::npos)
      << stats_.Report(0);
}

TEST_F(LoadTest, SeveralBackendsInOneChannelWithHedges) {
  constexpr absl::Duration kSlow = absl::Seconds(2);
  const auto slow = MakeSlowEchoService(kSlow, transport_.executor());
  ServiceTable services;
  services.Add(slow.get());
  auto second = Server::Listen(transport_, Address::Tcp("127.0.0.1", 0), services);
  ASSERT_TRUE(second.ok()) << second.status();
  LoadOptions options = Options(MakeEchoLink);
  options.link.backends = {server_->address(), (*second)->address()};
  options.link.hedge.delay = absl::Milliseconds(20);
  options.requests = 200;
  const LoadReport report = Run(std::move(options));
  EXPECT_EQ(report.stats.ok(), 200);
  EXPECT_LT(report.stats.latency.greatest(), 1.9e9) << "none waited for the slow one";
  EXPECT_GT(report.balanced.hedges_won, 0u);
  EXPECT_EQ((*second)->connections(), 0) << "it left with the load";
  // The slow one answers nobody, and lets go of the calls.
  absl::SleepFor(kSlow + absl::Milliseconds(500));
}

TEST_F(LoadTest, StopEndsARun) {
  LoadRun run(Options(MakeEchoLink));
  std::thread stopper([&] {
    while (server_->connections() == 0) std::this_thread::yield();
    run.Stop();
  });
  const auto report = run.Run();
  stopper.join();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->stats.answered(), report->stats.sent);
}

TEST_F(LoadTest, AServerThatIsNotThereIsSaid) {
  LoadOptions options = Options(MakeEchoLink);
  server_ = nullptr;
  LoadRun run(std::move(options));
  EXPECT_EQ(run.Run().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(LoadTest, AProcessThatIsNotThereIsSaid) {
  LoadOptions options = Options(MakeEchoLink);
  options.cpu_of = {999'999'999};
  LoadRun run(std::move(options));
  EXPECT_EQ(run.Run().status().code(), absl::StatusCode::kNotFound);
}

// What one run sent is captured, and plays again: at its own times, and as fast as
// answers come.
TEST_F(LoadTest, ACaptureIsPlayedAgain) {
  const char* const dir = std::getenv("TEST_TMPDIR");
  const std::string path = std::string(dir == nullptr ? "/tmp" : dir) + "/capture";
  std::remove(path.c_str());
  auto writer = TrafficWriter::Open(path, absl::Now(), {});
  ASSERT_TRUE(writer.ok()) << writer.status();
  {
    RecordingTransport recording(transport_, **writer);
    auto server =
        Server::Listen(recording, Address::Tcp("127.0.0.1", 0), services_, {});
    ASSERT_TRUE(server.ok()) << server.status();
    LoadOptions options = Options(MakeEchoLink);
    options.link.target = (*server)->address();
    options.connections = 3;
    options.rate = 600;
    options.duration = absl::Milliseconds(500);
    EXPECT_EQ(Run(std::move(options)).stats.ok(), 300);
  }
  writer->reset();
  for (const char* speed : {"2", "max"}) {
    const auto replay = Replay::Open(path, speed);
    ASSERT_TRUE(replay.ok()) << replay.status();
    EXPECT_TRUE(replay->damage().ok()) << replay->damage();
    EXPECT_EQ(replay->requests(), 300);
    LoadOptions options = Options(nullptr);
    options.window = 8;
    const std::string what = replay->Plan(/*most_connections=*/1, &options);
    EXPECT_EQ(options.connections, 3) << what;
    const LoadReport report = Run(std::move(options));
    EXPECT_EQ(report.stats.sent, 300) << what;
    EXPECT_EQ(report.stats.ok(), 300) << what;
    EXPECT_EQ(report.stats.lag.count(), *speed == '2' ? 300 : 0);
    if (*speed == '2') {
      EXPECT_GE(report.elapsed, absl::Milliseconds(200)) << "its own times";
    }
  }
  EXPECT_EQ(Replay::Open(path, "fast").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace skep
