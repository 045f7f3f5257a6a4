// What the channel's tests share: our own server and channels to it, over the simulated
// network.

#ifndef SKEP_RPC_CHANNEL_TEST_BED_H_
#define SKEP_RPC_CHANNEL_TEST_BED_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"

namespace skep {

class ChannelTestBed : public ::testing::Test {
 protected:
  using EchoRequest = echo::EchoRequest;
  using EchoResponse = echo::EchoResponse;
  using Outcome = absl::StatusOr<Reply<EchoResponse>>;

  ChannelTestBed() : network_(executor_, /*seed=*/1) { services_.Add(&echo_); }

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

}  // namespace skep

#endif  // SKEP_RPC_CHANNEL_TEST_BED_H_
