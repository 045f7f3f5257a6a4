// Deadlines travel and shrink, and cancels follow, through a server that calls another.

#include <optional>
#include <string>
#include <thread>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"

namespace skep {
namespace {

// Echoes what another server echoes.
class Middle final : public echo::EchoService {
 public:
  Middle(ManualExecutor& executor, std::shared_ptr<Channel> next)
      : executor_(executor), next_(std::move(next)) {}

  void Echo(google::protobuf::RpcController* c, const echo::EchoRequest* request,
            echo::EchoResponse* response, google::protobuf::Closure* done) override {
    Controller& controller = Controller::Of(c);
    // Some of its time goes by here.
    executor_.PostAfter(absl::Milliseconds(300), [=, this, &controller] {
      remaining = controller.remaining();
      StartOnward(next_, controller, Method<echo::EchoService>("Echo"), *request,
                  response, {.timeout = absl::Seconds(20)},
                  [=, this, &controller](const Controller& outcome) {
                    onward = outcome.status();
                    controller.SetStatus(outcome.status());
                    done->Run();
                  });
    });
  }

  absl::Duration remaining;
  std::optional<absl::Status> onward;

 private:
  ManualExecutor& executor_;
  const std::shared_ptr<Channel> next_;
};

// Its calls complete on another thread before Start returns.
class HastyChannel final : public Channel {
 public:
  CallId Start(const google::protobuf::MethodDescriptor&,
               const google::protobuf::Message&, google::protobuf::Message*,
               CallOptions, Done done) override {
    std::thread([&done] { done(Controller()); }).join();
    return CallId(1);
  }
  void Cancel(CallId) override {}
  void Close(absl::Status) override {}
  bool connected() const override { return true; }
  int pending() const override { return 0; }
  std::string peer() const override { return "hasty"; }
};

class OnwardTest : public ::testing::Test {
 protected:
  OnwardTest() {
    last_services_.Add(&last_);
    last_server_ = *Server::Listen(network_.host("last"), last_at_, last_services_);
    middle_services_.Add(&middle_);
    middle_server_ =
        *Server::Listen(network_.host("middle"), middle_at_, middle_services_);
    channel_ = Connect(network_.host("c"), middle_at_, {.seed = 2});
    Run(absl::Milliseconds(20));
  }
  ~OnwardTest() override {
    last_.ReleaseAll();
    Run(absl::Seconds(1));
  }

  void Run(absl::Duration d) { executor_.RunFor(d); }
  CallId Echo(std::string payload, absl::Duration timeout) {
    echo::EchoRequest request;
    request.set_payload(std::move(payload));
    return Call<echo::EchoResponse>(
        *channel_, Method<echo::EchoService>("Echo"), request, {.timeout = timeout},
        [this](const auto& outcome) { outcome_ = outcome.status(); });
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_{executor_, /*seed=*/4};
  const Address last_at_ = Address::Tcp("last", 7000);
  const Address middle_at_ = Address::Tcp("middle", 7000);
  EchoService last_;
  ServiceTable last_services_;
  std::unique_ptr<Server> last_server_;
  Middle middle_{executor_, Connect(network_.host("middle"), last_at_, {.seed = 1})};
  ServiceTable middle_services_;
  std::unique_ptr<Server> middle_server_;
  std::shared_ptr<Channel> channel_;
  std::optional<absl::Status> outcome_;
};

TEST_F(OnwardTest, TheDeadlineTravelsAndShrinks) {
  Echo("hold", absl::Seconds(2));
  Run(absl::Milliseconds(400));
  ASSERT_EQ(last_.held.size(), 1u);
  EXPECT_LE(middle_.remaining, absl::Milliseconds(1700));
  EXPECT_GT(middle_.remaining, absl::Milliseconds(1690));
  // At the last server, whose clock is the same here: what the first caller has left.
  const Controller& last = *last_.held[0].controller;
  EXPECT_LE(last.remaining(), absl::Milliseconds(1600) + absl::Milliseconds(20));
  EXPECT_GT(last.remaining(), absl::Milliseconds(1580));
  Run(absl::Milliseconds(1650));
  // All three gave up, by their own timers.
  ASSERT_TRUE(outcome_.has_value() && middle_.onward.has_value());
  EXPECT_EQ(outcome_->code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(last.stop_token().stop_requested());
  EXPECT_EQ(last.remaining(), absl::ZeroDuration());
}

TEST_F(OnwardTest, WithoutADeadlineTheCallsOwnHolds) {
  Echo("hold", absl::InfiniteDuration());
  Run(absl::Milliseconds(400));
  ASSERT_EQ(last_.held.size(), 1u);
  EXPECT_EQ(middle_.remaining, absl::InfiniteDuration());
  EXPECT_LE(last_.held[0].controller->remaining(), absl::Seconds(20));
}

TEST_F(OnwardTest, ACancelTravels) {
  const CallId id = Echo("hold", absl::Seconds(20));
  Run(absl::Milliseconds(400));
  ASSERT_EQ(last_.held.size(), 1u);
  EXPECT_FALSE(last_.held[0].controller->stop_token().stop_requested());
  channel_->Cancel(id);
  Run(absl::Milliseconds(20));
  EXPECT_TRUE(last_.held[0].controller->stop_token().stop_requested());
  ASSERT_TRUE(middle_.onward.has_value());
  EXPECT_EQ(middle_.onward->code(), absl::StatusCode::kCancelled);
}

TEST_F(OnwardTest, SoDoesACallersEnd) {
  Echo("hold", absl::Seconds(20));
  Run(absl::Milliseconds(400));
  ASSERT_EQ(last_.held.size(), 1u);
  network_.Reset("c", "middle");
  Run(absl::Milliseconds(20));
  EXPECT_TRUE(last_.held[0].controller->stop_token().stop_requested());
}

TEST_F(OnwardTest, WhatIsDoneIsNotCancelled) {
  Echo("quick", absl::Seconds(20));
  Run(absl::Milliseconds(400));
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_TRUE(outcome_->ok()) << *outcome_;
  network_.Reset("c", "middle");
  Run(absl::Milliseconds(20));
  EXPECT_TRUE(middle_.onward->ok());
}

// A completion answers the incoming call, whose controller then serves another.
TEST_F(OnwardTest, TheIncomingCallMayEndBeforeStartReturns) {
  Controller incoming;
  std::stop_source stop;
  incoming.set_stop_token(stop.get_token());
  echo::EchoRequest request;
  echo::EchoResponse response;
  StartOnward(std::make_shared<HastyChannel>(), incoming,
              Method<echo::EchoService>("Echo"), request, &response, {},
              [&incoming](const Controller&) { incoming.Reset(); });
  EXPECT_FALSE(incoming.stop_token_taken()) << "looked at after its end";
}

}  // namespace
}  // namespace skep
