#include <memory>
#include <optional>

#include "glog/logging.h"
#include "rpc/balance/balancer.h"
#include "rpc/channel_testing.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"
#include "tests/fuzz/hostile_peer.h"
#include "tests/fuzz/targets.h"

namespace skep {

// A hostile client costs an honest one nothing; a hostile backend costs it at most
// calls that end with an error or at their deadline.
void FuzzBalancer(std::string_view bytes) {
  FuzzInput input(bytes);
  const uint8_t mode = input.Byte();
  const bool hostile_backend = mode % 2 == 1;
  SimulatedClock clock;
  ManualExecutor executor(clock);
  SimNetwork network(executor, input.Byte());
  EchoService echo;
  ServiceTable services;
  services.Add(&echo);
  const Address honest_at = Address::Tcp("s", 1), hostile_at = Address::Tcp("h", 2);
  const auto server = Server::Listen(network.host("s"), honest_at, services);
  CHECK(server.ok()) << server.status();
  HostilePeer hostile(executor);
  const auto listener = network.host("h").Listen(
      hostile_at,
      [&hostile](std::unique_ptr<Stream> stream) { hostile.Take(std::move(stream)); });
  CHECK(listener.ok()) << listener.status();

  const Address at = Address::Tcp("b", 3);
  BalancerOptions options;
  if (mode % 4 >= 2) options.cut_through = 40;
  auto balancer = Balancer::Listen(network.host("b"), at,
                                   {hostile_backend ? hostile_at : honest_at}, options);
  CHECK(balancer.ok()) << balancer.status();
  executor.RunFor(absl::Milliseconds(10));
  if (!hostile_backend) {
    network.host("h").Connect(at, absl::Seconds(1),
                              [&hostile](absl::StatusOr<std::unique_ptr<Stream>> s) {
                                CHECK(s.ok()) << s.status();
                                hostile.Take(*std::move(s));
                              });
  }
  const auto channel = Connect(network.host("c"), at, {.seed = 1});
  executor.RunFor(absl::Milliseconds(10));

  std::optional<absl::Status> outcome;
  const auto call = [&] {
    outcome = std::nullopt;
    echo::EchoRequest request;
    request.set_payload("still there?");
    Call<echo::EchoResponse>(*channel, Method<echo::EchoService>("Echo"), request,
                             {.timeout = absl::Seconds(2)},
                             [&outcome](const auto& reply) {
                               CHECK(!outcome.has_value());
                               outcome = reply.status();
                             });
  };
  if (hostile_backend) call();
  while (!input.empty()) hostile.Act(input);
  executor.RunFor(absl::Seconds(3));
  if (!hostile_backend) call();
  executor.RunFor(absl::Seconds(3));
  CHECK(outcome.has_value());
  if (!hostile_backend) CHECK(outcome->ok()) << *outcome;
  echo.ReleaseAll();
  executor.RunFor(absl::Seconds(1));
  *balancer = nullptr;
  executor.RunFor(absl::Seconds(1));
}

}  // namespace skep
