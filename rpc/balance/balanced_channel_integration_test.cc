// The balanced channel over real sockets and three echo servers.

#include "rpc/balance/balance_integration_testing.h"
#include "rpc/balance/balanced_channel.h"

namespace skep {
namespace {

TEST_F(Balance, ChannelGivesTheSlowOneTheFewestCalls) {
  const auto channel = BalancedChannel::Create(transport_, backends_);
  EXPECT_EQ(Load(*channel, 3000, 12), 0);
  EXPECT_LT(slow_.calls, quick_.calls);
  EXPECT_LT(slow_.calls, fast_.calls);
  EXPECT_GT(slow_.calls, 0);
  EXPECT_EQ(channel->pending(), 0);
}

TEST_F(Balance, ChannelLeavesOutADeadBackendUntilItIsBack) {
  const auto channel = BalancedChannel::Create(transport_, backends_);
  ASSERT_TRUE(Eventually([&] {
    int connected = 0;
    for (const auto& backend : channel->backends()) connected += backend.connected;
    return connected == 3;
  }));
  quick_.Kill();
  ASSERT_TRUE(Eventually([&] { return !channel->backends()[1].connected; }));
  EXPECT_EQ(Load(*channel, 300, 4), 0);
  const int before = quick_.calls;
  quick_.Restart();
  ASSERT_TRUE(Eventually([&] { return channel->backends()[1].connected; }));
  EXPECT_EQ(Load(*channel, 300, 8), 0);
  EXPECT_GT(quick_.calls, before);
}

TEST_F(Balance, ChannelWaitsForAFirstBackendAndObeysDeadlines) {
  fast_.Kill();
  quick_.Kill();
  slow_.Kill();
  const auto channel = BalancedChannel::Create(transport_, backends_);
  EXPECT_EQ(Echo(*channel, absl::Milliseconds(100)).code(),
            absl::StatusCode::kDeadlineExceeded);
  std::thread later([&] {
    absl::SleepFor(absl::Milliseconds(100));
    fast_.Restart();
  });
  EXPECT_TRUE(Echo(*channel).ok());
  later.join();
}

TEST_F(Balance, ChannelDrains) {
  const auto channel = BalancedChannel::Create(transport_, backends_);
  ASSERT_TRUE(channel->SetDraining(fast_.address(), true).ok());
  EXPECT_EQ(Load(*channel, 100, 4), 0);
  EXPECT_EQ(fast_.calls, 0);
  EXPECT_FALSE(channel->SetDraining(Address::Tcp("127.0.0.1", 1), true).ok());
}

TEST_F(Balance, ChannelGoesOnWhenADrainedBackendIsTakenBack) {
  const auto channel = BalancedChannel::Create(transport_, {fast_.address()});
  ASSERT_TRUE(channel->SetDraining(fast_.address(), true).ok());
  std::thread caller([&] { EXPECT_TRUE(Echo(*channel).ok()); });
  EXPECT_TRUE(Eventually(
      [&] { return channel->pending() == 1 && channel->backends()[0].connected; }));
  ASSERT_TRUE(channel->SetDraining(fast_.address(), false).ok());
  caller.join();
}

// Cancels, deadlines and dispatches of the same waiting calls meet on several threads;
// each call ends once, and nobody writes into a response that is gone.
TEST_F(Balance, WaitingCallsEndOnceWhateverTheThreadsDo) {
  const auto channel = BalancedChannel::Create(transport_, {fast_.address()});
  echo::EchoRequest request;
  request.set_payload(std::string(1000, 'p'));
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(channel->SetDraining(fast_.address(), true).ok());
    constexpr int kCalls = 100;
    std::atomic<int> ended = 0;
    std::vector<CallId> ids;
    for (int i = 0; i < kCalls; ++i) {
      ids.push_back(Call<echo::EchoResponse>(
          *channel, Method<echo::EchoService>("Echo"), request,
          {.timeout = i % 2 == 0 ? kLong : absl::Milliseconds(1 + i % 7)},
          [&](auto) { ++ended; }));
    }
    std::thread canceller([&] {
      for (int i = 0; i < kCalls; i += 3) channel->Cancel(ids[i]);
    });
    ASSERT_TRUE(channel->SetDraining(fast_.address(), false).ok());
    canceller.join();
    ASSERT_TRUE(Eventually([&] { return ended == kCalls; }));
    EXPECT_EQ(channel->pending(), 0);
  }
}

}  // namespace
}  // namespace skep
