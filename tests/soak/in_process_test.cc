// Clients, balancer and servers on real threads in one process, for the sanitizers:
// handlers on a pool, servers that shut down in order or at once and come back.

#include <memory>
#include <thread>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "glog/logging.h"
#include "gtest/gtest.h"
#include "rpc/balance/balancer.h"
#include "rpc/controller.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/tcp_transport.h"
#include "tests/soak/call_load.h"

namespace skep {
namespace {

// Some handlers take their time, until they are stopped.
class PatientEcho final : public echo::EchoService {
 public:
  void Echo(google::protobuf::RpcController* c, const echo::EchoRequest* request,
            echo::EchoResponse* response, google::protobuf::Closure* done) override {
    Controller& controller = Controller::Of(c);
    const uint64_t wait = request->payload().size() % 16 == 0 ? 3000 : 0;
    for (uint64_t us = 0; us < wait && !controller.IsCanceled(); us += 100) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    response->set_payload(request->payload());
    controller.mutable_response_attachment() = controller.request_attachment();
    done->Run();
  }
};

TEST(SoakInProcess, EveryCallIsAccountedFor) {
  FLAGS_minloglevel = google::GLOG_ERROR;
  constexpr int64_t kCalls = 5000;
  constexpr int kServers = 3;
  TcpTransport transport(2);
  PatientEcho echo;
  ThreadPool pool("soak", 2, /*max_queue=*/200);
  ServiceTable services;
  services.Add(&echo, ServiceTable::Run::kPool);
  std::vector<std::unique_ptr<Server>> servers;
  std::vector<Address> addresses;
  for (int i = 0; i < kServers; ++i) {
    auto server = Server::Listen(transport, Address::Tcp("127.0.0.1", 0), services,
                                 {.pool = &pool});
    ASSERT_TRUE(server.ok()) << server.status();
    addresses.push_back((*server)->address());
    servers.push_back(*std::move(server));
  }
  auto balancer = Balancer::Listen(
      transport, Address::Tcp("127.0.0.1", 0), addresses,
      {.min_backoff = absl::Milliseconds(5), .max_backoff = absl::Milliseconds(20)});
  ASSERT_TRUE(balancer.ok()) << balancer.status();
  {
    CallLoad load(transport, (*balancer)->address(),
                  {.connections = 20, .in_flight = 60});
    ASSERT_TRUE(load.AwaitConnected(absl::Minutes(1)));
    load.Start(kCalls);
    Random random(1);
    for (int i = 0; i < 300 && load.ended() < kCalls * 9 / 10; ++i) {
      const size_t which = random.Below(kServers);
      if (random.Chance(0.5)) servers[which]->Shutdown(absl::Milliseconds(20));
      servers[which] = nullptr;
      auto server =
          Server::Listen(transport, addresses[which], services, {.pool = &pool});
      ASSERT_TRUE(server.ok()) << server.status();
      servers[which] = *std::move(server);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ASSERT_TRUE(load.Await(absl::Minutes(2))) << load.tally().ToString();
    const CallTally tally = load.tally();
    EXPECT_EQ(tally.started, kCalls);
    EXPECT_EQ(tally.ended(), kCalls) << tally.ToString();
    EXPECT_EQ(tally.wrong, 0);
    EXPECT_EQ(tally.twice, 0);
    EXPECT_GT(tally.ok, kCalls / 4) << tally.ToString();
    EXPECT_GT(tally.cancelled, 0);
    EXPECT_EQ(load.pending(), 0);
  }
  *balancer = nullptr;
  servers.clear();
}

}  // namespace
}  // namespace skep
