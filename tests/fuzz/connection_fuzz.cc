#include <memory>
#include <optional>

#include "glog/logging.h"
#include "rpc/channel_testing.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"
#include "tests/fuzz/hostile_peer.h"
#include "tests/fuzz/targets.h"

namespace skep {

// Whatever one connection sends, another is served, and everybody else's calls end.
void FuzzConnection(std::string_view bytes) {
  FuzzInput input(bytes);
  SimulatedClock clock;
  ManualExecutor executor(clock);
  SimNetwork network(executor, input.Byte());
  EchoService echo;
  ServiceTable services;
  services.Add(&echo);
  services.AddReflection();
  const Address at = Address::Tcp("s", 7000);
  auto server = Server::Listen(network.host("s"), at, services);
  CHECK(server.ok()) << server.status();
  {
    HostilePeer hostile(executor);
    network.host("h").Connect(at, absl::Seconds(1),
                              [&hostile](absl::StatusOr<std::unique_ptr<Stream>> s) {
                                CHECK(s.ok()) << s.status();
                                hostile.Take(*std::move(s));
                              });
    executor.RunFor(absl::Milliseconds(10));
    while (!input.empty()) hostile.Act(input);
    executor.RunFor(absl::Milliseconds(100));

    const auto channel = Connect(network.host("c"), at, {.seed = 1});
    echo::EchoRequest request;
    request.set_payload("still there?");
    std::optional<absl::Status> outcome;
    Call<echo::EchoResponse>(*channel, Method<echo::EchoService>("Echo"), request, {},
                             [&outcome](const auto& reply) {
                               CHECK(!outcome.has_value());
                               outcome = reply.status();
                             });
    executor.RunFor(absl::Seconds(11));
    CHECK(outcome.has_value());
    CHECK(outcome->ok()) << *outcome;
  }
  echo.ReleaseAll();
  executor.RunFor(absl::Seconds(1));
}

}  // namespace skep
