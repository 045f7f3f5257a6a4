// The balancer over real sockets, between our channels and three echo servers.

#include "rpc/balance/balance_integration_testing.h"

namespace skep {
namespace {

TEST_F(Proxy, GivesTheSlowOneTheFewestCalls) {
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; }));
  const auto client = Client();
  EXPECT_EQ(Load(*client, 3000, 12), 0);
  EXPECT_LT(slow_.calls, quick_.calls);
  EXPECT_LT(slow_.calls, fast_.calls);
  EXPECT_GT(slow_.calls, 0);
  uint64_t forwarded = 0;
  for (const auto& backend : balancer_->backends()) {
    EXPECT_EQ(backend.pending, 0);
    forwarded += backend.forwarded;
  }
  // The client's hello travels too.
  EXPECT_GE(forwarded, 3000u);
}

// Far more than sockets hold, so that each side is held up by the next one.
TEST_F(Proxy, PassesLargeRepliesThrough) {
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; }));
  const auto client = Client();
  echo::EchoRequest request;
  request.set_payload(std::string(16 << 20, 'l'));
  for (int i = 0; i < 4; ++i) {
    const auto reply = BlockingCall<echo::EchoResponse>(
        *client, Method<echo::EchoService>("Echo"), request, {.timeout = kLong});
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_TRUE(reply->message.payload() == request.payload());
  }
}

TEST_F(Proxy, ServesManyClientsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { failed += Load(*Client(), 200, 2); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_TRUE(Eventually([&] { return balancer_->connections() == 0; }));
}

TEST_F(Proxy, AnswersAtOnceWhatADeadBackendHeld) {
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; }));
  const auto client = Client();
  std::atomic<bool> stop = false;
  std::atomic<int> ok = 0, unavailable = 0, other = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const absl::Status status = Echo(*client);
        if (status.ok()) {
          ++ok;
        } else if (status.code() == absl::StatusCode::kUnavailable) {
          ++unavailable;
        } else {
          ++other;
          ADD_FAILURE() << status;
        }
      }
    });
  }
  absl::SleepFor(absl::Milliseconds(200));
  slow_.Kill();
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 2; }));
  const int ok_before = ok;
  ASSERT_TRUE(Eventually([&] { return ok > ok_before + 500; }))
      << "the others carry on";
  slow_.Restart();
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; })) << "it rejoins";
  const int calls_before = slow_.calls;
  EXPECT_TRUE(Eventually([&] { return slow_.calls > calls_before + 3; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  // At most what it held when it died: one of each caller.
  EXPECT_LE(unavailable, 12);
  EXPECT_EQ(other, 0);
}

TEST_F(Proxy, SaysSoWhenThereIsNoBackend) {
  fast_.Kill();
  quick_.Kill();
  slow_.Kill();
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 0; }));
  const absl::Status status = Echo(*Client());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

TEST_F(Proxy, DrainsABackend) {
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; }));
  ASSERT_TRUE(balancer_->SetDraining(fast_.address(), true).ok());
  const auto client = Client();
  EXPECT_EQ(Load(*client, 100, 4), 0);
  EXPECT_EQ(fast_.calls, 0);
  ASSERT_TRUE(balancer_->SetDraining(fast_.address(), false).ok());
  EXPECT_EQ(Load(*client, 100, 4), 0);
  EXPECT_GT(fast_.calls, 0);
}

TEST(BalancerListen, WantsABackend) {
  TcpTransport transport(1);
  EXPECT_FALSE(Balancer::Listen(transport, Address::Tcp("127.0.0.1", 0), {}).ok());
}

}  // namespace
}  // namespace skep
