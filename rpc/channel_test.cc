// The channel against our own server, over the simulated network.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/control.pb.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"

namespace skep {
namespace {

using echo::EchoRequest;
using echo::EchoResponse;
using Outcome = absl::StatusOr<Reply<EchoResponse>>;

class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest() : network_(executor_, /*seed=*/1) { services_.Add(&echo_); }

  void Listen(ServerOptions options = {}) {
    auto server =
        Server::Listen(network_.host("s"), address_, services_, std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::shared_ptr<Channel> Dial(ConnectOptions options = {}) {
    options.seed = 7;
    return Connect(network_.host("c"), address_, std::move(options));
  }
  // Runs the network for a while that is long to it and short to people.
  void Run(absl::Duration d = absl::Milliseconds(20)) { executor_.RunFor(d); }

  CallId Echo(Channel& channel, std::string payload, std::optional<Outcome>* out,
              CallOptions options = {}) {
    EchoRequest request;
    request.set_payload(std::move(payload));
    return Call<EchoResponse>(channel, Method<echo::EchoService>("Echo"), request,
                              std::move(options), [out](Outcome outcome) {
                                EXPECT_FALSE(out->has_value()) << "completed twice";
                                *out = std::move(outcome);
                              });
  }
  // The status, once there is one.
  static absl::StatusCode CodeOf(const std::optional<Outcome>& outcome) {
    return outcome.has_value() ? outcome->status().code() : absl::StatusCode::kUnknown;
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_;
  const Address address_ = Address::Tcp("s", 7000);
  EchoService echo_;
  ServiceTable services_;
  std::unique_ptr<Server> server_;
};

TEST_F(ChannelTest, Echoes) {
  Listen();
  const auto channel = Dial();
  std::optional<Outcome> outcome;
  Echo(*channel, "hello", &outcome, {.attachment = std::string(100'000, 'b')});
  EXPECT_FALSE(outcome.has_value());
  EXPECT_EQ(channel->pending(), 1);
  Run();
  ASSERT_TRUE(outcome.has_value());
  ASSERT_TRUE(outcome->ok()) << outcome->status();
  EXPECT_EQ((*outcome)->message.payload(), "hello");
  EXPECT_EQ((*outcome)->attachment, std::string(100'000, 'b'));
  EXPECT_EQ(channel->pending(), 0);
  EXPECT_TRUE(channel->connected());
  EXPECT_EQ(channel->peer(), "s:7000");
}

TEST_F(ChannelTest, CompletesNothingInsideStart) {
  Listen();
  const auto channel = Dial({.max_unsent_bytes = 100});
  Run();
  bool checked = false;
  executor_.Post([&] {
    // Each fails at once, for a reason of its own; none inside the call.
    std::vector<std::optional<Outcome>> outcomes(2);
    Call<EchoResponse>(*channel, Method<echo::EchoService>("Echo"), EchoRequest(), {},
                       [&](Outcome outcome) {
                         EXPECT_EQ(outcome.status().code(),
                                   absl::StatusCode::kInvalidArgument);
                         EXPECT_TRUE(NeverSent(outcome.status()));
                         EXPECT_TRUE(checked);
                       });
    checked = true;
  });
  Run();
  EXPECT_TRUE(checked);
}

TEST_F(ChannelTest, PassesStatusAndRetryAfterOn) {
  Listen();
  const auto channel = Dial();
  EchoRequest request;
  request.set_payload("fail");
  EchoResponse response;
  bool done = false;
  channel->Start(Method<echo::EchoService>("Echo"), request, &response, {},
                 [&](const Controller& c) {
                   done = true;
                   EXPECT_EQ(c.status(), absl::NotFoundError("no such thing"));
                   EXPECT_EQ(c.retry_after(), absl::Milliseconds(250));
                 });
  Run();
  EXPECT_TRUE(done);
}

TEST_F(ChannelTest, DeadlineEndsTheCallAndTheReplyIsLate) {
  Listen();
  const auto channel = Dial();
  std::optional<Outcome> outcome;
  Echo(*channel, "hold", &outcome, {.timeout = absl::Seconds(1)});
  Run();
  ASSERT_EQ(echo_.held.size(), 1u);
  EXPECT_FALSE(echo_.held[0].controller->stop_token().stop_requested());
  const absl::Duration left = echo_.held[0].controller->deadline() - clock_.Now();
  EXPECT_GT(left, absl::Milliseconds(900));
  EXPECT_LE(left, absl::Seconds(1));

  executor_.RunFor(absl::Seconds(1));
  EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(NeverSent(outcome->status()));
  EXPECT_TRUE(echo_.held[0].controller->stop_token().stop_requested());
  EXPECT_EQ(channel->pending(), 0);
  echo_.ReleaseAll();
  Run();
  EXPECT_EQ(channel->counters().late_replies, 1u);
  EXPECT_EQ(channel->counters().deadlines, 1u);
}

TEST_F(ChannelTest, DeadlinesEndInTheirOwnOrder) {
  Listen();
  const auto channel = Dial();
  std::vector<int> order;
  const std::vector<int> seconds = {5, 1, 4, 2, 3};
  for (int s : seconds) {
    EchoRequest request;
    request.set_payload("hold");
    Call<EchoResponse>(*channel, Method<echo::EchoService>("Echo"), request,
                       {.timeout = absl::Seconds(s)},
                       [&order, s](Outcome) { order.push_back(s); });
  }
  executor_.RunFor(absl::Milliseconds(3500));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  executor_.RunFor(absl::Seconds(2));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4, 5}));
  echo_.ReleaseAll();
}

TEST_F(ChannelTest, CancelReachesTheHandler) {
  Listen();
  const auto channel = Dial();
  std::optional<Outcome> outcome;
  const CallId call = Echo(*channel, "hold", &outcome);
  Run();
  ASSERT_EQ(echo_.held.size(), 1u);
  channel->Cancel(call);
  EXPECT_FALSE(outcome.has_value());
  Run();
  EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kCancelled);
  EXPECT_TRUE(echo_.held[0].controller->stop_token().stop_requested());
  channel->Cancel(call);  // once more means nothing
  echo_.ReleaseAll();
  Run();
  EXPECT_EQ(channel->counters().late_replies, 1u);
  EXPECT_EQ(channel->counters().cancelled, 1u);
}

TEST_F(ChannelTest, NotifyOnCancelRunsOnceEitherWay) {
  Listen();
  const auto channel = Dial();
  std::optional<Outcome> cancelled, answered;
  const CallId call = Echo(*channel, "hold 1", &cancelled);
  Echo(*channel, "hold 2", &answered);
  Run();
  ASSERT_EQ(echo_.held.size(), 2u);
  int first = 0, second = 0;
  const auto count = [](int* n) { ++*n; };
  echo_.held[0].controller->NotifyOnCancel(
      google::protobuf::NewCallback(+count, &first));
  echo_.held[1].controller->NotifyOnCancel(
      google::protobuf::NewCallback(+count, &second));
  channel->Cancel(call);
  Run();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
  echo_.ReleaseAll();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);
  Run();
  EXPECT_TRUE(answered.has_value() && answered->ok());
}

TEST_F(ChannelTest, DisconnectEndsEveryCallNamingThePeer) {
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

TEST_F(ChannelTest, CallsWaitForAServerThatIsNotThereYet) {
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

TEST_F(ChannelTest, TheBudgetThatArrivesIsWhatIsLeft) {
  const auto channel = Dial();
  std::optional<Outcome> outcome;
  Echo(*channel, "hold", &outcome, {.timeout = absl::Seconds(30)});
  executor_.RunFor(absl::Seconds(10));
  Listen();
  executor_.RunFor(absl::Seconds(6));
  ASSERT_EQ(echo_.held.size(), 1u);
  const absl::Duration left = echo_.held[0].controller->deadline() - clock_.Now();
  EXPECT_LE(left, absl::Seconds(20));
  EXPECT_GT(left, absl::Seconds(10));
  echo_.ReleaseAll();
  Run();
}

TEST_F(ChannelTest, WithoutWaitForReadyCallsFailAtOnce) {
  const auto channel = Dial({.wait_for_ready = false});
  std::optional<Outcome> outcome;
  Echo(*channel, "x", &outcome);
  executor_.RunUntilIdle();
  EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(NeverSent(outcome->status()));
}

TEST_F(ChannelTest, WithoutReconnectAFailedConnectEndsTheChannel) {
  const auto channel = Dial({.reconnect = false});
  std::optional<Outcome> waited, later;
  Echo(*channel, "x", &waited);
  Run(absl::Seconds(6));
  EXPECT_EQ(CodeOf(waited), absl::StatusCode::kUnavailable);
  Echo(*channel, "y", &later);
  Run();
  EXPECT_EQ(CodeOf(later), absl::StatusCode::kUnavailable);
}

TEST_F(ChannelTest, TheQueueOfWaitingCallsIsBounded) {
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

TEST_F(ChannelTest, CloseCompletesEverythingWithItsReason) {
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

TEST_F(ChannelTest, OnStateComesAtEveryChangeAndItsCallsGoFirst) {
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

TEST_F(ChannelTest, BothEndsCall) {
  Listen();
  EchoService own;
  ServiceTable own_services;
  own_services.Add(&own);
  const auto channel = Dial({.services = &own_services});
  std::optional<Outcome> outcome, back;
  Echo(*channel, "hold", &outcome);
  Run();
  ASSERT_EQ(echo_.held.size(), 1u);
  Echo(*echo_.held[0].controller->peer(), "back", &back);
  Run();
  ASSERT_TRUE(back.has_value());
  ASSERT_TRUE(back->ok()) << back->status();
  EXPECT_EQ((*back)->message.payload(), "back");
  EXPECT_EQ(own.calls, 1);
  echo_.ReleaseAll();
  Run();
  EXPECT_TRUE(outcome.has_value() && outcome->ok());
}

TEST_F(ChannelTest, AMethodWithoutReplyCompletesWhenItIsQueued) {
  Listen();
  const auto channel = Dial();
  Run();
  rpc2::Empty none;
  absl::Status status = absl::UnknownError("");
  channel->Start(Method<Control>("Ping"), ControlPing(), &none, {},
                 [&](const Controller& c) { status = c.status(); });
  Run();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(channel->pending(), 0);
  EXPECT_EQ(channel->counters().late_replies, 0u);
}

TEST_F(ChannelTest, GeneratedStubsWork) {
  Listen();
  const auto channel = Dial();
  echo::EchoService::Stub stub(channel.get());
  Controller controller;
  controller.mutable_request_attachment() = "bulk";
  EchoRequest request;
  request.set_payload("stub");
  EchoResponse response;
  bool done = false;
  const auto finish = [](bool* d) { *d = true; };
  stub.Echo(&controller, &request, &response,
            google::protobuf::NewCallback(+finish, &done));
  Run();
  EXPECT_TRUE(done);
  EXPECT_TRUE(controller.status().ok()) << controller.status();
  EXPECT_EQ(response.payload(), "stub");
  EXPECT_EQ(controller.response_attachment(), "bulk");
}

TEST_F(ChannelTest, ShutdownLetsCallsFinishAndThenTheChannelComesBack) {
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

TEST_F(ChannelTest, GraceEnds) {
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

TEST_F(ChannelTest, AnotherFleetIsRefused) {
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

TEST_F(ChannelTest, ARefusedChannelBacksOff) {
  Listen({.fleet = "blue"});
  int connections = 0;
  const auto channel =
      Dial({.on_state = [&](bool connected) { connections += connected; },
            .fleet = "green"});
  Run(absl::Minutes(1));
  EXPECT_GT(connections, 5);
  EXPECT_LT(connections, 40);
}

TEST_F(ChannelTest, RequestsInProgressAreBoundedInBytes) {
  Listen({.max_memory_bytes = 1000});
  const auto channel = Dial();
  std::optional<Outcome> first, second, third;
  Echo(*channel, "hold" + std::string(900, 'x'), &first);
  Run();
  Echo(*channel, std::string(900, 'x'), &second);
  Run();
  EXPECT_EQ(CodeOf(second), absl::StatusCode::kResourceExhausted);
  echo_.ReleaseAll();
  Echo(*channel, "x", &third, {.attachment = std::string(2000, 'x')});
  Run();
  EXPECT_TRUE(first.has_value() && first->ok());
  EXPECT_TRUE(third.has_value() && third->ok()) << "one alone is always taken";
}

}  // namespace
}  // namespace skep
