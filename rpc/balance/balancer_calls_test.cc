// How calls through the balancer end by deadlines and cancels, and what hello does.

#include <memory>
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "rpc/balance/balancer_testing.h"
#include "rpc/control.pb.h"

namespace skep {
namespace {

TEST_F(BalancerTest, ACallWhoseBudgetIsOverIsAnsweredAndCancelled) {
  SimBackend& backend = AddBackend();
  Listen();
  const auto client = DialRaw();
  client->Write(EchoRequestFrame(9, "hold", absl::Milliseconds(100)));
  Run();
  ASSERT_EQ(backend.echo.held.size(), 1u);
  EXPECT_FALSE(client->Next().has_value());
  Run(absl::Milliseconds(100));
  const std::optional<Envelope> reply = client->Next();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->id, 9u);
  EXPECT_EQ(reply->error, WireError::kTimeout);
  EXPECT_EQ(reply->status, static_cast<uint32_t>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_TRUE(backend.echo.held[0].controller->stop_token().stop_requested());
  EXPECT_EQ(balancer_->backends()[0].failed, 1u);
  // The backend still owes the answer: it does not look idle.
  EXPECT_EQ(Pending(), 1);
  backend.echo.ReleaseAll();
  Run();
  EXPECT_EQ(Pending(), 0);
  EXPECT_FALSE(client->Next().has_value()) << "what comes late goes nowhere";
}

TEST_F(BalancerTest, CallsThatTimeOutOrAreCancelledAreSlowCallsToo) {
  SimBackend& backend = AddBackend();
  Listen({.slow = {.at_least = absl::Milliseconds(50)}});
  const auto client = DialRaw();
  client->Write(EchoRequestFrame(1, "hold", absl::Milliseconds(100)));
  Run(absl::Milliseconds(200));
  const auto channel = Dial();
  std::optional<Outcome> outcome;
  const CallId id = Echo(*channel, "hold", &outcome);
  Run(absl::Milliseconds(70));
  channel->Cancel(id);
  Run();
  const StatsReport stats = balancer_->Stats();
  ASSERT_EQ(stats.slow.size(), 2u);
  EXPECT_EQ(stats.slow[0].code, absl::StatusCode::kCancelled);
  EXPECT_EQ(stats.slow[1].code, absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(stats.slow[1].method, "echo.EchoService.Echo");
  EXPECT_EQ(stats.slow[1].backend, backend.address.ToString());
  EXPECT_GE(stats.slow[1].handler, absl::Milliseconds(100));
  // The backend has both still, as Pick sees it.
  EXPECT_EQ(RowOf(backend.address.ToString()).pending, 2);
  EXPECT_EQ(Pending(), 2);
}

TEST_F(BalancerTest, WhatTheBalancerRefusesIsCounted) {
  SimBackend& backend = AddBackend();
  Listen({.max_calls_per_backend = 1});
  const auto client = DialRaw();
  client->Write(EchoRequestFrame(1, "hold"));
  Run();
  client->Write(EchoRequestFrame(2, "x"));
  Run();
  backend.server = nullptr;
  Run(absl::Seconds(1));
  client->Write(EchoRequestFrame(3, "x"));
  Run();
  const StatsReport::Row own = RowOf("balancer");
  EXPECT_EQ(own.ended[static_cast<size_t>(absl::StatusCode::kResourceExhausted)], 1u);
  EXPECT_EQ(own.ended[static_cast<size_t>(absl::StatusCode::kUnavailable)], 1u);
  EXPECT_EQ(own.calls, 2u);
  EXPECT_EQ(own.pending, 0);
}

TEST_F(BalancerTest, CallsAreCountedByMethod) {
  AddBackend();
  Listen();
  const auto client = DialRaw();
  for (int i = 1; i <= 5; ++i) client->Write(EchoRequestFrame(i, "x"));
  // What no backend serves does not fill the table, nor what is no name.
  Envelope e;
  e.type = MessageType::kRequest;
  e.service = "echo.EchoService";
  e.Set(Envelope::kService);
  e.Set(Envelope::kMethod);
  const std::string long_name(300, 'x');
  for (const std::string& method :
       {std::string("No"), std::string("\n<a>"), long_name}) {
    e.id = 100;
    e.method = method;
    client->Write(EncodeWhole(e));
  }
  client->Write(EchoRequestFrame(6, "x"));
  Run();
  const std::vector<StatsReport::Row> methods = balancer_->Stats().methods;
  ASSERT_EQ(methods.size(), 2u);
  EXPECT_EQ(methods[0].name, "echo.EchoService.Echo");
  EXPECT_EQ(methods[0].ended[0], 6u);
  EXPECT_EQ(methods[0].latency.count(), 6u);
  EXPECT_EQ(methods[1].name, "other");
  EXPECT_EQ(methods[1].failed(), 3u);
}

TEST_F(BalancerTest, ACallWithoutABudgetEndsByTheDefault) {
  ForeignBackend& frozen = AddForeign();
  Listen({.default_timeout = absl::Seconds(3)});
  const auto client = DialRaw();
  client->Write(EchoRequestFrame(1, "x"));
  Run(absl::Seconds(2));
  EXPECT_FALSE(client->Next().has_value());
  Run(absl::Seconds(2));
  const std::optional<Envelope> reply = client->Next();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->error, WireError::kTimeout);
  EXPECT_FALSE(reply->HasExtension()) << "it never used skep's fields";
  EXPECT_EQ(Pending(), 1);
  Run(absl::Seconds(31));
  EXPECT_EQ(Pending(), 0) << "not for ever";
  EXPECT_EQ(frozen.peers.size(), 1u);
}

TEST_F(BalancerTest, TheBudgetShrinksByTheTimeSpentWaiting) {
  SimBackend& backend = AddBackend();
  // The first attempt to connect takes half a second, and calls wait for it.
  network_.Stall("b", backend.address.host(), absl::Milliseconds(500));
  Listen();
  const auto client = DialRaw();
  const absl::Time sent = clock_.Now();
  client->Write(EchoRequestFrame(1, "hold", absl::Seconds(2)));
  client->Write(EchoRequestFrame(2, "hold", absl::Milliseconds(300)));
  Run(absl::Seconds(1));
  ASSERT_EQ(backend.echo.held.size(), 1u);
  const absl::Duration left = backend.echo.held[0].controller->deadline() - sent;
  EXPECT_LT(left, absl::Milliseconds(2010));
  EXPECT_GT(left, absl::Milliseconds(1900));
  const std::optional<Envelope> reply = client->Next();
  ASSERT_TRUE(reply.has_value()) << "the second was over before a backend was there";
  EXPECT_EQ(reply->id, 2u);
  EXPECT_EQ(reply->error, WireError::kTimeout);
}

TEST_F(BalancerTest, ACancelReachesTheHandler) {
  SimBackend& backend = AddBackend();
  Listen();
  const auto channel = Dial();
  std::optional<Outcome> first, second;
  const CallId id = Echo(*channel, "hold 1", &first);
  Echo(*channel, "hold 2", &second);
  Run();
  ASSERT_EQ(backend.echo.held.size(), 2u);
  channel->Cancel(id);
  Run();
  EXPECT_EQ(CodeOf(first), absl::StatusCode::kCancelled);
  EXPECT_TRUE(backend.echo.held[0].controller->stop_token().stop_requested());
  EXPECT_FALSE(backend.echo.held[1].controller->stop_token().stop_requested());
  backend.echo.ReleaseAll();
  Run();
  EXPECT_EQ(CodeOf(second), absl::StatusCode::kOk);
  EXPECT_EQ(Pending(), 0);
}

TEST_F(BalancerTest, AClientThatGoesCancelsItsCalls) {
  SimBackend& backend = AddBackend();
  Listen();
  std::optional<Outcome> gone;
  auto channel = Dial();
  Echo(*channel, "hold", &gone);
  auto raw = DialRaw();
  raw->Write(EchoRequestFrame(1, "hold"));
  Run();
  ASSERT_EQ(backend.echo.held.size(), 2u);
  channel = nullptr;
  raw->stream().Abort(Cancelled("away"));
  Run();
  EXPECT_TRUE(backend.echo.held[0].controller->stop_token().stop_requested());
  EXPECT_TRUE(backend.echo.held[1].controller->stop_token().stop_requested());
  EXPECT_EQ(balancer_->connections(), 0);
}

TEST_F(BalancerTest, CancelsTravelThroughTwoBalancers) {
  SimBackend& backend = AddBackend();
  Listen();
  const Address outer_at = Address::Tcp("o", 80);
  auto outer = Balancer::Listen(network_.host("o"), outer_at, {at_});
  ASSERT_TRUE(outer.ok()) << outer.status();
  Run();
  const auto channel = Connect(network_.host("c"), outer_at, {.seed = 7});
  std::optional<Outcome> outcome;
  const CallId id = Echo(*channel, "hold", &outcome);
  Run();
  ASSERT_EQ(backend.echo.held.size(), 1u);
  channel->Cancel(id);
  Run();
  EXPECT_TRUE(backend.echo.held[0].controller->stop_token().stop_requested());
  *outer = nullptr;
}

// A backend that does not know hello is told of nothing else of skep's.
// A peer may say hello as often as it likes, and something else each time.
TEST_F(BalancerTest, ACancelEndsNoCallOfAnother) {
  SimBackend& backend = AddBackend();
  Listen();
  const auto raw = DialRaw();
  const auto say = [&](uint64_t id, const char* method,
                       const google::protobuf::MessageLite& body) {
    Envelope e;
    e.type = MessageType::kRequest;
    e.id = id;
    e.service = "skep.Control";
    e.Set(Envelope::kService);
    e.method = method;
    e.Set(Envelope::kMethod);
    raw->Write(EncodeWhole(e, &body));
    Run();
  };
  ControlHello scoped;
  scoped.set_id(1);
  ControlHello rewritten;
  rewritten.set_id(77);
  say(1, "Hello", scoped);
  raw->Write(EchoRequestFrame(9, "hold", absl::Seconds(10)));
  Run();
  say(2, "Hello", rewritten);
  backend.echo.ReleaseAll();
  Run();
  // Its place is the next call's.
  const std::shared_ptr<Channel> channel = Dial();
  std::optional<Outcome> other;
  Echo(*channel, "hold", &other);
  Run();
  ASSERT_EQ(backend.echo.held.size(), 1u);
  say(1, "Hello", scoped);
  ControlCancel cancel;
  cancel.set_id(9);
  say(0, "Cancel", cancel);
  EXPECT_FALSE(backend.echo.held[0].controller->stop_token().stop_requested());
  backend.echo.ReleaseAll();
  Run();
  EXPECT_EQ(CodeOf(other), absl::StatusCode::kOk);
}

TEST_F(BalancerTest, ForeignBackendsGetHelloAndCallsOnly) {
  ForeignBackend& foreign = AddForeign();
  Listen({.check_interval = absl::ZeroDuration()});
  RawPeer& backend = *foreign.peers.at(0);
  std::optional<Envelope> hello = backend.Next();
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(hello->method, "Hello");
  backend.Write(ErrorFrame(hello->id, WireError::kNoService));
  const auto channel = Dial();
  std::optional<Outcome> cancelled, answered;
  const CallId id = Echo(*channel, "one", &cancelled);
  Run();
  const std::optional<Envelope> one = backend.Next();
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->method, "Echo");
  const uint64_t late = one->id;
  channel->Cancel(id);
  Echo(*channel, "two", &answered);
  Run();
  const std::optional<Envelope> two = backend.Next();
  ASSERT_TRUE(two.has_value());
  EXPECT_EQ(two->method, "Echo") << "and no Cancel before it";
  EXPECT_NE(two->id, late);
  backend.Write(EchoReplyFrame(late, "one") + EchoReplyFrame(two->id, "two"));
  Run();
  EXPECT_EQ(CodeOf(cancelled), absl::StatusCode::kCancelled);
  ASSERT_EQ(CodeOf(answered), absl::StatusCode::kOk);
  EXPECT_EQ((*answered)->message.payload(), "two");
  EXPECT_EQ(Pending(), 0);
}

TEST_F(BalancerTest, AnotherFleetIsRefused) {
  AddBackend();
  Listen({.fleet = "ours"});
  const auto theirs = Connect(network_.host("c"), at_, {.fleet = "theirs", .seed = 7});
  const auto ours = Connect(network_.host("c"), at_, {.fleet = "ours", .seed = 8});
  std::optional<Outcome> refused, served;
  Echo(*theirs, "x", &refused);
  Echo(*ours, "x", &served);
  Run(absl::Seconds(11));
  EXPECT_NE(CodeOf(refused), absl::StatusCode::kOk);
  EXPECT_EQ(CodeOf(served), absl::StatusCode::kOk);
}

}  // namespace
}  // namespace skep
