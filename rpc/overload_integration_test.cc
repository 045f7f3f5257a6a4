// A server with more calls than it can do, over sockets and with a pool: who is
// refused, what is not begun, how it is counted, and what a client costs that never
// reads.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/metrics.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/tcp_transport.h"

namespace skep {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

// "work": occupies its thread for 20 ms; "wait": until its token is stopped; "gate":
// until Open.
class Worker final : public echo::EchoService {
 public:
  void Echo(google::protobuf::RpcController* c, const echo::EchoRequest* request,
            echo::EchoResponse* response, google::protobuf::Closure* done) override {
    ++begun;
    const std::stop_token stop = Controller::Of(c).stop_token();
    const auto goes_on = [&] {
      if (request->payload() == "wait") return !stop.stop_requested();
      if (request->payload() == "gate") return !open;
      return false;
    };
    if (request->payload() == "work") absl::SleepFor(absl::Milliseconds(20));
    while (goes_on()) absl::SleepFor(absl::Milliseconds(1));
    response->set_payload(request->payload());
    done->Run();
  }

  std::atomic<int> begun = 0;
  std::atomic<bool> open = false;
};

class OverloadTest : public ::testing::Test {
 protected:
  void Serve(ServerOptions options = {}) {
    services_.Add(&worker_, ServiceTable::Run::kPool);
    services_.Measure(&metrics_);
    options.pool = &pool_;
    auto server = Server::Listen(transport_, Address::Tcp("127.0.0.1", 0), services_,
                                 std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = Connect(transport_, server_->address());
  }
  ~OverloadTest() override {
    worker_.open = true;
    channel_ = nullptr;
    server_ = nullptr;
  }

  CallId Start(const std::string& payload, absl::Duration timeout) {
    echo::EchoRequest request;
    request.set_payload(payload);
    // shared: the completion is a closure that owns it.
    auto response = std::make_shared<echo::EchoResponse>();
    ++left_;
    return channel_->Start(
        Method<echo::EchoService>("Echo"), request, response.get(),
        {.timeout = timeout}, [this, response](const Controller& outcome) {
          MutexLock lock(mutex_);
          ++codes_[static_cast<int>(outcome.status().code())];
          if (absl::IsResourceExhausted(outcome.status())) {
            least_retry_ = std::min(least_retry_, outcome.retry_after());
          }
          --left_;
        });
  }
  template <typename Condition>
  static bool Eventually(Condition condition) {
    for (int i = 0; i < 6000; ++i) {
      if (condition()) return true;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return false;
  }
  bool AllDone() {
    return Eventually([this] { return left_ == 0; });
  }
  int Codes(absl::StatusCode code) {
    MutexLock lock(mutex_);
    return codes_[static_cast<int>(code)];
  }
  uint64_t Counted(absl::StatusCode code) {
    StatsReport report;
    report.Take(metrics_);
    return report.rows.at(0).ended[static_cast<size_t>(code)];
  }

  TcpTransport transport_{1};
  ThreadPool pool_{"test", 1};
  Worker worker_;
  ServerMetrics metrics_;
  ServiceTable services_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<Channel> channel_;
  std::atomic<int> left_ = 0;
  Mutex mutex_;
  int codes_[17] ABSL_GUARDED_BY(mutex_) = {};
  absl::Duration least_retry_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
};

TEST_F(OverloadTest, WhoCannotMakeItIsRefusedAtOnce) {
  Serve();
  for (int i = 0; i < 5; ++i) {
    Start("work", kLong);
    ASSERT_TRUE(AllDone());
  }
  // Two seconds of work for who has 400 ms.
  for (int i = 0; i < 100; ++i) Start("work", absl::Milliseconds(400));
  ASSERT_TRUE(AllDone());
  EXPECT_GE(Codes(absl::StatusCode::kResourceExhausted), 60);
  EXPECT_GE(Codes(absl::StatusCode::kOk), 6);
  EXPECT_EQ(Counted(absl::StatusCode::kResourceExhausted),
            static_cast<uint64_t>(Codes(absl::StatusCode::kResourceExhausted)));
  MutexLock lock(mutex_);
  EXPECT_GT(least_retry_, absl::Milliseconds(100));
  EXPECT_LT(least_retry_, absl::Seconds(2));
}

TEST_F(OverloadTest, WhatExpiredInTheQueueIsNotBegunAndCountsAsExpired) {
  Serve();
  Start("gate", kLong);
  ASSERT_TRUE(Eventually([this] { return worker_.begun == 1; }));
  for (int i = 0; i < 10; ++i) Start("quick", absl::Milliseconds(50));
  ASSERT_TRUE(
      Eventually([this] { return Codes(absl::StatusCode::kDeadlineExceeded) == 10; }));
  worker_.open = true;
  ASSERT_TRUE(AllDone());
  ASSERT_TRUE(Eventually(
      [this] { return Counted(absl::StatusCode::kDeadlineExceeded) == 10; }));
  EXPECT_EQ(worker_.begun, 1);
}

TEST_F(OverloadTest, WhatWasCancelledInTheQueueIsNotBegunAndCountsAsCancelled) {
  Serve();
  Start("gate", kLong);
  ASSERT_TRUE(Eventually([this] { return worker_.begun == 1; }));
  std::vector<CallId> queued;
  for (int i = 0; i < 10; ++i) queued.push_back(Start("quick", kLong));
  for (const CallId call : queued) channel_->Cancel(call);
  ASSERT_TRUE(Eventually([this] { return left_ == 1; }));
  // Behind the cancels on the same connection.
  Start("quick", kLong);
  absl::SleepFor(absl::Milliseconds(100));
  worker_.open = true;
  ASSERT_TRUE(AllDone());
  ASSERT_TRUE(
      Eventually([this] { return Counted(absl::StatusCode::kCancelled) == 10; }));
  EXPECT_EQ(worker_.begun, 2);
  EXPECT_EQ(Counted(absl::StatusCode::kOk), 2u);
}

TEST_F(OverloadTest, AnAnswerThatNobodyTakesCountsAsWhatItsCallerSaw) {
  Serve();
  const CallId call = Start("wait", kLong);
  ASSERT_TRUE(Eventually([this] { return worker_.begun == 1; }));
  channel_->Cancel(call);
  ASSERT_TRUE(
      Eventually([this] { return Counted(absl::StatusCode::kCancelled) == 1; }));
  Start("wait", absl::Milliseconds(50));
  ASSERT_TRUE(
      Eventually([this] { return Counted(absl::StatusCode::kDeadlineExceeded) == 1; }));
  EXPECT_EQ(Counted(absl::StatusCode::kOk), 0u);
  ASSERT_TRUE(AllDone());
}

// Over real sockets, with all that the kernel buffers: it is the kernel's, not ours.
TEST_F(OverloadTest, AClientThatNeverReadsCostsItsHighWaterMark) {
  constexpr size_t kHighWater = 2 << 20;
  constexpr size_t kRequests = 1 << 20;
  Serve(
      {.high_water_bytes = kHighWater, .max_request_bytes_per_connection = kRequests});
  const int deaf = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(server_->address().port());
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connect(deaf, reinterpret_cast<sockaddr*>(&to), sizeof to);
  const std::string frame = EchoRequestFrame(1, std::string(32 << 10, 'x'));
  size_t at = 0;
  size_t sent = 0;
  size_t most = 0;
  // Until it has not taken anything for half a second.
  for (absl::Time last = absl::Now(); absl::Now() < last + absl::Milliseconds(500);) {
    const ssize_t n =
        send(deaf, frame.data() + at, frame.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    most = std::max(most, server_->memory_bytes());
    if (n <= 0) {
      absl::SleepFor(absl::Milliseconds(5));
      continue;
    }
    sent += static_cast<size_t>(n);
    at = (at + static_cast<size_t>(n)) % frame.size();
    last = absl::Now();
    ASSERT_LT(sent, size_t{256} << 20) << "it takes everything";
  }
  EXPECT_GT(most, kHighWater);
  // Calls in progress when the mark was passed are answered too.
  EXPECT_LT(most, kHighWater + kRequests + (256 << 10));
  // Others do not notice.
  Start("quick", kLong);
  ASSERT_TRUE(AllDone());
  EXPECT_EQ(Codes(absl::StatusCode::kOk), 1);
  close(deaf);
  EXPECT_TRUE(Eventually([this] { return server_->memory_bytes() == 0; }));
}

}  // namespace
}  // namespace skep
