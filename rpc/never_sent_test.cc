// NeverSent: each call knows where in its connection's bytes it begins, and so whether
// a byte of it left the process.

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"

namespace skep {
namespace {

constexpr size_t kWindow = 1000;

class NeverSentTest : public ::testing::Test {
 protected:
  NeverSentTest() : network_(executor_, /*seed=*/5, {.window_bytes = kWindow}) {
    auto listener =
        network_.host("s").Listen(address_, [this](std::unique_ptr<Stream> stream) {
          peer_ = std::make_unique<RawPeer>(std::move(stream));
        });
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  std::shared_ptr<Channel> Dial(bool wait_for_ready) {
    auto channel =
        Connect(network_.host("c"), address_,
                {.wait_for_ready = wait_for_ready, .hello = false, .seed = 3});
    executor_.RunFor(absl::Milliseconds(20));
    EXPECT_TRUE(channel->connected());
    return channel;
  }

  // A call whose outcome goes to outcomes_[its number].
  void Start(Channel& channel, std::string attachment = "") {
    const size_t index = outcomes_.size();
    outcomes_.emplace_back();
    echo::EchoRequest request;
    request.set_payload(std::string(200, 'x'));
    Call<echo::EchoResponse>(
        channel, Method<echo::EchoService>("Echo"), request,
        {.attachment = std::move(attachment)}, [this, index](auto outcome) {
          ASSERT_FALSE(outcomes_[index].has_value()) << "completed twice";
          outcomes_[index] = outcome.status();
        });
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_;
  const Address address_ = Address::Tcp("s", 7000);
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<RawPeer> peer_;
  std::vector<std::optional<absl::Status>> outcomes_;
};

TEST_F(NeverSentTest, IsTrueOfCallsBehindWhatTheNetworkTook) {
  for (const bool from_executor : {true, false}) {
    outcomes_.clear();
    const auto channel = Dial(true);
    Start(*channel);
    executor_.RunFor(absl::Milliseconds(20));
    const size_t frame = peer_->received.size();
    ASSERT_GT(frame, 200u);
    peer_->stream().SetReading(false);
    const auto start_ten = [&] {
      for (int i = 0; i < 10; ++i) Start(*channel);
    };
    if (from_executor) {
      executor_.Post(start_ten);
    } else {
      start_ten();
    }
    executor_.RunFor(absl::Milliseconds(20));
    network_.Reset("c", "s");
    executor_.RunFor(absl::Milliseconds(20));
    // The first was taken long ago; of the ten, those that begin in the window, the
    // last of them only in part.
    const size_t taken = 1 + (kWindow + frame - 1) / frame;
    ASSERT_NE(kWindow % frame, 0u);
    ASSERT_EQ(outcomes_.size(), 11u);
    for (size_t i = 0; i < outcomes_.size(); ++i) {
      ASSERT_TRUE(outcomes_[i].has_value()) << i;
      EXPECT_EQ(outcomes_[i]->code(), absl::StatusCode::kUnavailable);
      EXPECT_EQ(NeverSent(*outcomes_[i]), i >= taken) << i << " of " << taken;
    }
  }
}

TEST_F(NeverSentTest, CountsAttachmentsThatTravelApart) {
  const auto channel = Dial(true);
  peer_->stream().SetReading(false);
  executor_.Post([&] {
    Start(*channel, std::string(100'000, 'a'));
    Start(*channel);
  });
  executor_.RunFor(absl::Milliseconds(20));
  network_.Reset("c", "s");
  executor_.RunFor(absl::Milliseconds(20));
  ASSERT_TRUE(outcomes_[0].has_value() && outcomes_[1].has_value());
  EXPECT_FALSE(NeverSent(*outcomes_[0]));
  EXPECT_TRUE(NeverSent(*outcomes_[1]));
}

// What is queued when the peer closes its half may still leave.
TEST_F(NeverSentTest, IsFalseWhileBytesMayStillLeave) {
  const auto channel = Dial(true);
  peer_->stream().SetReading(false);
  for (int i = 0; i < 10; ++i) Start(*channel);
  executor_.RunFor(absl::Milliseconds(20));
  peer_->stream().CloseWhenDrained();
  executor_.RunFor(absl::Milliseconds(20));
  for (const auto& outcome : outcomes_) {
    ASSERT_TRUE(outcome.has_value());
    EXPECT_FALSE(NeverSent(*outcome));
  }
}

TEST_F(NeverSentTest, WithoutWaitingNothingOutlivesItsConnection) {
  const auto channel = Dial(false);
  // From outside the executor: it is in the outbox when the connection ends.
  network_.Reset("c", "s");
  Start(*channel);
  executor_.RunFor(absl::Milliseconds(20));
  ASSERT_TRUE(outcomes_[0].has_value());
  EXPECT_EQ(outcomes_[0]->code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace skep
