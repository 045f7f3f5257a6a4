// Calls over a channel to our own server: how they are made, and how each ends.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/channel_test_bed.h"
#include "rpc/control.pb.h"

namespace skep {
namespace {

using ChannelTest = ChannelTestBed;

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

TEST_F(ChannelTest, RequestsInProgressAreBoundedInBytes) {
  Listen({.max_memory_bytes = 1100});  // the first alone leaves the last eighth free
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
