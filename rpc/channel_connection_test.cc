// A channel's connection: waiting for it, losing it, its hello and its orderly end.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log_testing.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/channel_test_bed.h"

namespace skep {
namespace {

using ChannelConnectionTest = ChannelTestBed;

TEST_F(ChannelConnectionTest, DisconnectEndsEveryCallNamingThePeer) {
  Listen();
  const auto channel = Dial();
  std::vector<std::optional<Outcome>> outcomes(10);
  for (auto& outcome : outcomes) Echo(*channel, "hold", &outcome);
  Run();
  ASSERT_EQ(echo_.held.size(), 10u);
  network_.Reset("c", "s");
  Run();
  for (const auto& outcome : outcomes) {
    ASSERT_EQ(CodeOf(outcome), absl::StatusCode::kUnavailable);
    EXPECT_NE(Message(outcome->status()).find("s:7000"), std::string_view::npos);
    EXPECT_FALSE(NeverSent(outcome->status()));
  }
  EXPECT_EQ(channel->counters().disconnected, 10u);
  for (const auto& held : echo_.held) {
    EXPECT_TRUE(held.controller->stop_token().stop_requested());
  }
  // Its connection is gone: the replies go nowhere, and the channel comes back.
  echo_.ReleaseAll();
  std::optional<Outcome> again;
  Echo(*channel, "again", &again);
  Run(absl::Seconds(1));
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(again->ok()) << again->status();
  EXPECT_EQ(channel->counters().foreign_replies, 0u);
}

TEST_F(ChannelConnectionTest, CallsWaitForAServerThatIsNotThereYet) {
  const auto channel = Dial();
  std::optional<Outcome> outcome, too_short;
  Echo(*channel, "early", &outcome, {.timeout = absl::Seconds(30)});
  Echo(*channel, "short", &too_short, {.timeout = absl::Milliseconds(500)});
  executor_.RunFor(absl::Seconds(10));
  EXPECT_FALSE(outcome.has_value());
  EXPECT_EQ(CodeOf(too_short), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(NeverSent(too_short->status()));
  Listen();
  executor_.RunFor(absl::Seconds(6));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->ok()) << outcome->status();
  EXPECT_EQ(echo_.calls, 1);
}

TEST_F(ChannelConnectionTest, WithoutWaitForReadyCallsFailAtOnce) {
  const auto channel = Dial({.wait_for_ready = false});
  std::optional<Outcome> outcome;
  Echo(*channel, "x", &outcome);
  executor_.RunUntilIdle();
  EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(NeverSent(outcome->status()));
}

TEST_F(ChannelConnectionTest, WithoutReconnectAFailedConnectEndsTheChannel) {
  const auto channel = Dial({.reconnect = false});
  std::optional<Outcome> waited, later;
  Echo(*channel, "x", &waited);
  Run(absl::Seconds(6));
  EXPECT_EQ(CodeOf(waited), absl::StatusCode::kUnavailable);
  Echo(*channel, "y", &later);
  Run();
  EXPECT_EQ(CodeOf(later), absl::StatusCode::kUnavailable);
}

TEST_F(ChannelConnectionTest, TheQueueOfWaitingCallsIsBounded) {
  const auto channel = Dial({.max_unsent_bytes = 10'000});
  std::vector<std::optional<Outcome>> outcomes(20);
  for (auto& outcome : outcomes) {
    Echo(*channel, std::string(1000, 'x'), &outcome, {.timeout = absl::Seconds(1)});
  }
  executor_.RunUntilIdle();
  int refused = 0;
  for (const auto& outcome : outcomes) {
    refused += CodeOf(outcome) == absl::StatusCode::kResourceExhausted;
  }
  EXPECT_GT(refused, 5);
  EXPECT_LT(refused, 15);
  // Calls that ended no longer count.
  executor_.RunFor(absl::Seconds(2));
  std::optional<Outcome> fits;
  Echo(*channel, std::string(1000, 'x'), &fits, {.timeout = absl::Seconds(20)});
  Listen();
  executor_.RunFor(absl::Seconds(10));
  ASSERT_TRUE(fits.has_value());
  EXPECT_TRUE(fits->ok()) << fits->status();
}

TEST_F(ChannelConnectionTest, CloseCompletesEverythingWithItsReason) {
  Listen();
  const auto channel = Dial();
  Run();
  std::optional<Outcome> held, after;
  Echo(*channel, "hold", &held);
  Run();
  channel->Close(absl::AbortedError("enough"));
  Run();
  EXPECT_EQ(CodeOf(held), absl::StatusCode::kAborted);
  Echo(*channel, "x", &after);
  Run();
  EXPECT_EQ(CodeOf(after), absl::StatusCode::kAborted);
  EXPECT_FALSE(channel->connected());
  EXPECT_EQ(server_->connections(), 0);
  echo_.ReleaseAll();
}

TEST_F(ChannelConnectionTest, OnStateComesAtEveryChangeAndItsCallsGoFirst) {
  std::vector<std::string> payloads;
  std::vector<bool> states;
  Channel* raw = nullptr;
  const auto channel = Dial({.on_state = [&](bool connected) {
    states.push_back(connected);
    if (!connected) return;
    EchoRequest request;
    request.set_payload("register");
    Call<EchoResponse>(
        *raw, Method<echo::EchoService>("Echo"), request, {},
        [&](Outcome o) { payloads.push_back(o.ok() ? o->message.payload() : "?"); });
  }});
  raw = channel.get();
  EchoRequest request;
  request.set_payload("waiting");
  Call<EchoResponse>(
      *channel, Method<echo::EchoService>("Echo"), request, {},
      [&](Outcome o) { payloads.push_back(o.ok() ? o->message.payload() : "?"); });
  Listen();
  Run();
  EXPECT_EQ(payloads, (std::vector<std::string>{"register", "waiting"}));
  network_.Reset("c", "s");
  Run(absl::Seconds(1));
  EXPECT_EQ(states, (std::vector<bool>{true, false, true}));
  EXPECT_EQ(payloads.back(), "register");
}

TEST_F(ChannelConnectionTest, ShutdownLetsCallsFinishAndThenTheChannelComesBack) {
  Listen();
  std::vector<bool> states;
  const auto channel =
      Dial({.on_state = [&](bool connected) { states.push_back(connected); }});
  std::optional<Outcome> held, moved;
  Echo(*channel, "hold", &held, {.timeout = absl::Seconds(30)});
  Run();
  executor_.Post([&] { server_->Shutdown(absl::Seconds(10)); });
  Run();
  EXPECT_FALSE(channel->connected());
  EXPECT_EQ(states, (std::vector<bool>{true, false})) << "told as it drains";
  Echo(*channel, "moved", &moved, {.timeout = absl::Seconds(30)});
  echo_.ReleaseAll();
  Run();
  ASSERT_TRUE(held.has_value());
  EXPECT_TRUE(held->ok()) << held->status();
  EXPECT_EQ(server_->connections(), 0);
  EXPECT_FALSE(moved.has_value());
  Listen();
  executor_.RunFor(absl::Seconds(6));
  ASSERT_TRUE(moved.has_value());
  EXPECT_TRUE(moved->ok()) << moved->status();
}

TEST_F(ChannelConnectionTest, GraceEnds) {
  Listen();
  const auto channel = Dial({.reconnect = false});
  std::optional<Outcome> held;
  Echo(*channel, "hold", &held, {.timeout = absl::Seconds(30)});
  Run();
  executor_.Post([&] { server_->Shutdown(absl::Seconds(2)); });
  executor_.RunFor(absl::Milliseconds(1900));
  EXPECT_FALSE(held.has_value());
  executor_.RunFor(absl::Milliseconds(200));
  EXPECT_EQ(CodeOf(held), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(echo_.held[0].controller->stop_token().stop_requested());
  echo_.ReleaseAll();
}

TEST_F(ChannelConnectionTest, AnotherFleetIsRefused) {
  Listen({.fleet = "blue"});
  const auto channel = Dial({.reconnect = false, .fleet = "green"});
  std::optional<Outcome> outcome;
  Echo(*channel, "x", &outcome);
  Run();
  EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kUnavailable);
  EXPECT_NE(Message(outcome->status()).find("blue"), std::string_view::npos)
      << outcome->status();
  EXPECT_EQ(echo_.calls, 0) << "served to another fleet";
  const auto same = Dial({.fleet = "blue"});
  std::optional<Outcome> good;
  Echo(*same, "x", &good);
  Run();
  EXPECT_TRUE(good.has_value() && good->ok());
}

TEST_F(ChannelConnectionTest, AClientThatSpeaksTlsIsNamedAndDoesNotFillTheLog) {
  Listen();
  const LogLines told("tls_unexpected"), bad("bad_frame");
  for (const char* const hello : {"\x16", "\x16\x03\x01\x02"}) {
    std::unique_ptr<RawPeer> client;
    network_.host("c").Connect(address_, absl::Seconds(1), [&](auto stream) {
      client = std::make_unique<RawPeer>(*std::move(stream));
    });
    Run();
    client->Write(hello);
    Run();
    EXPECT_TRUE(client->eof || client->closed.has_value());
  }
  EXPECT_EQ(told.count(), 1);
  EXPECT_EQ(bad.count(), 0);
}

TEST_F(ChannelConnectionTest, ARefusedChannelBacksOff) {
  Listen({.fleet = "blue"});
  int connections = 0;
  const auto channel =
      Dial({.on_state = [&](bool connected) { connections += connected; },
            .fleet = "green"});
  Run(absl::Minutes(1));
  EXPECT_GT(connections, 5);
  EXPECT_LT(connections, 40);
}

}  // namespace
}  // namespace skep
