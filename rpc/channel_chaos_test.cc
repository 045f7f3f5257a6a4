#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"

namespace skep {
namespace {

using echo::EchoRequest;
using echo::EchoResponse;
using Outcome = absl::StatusOr<Reply<EchoResponse>>;

// Every call completes once, whatever happens to it: replies, deadlines, cancels,
// resets, stalls and the channel's end, in every order that the seeds find.
TEST(ChannelChaos, EveryCallCompletesOnce) {
  int ok = 0, failed = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SimulatedClock clock;
    ManualExecutor executor(clock);
    Random random(seed);
    SimNetwork network(executor, seed, {.loss = 0.02, .reset = 0.002});
    EchoService echo;
    ServiceTable services;
    services.Add(&echo);
    const Address at = Address::Tcp("s", 1);
    auto server = Server::Listen(network.host("s"), at, services,
                                 {.max_calls_per_connection = 5});
    ASSERT_TRUE(server.ok());
    auto channel = Connect(network.host("c"), at, {.seed = seed});
    std::vector<int> completed(200, 0);
    std::vector<CallId> ids(completed.size());
    for (size_t i = 0; i < completed.size(); ++i) {
      EchoRequest request;
      const std::string payload =
          (random.Chance(0.3) ? "hold " : "now ") + std::to_string(i);
      request.set_payload(payload);
      ids[i] =
          Call<EchoResponse>(*channel, Method<echo::EchoService>("Echo"), request,
                             {.timeout = absl::Milliseconds(1 + random.Below(3000)),
                              .attachment = std::string(random.Below(3000), 'a')},
                             [&completed, &ok, &failed, i, payload](Outcome outcome) {
                               ++completed[i];
                               (outcome.ok() ? ok : failed) += 1;
                               if (outcome.ok()) {
                                 EXPECT_EQ(outcome->message.payload(), payload);
                               }
                             });
      if (random.Chance(0.1)) channel->Cancel(ids[random.Below(i + 1)]);
      if (random.Chance(0.01)) network.Reset("c", "s");
      if (random.Chance(0.02)) network.Stall("c", "s", absl::Milliseconds(500));
      if (random.Chance(0.5)) executor.RunFor(absl::Milliseconds(random.Below(20)));
      if (!echo.held.empty() && random.Chance(0.3)) echo.Release();
    }
    if (random.Chance(0.5)) executor.RunFor(absl::Seconds(10));
    channel->Close(absl::CancelledError("the test ends"));
    executor.RunFor(absl::Seconds(1));
    for (size_t i = 0; i < completed.size(); ++i) {
      EXPECT_EQ(completed[i], 1) << "seed " << seed << " call " << i;
    }
    EXPECT_EQ(channel->pending(), 0) << "seed " << seed;
    EXPECT_EQ(channel->counters().foreign_replies, 0u);
    EXPECT_EQ(channel->counters().duplicate_replies, 0u);
    // Calls that the server had not read come after those that it held.
    while (!echo.held.empty()) {
      echo.ReleaseAll();
      executor.RunFor(absl::Seconds(1));
    }
  }
  EXPECT_GT(ok, 5000);
  EXPECT_GT(failed, 1000);
}

}  // namespace
}  // namespace skep
