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

TEST(SlowCallsTest, KeepsTheLastNewestFirst) {
  SlowCallLog log({.at_least = absl::Milliseconds(10), .kept = 3});
  EXPECT_FALSE(log.Wants(absl::Milliseconds(9), 0, absl::UnixEpoch()));
  EXPECT_TRUE(log.Wants(absl::Milliseconds(10), 0, absl::UnixEpoch()));
  for (int i = 0; i < 5; ++i) log.Add({.method = std::to_string(i)});
  const std::vector<SlowCall> calls = log.Newest();
  ASSERT_EQ(calls.size(), 3);
  EXPECT_EQ(calls[0].method, "4");
  EXPECT_EQ(calls[2].method, "2");
}

TEST(SlowCallsTest, KeepsTheSlowestOfEachSecondOverP99) {
  SlowCallLog log(SlowCallRule{});
  const absl::Time start = absl::FromUnixSeconds(1'000'000);
  const int64_t p99 = 5'000'000;  // 5 ms
  const auto ended = [&](absl::Duration at, absl::Duration total) {
    const bool wanted = log.Wants(total, p99, start + at);
    if (wanted) log.Add({.ended = start + at, .handler = total});
    return wanted;
  };
  EXPECT_FALSE(log.Wants(absl::Seconds(9), -1, start)) << "no p99 yet";
  EXPECT_FALSE(ended(absl::ZeroDuration(), absl::Milliseconds(5)));
  EXPECT_TRUE(ended(absl::Milliseconds(100), absl::Milliseconds(6)));
  EXPECT_TRUE(ended(absl::Milliseconds(200), absl::Milliseconds(8)));
  EXPECT_FALSE(ended(absl::Milliseconds(300), absl::Milliseconds(7)));
  EXPECT_TRUE(ended(absl::Milliseconds(1100), absl::Milliseconds(6)));
  const std::vector<SlowCall> calls = log.Newest();
  ASSERT_EQ(calls.size(), 2);
  EXPECT_EQ(calls[0].total(), absl::Milliseconds(6));
  EXPECT_EQ(calls[1].total(), absl::Milliseconds(8));
}

TEST(SlowCallsTest, TheRuleIsReadAndSaid) {
  EXPECT_EQ(SlowCallRule::Parse("p99")->at_least, absl::ZeroDuration());
  EXPECT_EQ(SlowCallRule::Parse("20ms")->at_least, absl::Milliseconds(20));
  EXPECT_NE(SlowCallRule::Parse("20ms")->ToString().find("20ms"), std::string::npos);
  for (const char* bad : {"", "p98", "-1s", "0s", "20"}) {
    EXPECT_FALSE(SlowCallRule::Parse(bad).ok()) << bad;
  }
}

TEST(ServerMetricsTest, AReportSetsWhatIsSlowFromNowOn) {
  ServerMetrics metrics;
  CallCounts& counts = metrics.Of("s.M");
  EXPECT_LT(counts.p99(), 0);
  for (int i = 1; i <= 200; ++i) {
    counts.Begin();
    counts.End(absl::StatusCode::kOk, absl::Microseconds(i));
  }
  StatsReport().Take(metrics);
  EXPECT_NEAR(static_cast<double>(counts.p99()), 198e3, 1e3);
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
  ServerMetrics metrics_{{.at_least = absl::Milliseconds(200)}};
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
  EXPECT_NEAR(absl::ToDoubleMilliseconds(report.slow[0].handler), 300, 10);
  EXPECT_EQ(report.slow[0].request_bytes, 6) << "a string of four bytes";
}

TEST_F(MeasuredServerTest, TellsTheStagesOfASlowCall) {
  echo::EchoRequest request;
  request.set_payload("hold");
  skep::Call<echo::EchoResponse>(*channel_, Method<echo::EchoService>("Echo"), request,
                                 {.attachment = std::string(8 << 20, 'x')},
                                 [this](const auto&) { ++completed_; });
  executor_.RunFor(absl::Seconds(2));
  // The reply is larger than what the network takes while it stands still.
  network_.Stall("c", "s", absl::Seconds(1));
  echo_.Release();
  executor_.RunFor(absl::Seconds(5));
  EXPECT_EQ(completed_, 1);
  StatsReport report;
  report.Take(metrics_);
  ASSERT_EQ(report.slow.size(), 1);
  const SlowCall& call = report.slow[0];
  EXPECT_GE(call.handler, absl::Milliseconds(900));
  EXPECT_GE(call.writing, absl::Milliseconds(900));
  EXPECT_LE(call.writing, absl::Milliseconds(2500));
  EXPECT_GE(call.request_bytes, 8u << 20);
  EXPECT_GE(call.reply_bytes, 8u << 20);
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
