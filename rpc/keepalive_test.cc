// A peer that is frozen does not hold calls for ever; one that is busy is left alone.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"

namespace skep {
namespace {

class KeepaliveTest : public ::testing::Test {
 protected:
  KeepaliveTest() { services_.Add(&echo_); }
  ~KeepaliveTest() override {
    echo_.ReleaseAll();
    Run(absl::Seconds(1));
  }

  void Start(ServerOptions options = {}) {
    server_ = *Server::Listen(network_.host("s"), at_, services_, std::move(options));
    channel_ =
        Connect(network_.host("c"), at_, {.keepalive = absl::Seconds(10), .seed = 2});
    Run(absl::Milliseconds(20));
  }
  void Run(absl::Duration d) { executor_.RunFor(d); }
  void Hold(std::string payload = "hold") {
    const size_t index = outcomes_.size();
    outcomes_.emplace_back();
    CallFor([this, index](const absl::Status& status) { outcomes_[index] = status; },
            *channel_, std::move(payload));
  }
  // The server calls whoever called it first.
  void CallBack(std::optional<absl::Status>* outcome) {
    CallFor([outcome](const absl::Status& status) { *outcome = status; },
            *echo_.held.front().controller->peer(), "hold");
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_{executor_, /*seed=*/4};
  const Address at_ = Address::Tcp("s", 7000);
  EchoService echo_;
  ServiceTable services_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<Channel> channel_;
  std::vector<std::optional<absl::Status>> outcomes_;

 private:
  // A call without a deadline.
  template <typename Done>
  static void CallFor(Done done, Channel& channel, std::string payload) {
    echo::EchoRequest request;
    request.set_payload(std::move(payload));
    Call<echo::EchoResponse>(channel, Method<echo::EchoService>("Echo"), request,
                             {.timeout = absl::InfiniteDuration()},
                             [done](const auto& outcome) { done(outcome.status()); });
  }
};

TEST_F(KeepaliveTest, CallsOnAFrozenPeerFail) {
  Start();
  Hold();
  Run(absl::Seconds(1));
  network_.Partition("c", "s");
  Run(absl::Seconds(15));
  EXPECT_FALSE(outcomes_[0].has_value());
  Run(absl::Seconds(10));
  ASSERT_TRUE(outcomes_[0].has_value());
  EXPECT_EQ(outcomes_[0]->code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(outcomes_[0]->message().find("said nothing"), std::string::npos);
  EXPECT_FALSE(channel_->connected());
  // And the channel is good again when the peer is.
  network_.Heal("c", "s");
  Run(absl::Seconds(30));
  EXPECT_TRUE(channel_->connected());
}

TEST_F(KeepaliveTest, ASlowHandlerIsNoFrozenPeer) {
  Start();
  Hold();
  Run(absl::Hours(1));
  EXPECT_FALSE(outcomes_[0].has_value());
  echo_.Release();
  Run(absl::Seconds(1));
  ASSERT_TRUE(outcomes_[0].has_value());
  EXPECT_TRUE(outcomes_[0]->ok()) << *outcomes_[0];
}

TEST_F(KeepaliveTest, NorIsOneThatDoesNotReadForALongTime) {
  Start({.max_calls_per_connection = 2});
  for (int i = 0; i < 5; ++i) Hold();
  Run(absl::Hours(1));
  ASSERT_EQ(echo_.held.size(), 2u);
  for (const auto& outcome : outcomes_) EXPECT_FALSE(outcome.has_value());
  for (int i = 0; i < 5; ++i) {
    echo_.Release();
    Run(absl::Seconds(1));
  }
  for (const auto& outcome : outcomes_) {
    ASSERT_TRUE(outcome.has_value());
    EXPECT_TRUE(outcome->ok()) << *outcome;
  }
}

// What it says is not heard then.
TEST_F(KeepaliveTest, NorIsOneThatWeDoNotReadForALongTime) {
  EchoService caller;
  ServiceTable served_by_caller;
  served_by_caller.Add(&caller);
  server_ = *Server::Listen(network_.host("s"), at_, services_,
                            {.max_calls_per_connection = 1});
  channel_ =
      Connect(network_.host("c"), at_, {.services = &served_by_caller, .seed = 2});
  Run(absl::Milliseconds(20));
  Hold();
  Run(absl::Seconds(1));
  ASSERT_EQ(echo_.held.size(), 1u);
  // The server calls back, and reads nothing more: it has as many calls as it may.
  std::optional<absl::Status> back;
  CallBack(&back);
  Run(absl::Hours(1));
  EXPECT_FALSE(back.has_value()) << *back;
  EXPECT_FALSE(outcomes_[0].has_value()) << *outcomes_[0];
  echo_.Release();
  Run(absl::Seconds(1));
  caller.ReleaseAll();
  Run(absl::Seconds(1));
  ASSERT_TRUE(back.has_value());
  EXPECT_TRUE(back->ok()) << *back;
  ASSERT_TRUE(outcomes_[0].has_value());
  EXPECT_TRUE(outcomes_[0]->ok()) << *outcomes_[0];
  channel_ = nullptr;
  Run(absl::Seconds(5));
}

// But one that we do not read since it takes nothing.
TEST_F(KeepaliveTest, AFrozenPeerThatIsNotReadIsFound) {
  EchoService caller;
  ServiceTable served_by_caller;
  served_by_caller.Add(&caller);
  server_ = *Server::Listen(network_.host("s"), at_, services_,
                            {.high_water_bytes = 1 << 20});
  channel_ =
      Connect(network_.host("c"), at_, {.services = &served_by_caller, .seed = 2});
  Run(absl::Milliseconds(20));
  Hold("hold" + std::string(3 << 20, 'x'));
  Hold();
  Run(absl::Seconds(1));
  ASSERT_EQ(echo_.held.size(), 2u);
  std::optional<absl::Status> back;
  CallBack(&back);
  Run(absl::Seconds(1));
  ASSERT_EQ(caller.held.size(), 1u);
  network_.Partition("c", "s");
  echo_.Release();
  Run(absl::Minutes(5));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->code(), absl::StatusCode::kUnavailable) << *back;
  caller.ReleaseAll();
  channel_ = nullptr;
  Run(absl::Seconds(5));
}

TEST_F(KeepaliveTest, NobodyIsAskedWhileNothingIsOutstanding) {
  Start();
  Run(absl::Seconds(1));
  network_.Partition("c", "s");
  Run(absl::Hours(1));
  EXPECT_TRUE(channel_->connected());
  network_.Heal("c", "s");
  Hold();
  Run(absl::Seconds(1));
  EXPECT_EQ(echo_.held.size(), 1u);
}

// Peers of another make do not know the question.
TEST_F(KeepaliveTest, OthersAreNotAsked) {
  std::unique_ptr<RawPeer> peer;
  auto listener = network_.host("s").Listen(at_, [&](std::unique_ptr<Stream> stream) {
    peer = std::make_unique<RawPeer>(std::move(stream));
  });
  ASSERT_TRUE(listener.ok()) << listener.status();
  channel_ =
      Connect(network_.host("c"), at_, {.keepalive = absl::Seconds(10), .seed = 2});
  Hold();
  Run(absl::Seconds(10));
  ASSERT_NE(peer, nullptr);
  const size_t received = peer->received.size();
  Run(absl::Hours(1));
  EXPECT_EQ(peer->received.size(), received);
  EXPECT_FALSE(outcomes_[0].has_value());
  channel_ = nullptr;
  Run(absl::Seconds(5));
}

}  // namespace
}  // namespace skep
