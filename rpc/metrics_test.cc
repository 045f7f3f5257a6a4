#include "rpc/metrics.h"

#include <thread>

#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/rpc_service.pb.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"

namespace skep {
namespace {

constexpr auto kNotFound = static_cast<size_t>(absl::StatusCode::kNotFound);

TEST(CallCountsTest, CountsFromManyThreads) {
  ServerMetrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      CallCounts& counts = metrics.Of("s.M");
      for (int i = 0; i < 1000; ++i) {
        counts.Begin();
        if (i % 10 != 0) counts.End(absl::StatusCode::kOk, absl::Microseconds(5));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  StatsReport report;
  report.Take(metrics);
  ASSERT_EQ(report.rows.size(), 1);
  EXPECT_EQ(report.rows[0].calls, 4000);
  EXPECT_EQ(report.rows[0].pending, 400);
  EXPECT_EQ(report.rows[0].latency.count(), 3600);
  EXPECT_EQ(report.rows[0].failed(), 0);
}

TEST(ServerMetricsTest, KeepsTheLastSlowCallsNewestFirst) {
  ServerMetrics metrics({.slow = absl::Milliseconds(10), .slow_kept = 3});
  EXPECT_FALSE(metrics.IsSlow(absl::Milliseconds(9)));
  EXPECT_TRUE(metrics.IsSlow(absl::Milliseconds(10)));
  for (int i = 0; i < 5; ++i) metrics.AddSlow({.method = std::to_string(i)});
  StatsReport report;
  report.Take(metrics);
  ASSERT_EQ(report.slow.size(), 3);
  EXPECT_EQ(report.slow[0].method, "4");
  EXPECT_EQ(report.slow[2].method, "2");
}

// A served table tells its metrics what it does.
class MeasuredServerTest : public ::testing::Test {
 protected:
  MeasuredServerTest() : network_(executor_, /*seed=*/1) {
    services_.Add(&echo_);
    services_.Measure(&metrics_);
    auto server = Server::Listen(network_.host("s"), address_, services_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = Connect(network_.host("c"), address_, {.seed = 5});
    executor_.RunFor(absl::Milliseconds(50));
  }

  void Call(const std::string& payload) {
    echo::EchoRequest request;
    request.set_payload(payload);
    skep::Call<echo::EchoResponse>(*channel_, Method<echo::EchoService>("Echo"),
                                   request, {}, [this](const auto&) { ++completed_; });
  }
  StatsReport::Row Echo() {
    StatsReport report;
    report.Take(metrics_);
    for (const StatsReport::Row& row : report.rows) {
      if (row.name == "echo.EchoService.Echo") return row;
    }
    ADD_FAILURE() << "no row for Echo";
    return {};
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_;
  const Address address_ = Address::Tcp("s", 7000);
  EchoService echo_;
  ServerMetrics metrics_{{.slow = absl::Milliseconds(200)}};
  ServiceTable services_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<Channel> channel_;
  int completed_ = 0;
  muduo::net::ListRpcResponse list_;
};

TEST_F(MeasuredServerTest, CountsCallsAndErrorsByCode) {
  for (int i = 0; i < 5; ++i) Call("hi");
  Call("fail");
  executor_.RunFor(absl::Milliseconds(50));
  EXPECT_EQ(completed_, 6);
  const StatsReport::Row row = Echo();
  EXPECT_EQ(row.calls, 6);
  EXPECT_EQ(row.ended[0], 5);
  EXPECT_EQ(row.ended[kNotFound], 1);
  EXPECT_EQ(row.pending, 0);
}

TEST_F(MeasuredServerTest, PendingCallsAndLatency) {
  Call("hold");
  Call("hold");
  executor_.RunFor(absl::Milliseconds(150));
  EXPECT_EQ(Echo().pending, 2);
  echo_.Release();
  executor_.RunFor(absl::Milliseconds(150));
  EXPECT_EQ(Echo().pending, 1);
  EXPECT_NEAR(static_cast<double>(Echo().latency.greatest()), 150e6, 5e6);
  echo_.Release();
  executor_.RunFor(absl::Milliseconds(50));
  StatsReport report;
  report.Take(metrics_);
  ASSERT_EQ(report.slow.size(), 1) << "only the second took over 200 ms";
  EXPECT_EQ(report.slow[0].method, "echo.EchoService.Echo");
  EXPECT_NE(report.slow[0].peer, "");
  EXPECT_NEAR(absl::ToDoubleMilliseconds(report.slow[0].total()), 300, 10);
}

TEST_F(MeasuredServerTest, CountsWhatIsNotServed) {
  // The control service is the channel's own business and in no table.
  channel_->Start(Method<muduo::net::RpcService>("listRpc"),
                  muduo::net::ListRpcRequest(), &list_, {},
                  [this](const Controller& call) {
                    EXPECT_EQ(call.status().code(), absl::StatusCode::kUnimplemented);
                    ++completed_;
                  });
  executor_.RunFor(absl::Milliseconds(50));
  EXPECT_EQ(completed_, 1);
  StatsReport report;
  report.Take(metrics_);
  EXPECT_EQ(report.unknown, 1);
}

}  // namespace
}  // namespace skep
