// Clients that take nothing, send byte by byte, or send damage over real sockets: they
// cost the server a bounded amount, and others nothing.

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "glog/logging.h"
#include "gtest/gtest.h"
#include "rpc/balance/balancer.h"
#include "rpc/channel_testing.h"
#include "rpc/server.h"
#include "rpc/sim_transport.h"
#include "rpc/tcp_transport.h"
#include "tests/properties/relay.h"

namespace skep {
namespace {

class HostileClientsTest : public testing::TestWithParam<bool> {
 protected:
  HostileClientsTest() {
    FLAGS_minloglevel = google::GLOG_FATAL;
    services_.Add(&echo_);
    auto server = Server::Listen(network_.host("s"), server_at_, services_);
    CHECK(server.ok()) << server.status();
    server_ = *std::move(server);
    if (!balanced()) return;
    auto balancer = Balancer::Listen(network_.host("b"), balancer_at_, {server_at_},
                                     {.max_client_bytes = 4 << 20});
    CHECK(balancer.ok()) << balancer.status();
    balancer_ = *std::move(balancer);
    executor_.RunFor(absl::Milliseconds(10));
  }
  ~HostileClientsTest() override {
    peers_.clear();
    balancer_ = nullptr;
    executor_.RunFor(absl::Minutes(1));
    server_ = nullptr;
    executor_.RunFor(absl::Minutes(1));
  }

  bool balanced() const { return GetParam(); }
  const Address& at() const { return balanced() ? balancer_at_ : server_at_; }

  RawPeer& ConnectRaw() {
    network_.host("h").Connect(
        at(), absl::Seconds(1), [this](absl::StatusOr<std::unique_ptr<Stream>> stream) {
          CHECK(stream.ok()) << stream.status();
          peers_.push_back(std::make_unique<RawPeer>(*std::move(stream)));
        });
    executor_.RunFor(absl::Milliseconds(5));
    return *peers_.back();
  }

  absl::Status HonestCall() {
    const auto channel = Connect(network_.host("c"), at(), {.seed = 1});
    absl::Status outcome = Internal("it did not end");
    echo::EchoRequest request;
    request.set_payload("honest");
    Call<echo::EchoResponse>(
        *channel, Method<echo::EchoService>("Echo"), request,
        {.timeout = absl::Seconds(1)},
        [&outcome](const auto& reply) { outcome = reply.status(); });
    executor_.RunFor(absl::Seconds(2));
    return outcome;
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_{executor_, 1};
  EchoService echo_;
  ServiceTable services_;
  const Address server_at_ = Address::Tcp("s", 1), balancer_at_ = Address::Tcp("b", 2);
  std::unique_ptr<Server> server_;
  std::unique_ptr<Balancer> balancer_;
  std::vector<std::unique_ptr<RawPeer>> peers_;
};

TEST_P(HostileClientsTest, OneThatNeverReadsIsNotReadEither) {
  RawPeer& peer = ConnectRaw();
  peer.stream().SetReading(false);
  constexpr size_t kPayload = 50'000;
  constexpr int kCalls = 2000;  // 100 MB of replies
  for (int i = 1; i <= kCalls; ++i) {
    peer.Write(EchoRequestFrame(static_cast<uint64_t>(i), std::string(kPayload, 'x')));
  }
  executor_.RunFor(absl::Minutes(1));
  EXPECT_GT(echo_.calls, 10);
  if (balanced()) {
    // What goes beyond max_client_bytes is answered with an error instead.
    EXPECT_LT(balancer_->held_bytes(), 8 << 20);
  } else {
    // The high-water mark of 4 MiB, and what the network holds.
    EXPECT_LT(static_cast<size_t>(echo_.calls) * kPayload, size_t{8} << 20);
  }
  EXPECT_EQ(HonestCall(), absl::OkStatus());
}

TEST_P(HostileClientsTest, ThoseThatSendByteByByteHinderNobody) {
  const std::string frame = EchoRequestFrame(1, std::string(500, 'x'));
  for (int i = 0; i < 300; ++i) ConnectRaw();
  for (size_t k = 0; k + 1 < frame.size(); ++k) {
    for (const auto& peer : peers_) peer->Write(frame.substr(k, 1));
    // Within the time that a server gives a frame that has begun to come.
    executor_.RunFor(absl::Milliseconds(20));
    if (k % 100 == 0) {
      EXPECT_EQ(HonestCall(), absl::OkStatus());
    }
  }
  EXPECT_EQ(echo_.calls, 6) << "of the honest only";
  // Nor do they when they come to an end.
  for (const auto& peer : peers_) peer->Write(frame.substr(frame.size() - 1));
  executor_.RunFor(absl::Milliseconds(100));
  EXPECT_EQ(echo_.calls, 306);
}

INSTANTIATE_TEST_SUITE_P(Properties, HostileClientsTest, testing::Bool(),
                         [](const auto& param) {
                           return param.param ? "ToTheBalancer" : "ToTheServer";
                         });

// Integration: loopback sockets.
TEST(DamageOverTcp, IsNeverDeliveredAsGood) {
  FLAGS_minloglevel = google::GLOG_FATAL;
  EchoService echo;
  ServiceTable services;
  services.Add(&echo);
  TcpTransport transport(1);
  const Address any = Address::Tcp("127.0.0.1", 0);
  auto server = Server::Listen(transport, any, services);
  ASSERT_TRUE(server.ok()) << server.status();
  // What is the loop's own is touched on it only.
  const auto on_loop = [&transport](auto what) {
    std::promise<decltype(what())> result;
    transport.executor().Post([&] { result.set_value(what()); });
    return result.get_future().get();
  };
  auto relay = on_loop(
      [&] { return std::make_unique<Relay>(transport, any, (*server)->address()); });
  Random random(1);
  int failed = 0;
  constexpr int kFrames = 200;
  for (int i = 0; i < kFrames; ++i) {
    const auto direction = i % 2 == 0 ? Relay::kUp : Relay::kDown;
    const auto channel = Connect(transport, relay->address(),
                                 {.reconnect = false, .hello = false, .seed = 1});
    echo::EchoRequest request;
    request.set_payload(StrCat("payload ", i));
    // The shortest frame here is longer. Sizes wait for their deadline: fewer of them.
    const uint64_t offset = i % 20 == 0 ? random.Below(4) : 4 + random.Below(25);
    const char mask = static_cast<char>(1 + random.Below(255));
    on_loop([&] {
      relay->DamageAfter(direction, offset, mask);
      return 0;
    });
    const auto reply = BlockingCall<echo::EchoResponse>(
        *channel, Method<echo::EchoService>("Echo"), request,
        {.timeout = absl::Milliseconds(offset < 4 ? 100 : 5000)});
    failed += !reply.ok();
  }
  EXPECT_EQ(failed, kFrames);
  const int served = on_loop([&] {
    relay = nullptr;
    return echo.calls;
  });
  EXPECT_EQ(served, kFrames / 2) << "those whose reply was damaged";
}

}  // namespace
}  // namespace skep
