// A balancer between clients and backends of ours and of other makes, over the
// simulated network: the set-up of its tests.

#ifndef SKEP_RPC_BALANCE_BALANCER_TESTING_H_
#define SKEP_RPC_BALANCE_BALANCER_TESTING_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/balance/balancer.h"
#include "rpc/channel_testing.h"
#include "rpc/server.h"
#include "rpc/sim_transport.h"

namespace skep {

// A server of ours on a host of its own.
struct SimBackend {
  EchoService echo;
  ServiceTable services;
  std::unique_ptr<Server> server;
  Address address;
};

// A peer of another make that listens: keeps what it gets, says what it is told to.
struct ForeignBackend {
  std::vector<std::unique_ptr<RawPeer>> peers;
  std::unique_ptr<Listener> listener;
  Address address;
};

class BalancerTest : public ::testing::Test {
 protected:
  using Outcome = absl::StatusOr<Reply<echo::EchoResponse>>;

  BalancerTest() : network_(executor_, /*seed=*/5) {}
  ~BalancerTest() override {
    ReleaseAll();
    balancer_ = nullptr;
    // What was queued came when there was room.
    ReleaseAll();
  }

  // Tests whose calls are still held at their end do so, before what the calls write
  // into goes.
  void ReleaseAll() {
    for (const auto& backend : backends_) backend->echo.ReleaseAll();
    Run();
  }

  SimBackend& AddBackend() {
    const std::string host = StrCat("s", backends_.size());
    SimBackend& backend = *backends_.emplace_back(std::make_unique<SimBackend>());
    backend.services.Add(&backend.echo);
    backend.address = Address::Tcp(host, 7000);
    Restart(backend);
    return backend;
  }
  void Restart(SimBackend& backend) {
    auto server = Server::Listen(network_.host(backend.address.host()), backend.address,
                                 backend.services);
    ASSERT_TRUE(server.ok()) << server.status();
    backend.server = *std::move(server);
  }
  ForeignBackend& AddForeign() {
    const std::string host = StrCat("f", foreign_.size());
    ForeignBackend& backend =
        *foreign_.emplace_back(std::make_unique<ForeignBackend>());
    backend.address = Address::Tcp(host, 7000);
    auto listener = network_.host(host).Listen(
        backend.address, [&backend](std::unique_ptr<Stream> stream) {
          backend.peers.push_back(std::make_unique<RawPeer>(std::move(stream)));
        });
    EXPECT_TRUE(listener.ok()) << listener.status();
    backend.listener = *std::move(listener);
    return backend;
  }

  void Listen(BalancerOptions options = {}) {
    std::vector<Address> addresses;
    for (const auto& backend : backends_) addresses.push_back(backend->address);
    for (const auto& backend : foreign_) addresses.push_back(backend->address);
    auto balancer =
        Balancer::Listen(network_.host("b"), at_, addresses, std::move(options));
    ASSERT_TRUE(balancer.ok()) << balancer.status();
    balancer_ = *std::move(balancer);
    Run();
  }
  std::shared_ptr<Channel> Dial() {
    return Connect(network_.host("c"), at_, {.seed = 7});
  }
  // A client of another make.
  std::unique_ptr<RawPeer> DialRaw() {
    std::unique_ptr<RawPeer> peer;
    network_.host("m").Connect(at_, absl::Seconds(1),
                               [&peer](absl::StatusOr<std::unique_ptr<Stream>> s) {
                                 ASSERT_TRUE(s.ok()) << s.status();
                                 peer = std::make_unique<RawPeer>(*std::move(s));
                               });
    Run();
    EXPECT_NE(peer, nullptr);
    return peer;
  }
  void Run(absl::Duration d = absl::Milliseconds(20)) { executor_.RunFor(d); }
  // Runs until `condition`; false if that takes more than a minute.
  template <typename Condition>
  [[nodiscard]] bool RunUntil(Condition condition,
                              absl::Duration step = absl::Milliseconds(20)) {
    const absl::Time end = executor_.clock().Now() + absl::Minutes(1);
    while (!condition()) {
      if (executor_.clock().Now() > end) return false;
      Run(step);
    }
    return true;
  }

  CallId Echo(Channel& channel, std::string payload, std::optional<Outcome>* out,
              CallOptions options = {}) {
    echo::EchoRequest request;
    request.set_payload(std::move(payload));
    return Call<echo::EchoResponse>(channel, Method<echo::EchoService>("Echo"), request,
                                    std::move(options), [out](Outcome outcome) {
                                      EXPECT_FALSE(out->has_value()) << "twice";
                                      *out = std::move(outcome);
                                    });
  }
  static absl::StatusCode CodeOf(const std::optional<Outcome>& outcome) {
    return outcome.has_value() ? outcome->status().code() : absl::StatusCode::kUnknown;
  }
  int64_t Pending() const {
    int64_t pending = 0;
    for (const auto& backend : balancer_->backends()) pending += backend.pending;
    return pending;
  }

  // Of the statistics: a backend's, or the balancer's own.
  StatsReport::Row RowOf(const std::string& name) const {
    for (const StatsReport::Row& row : balancer_->Stats().rows) {
      if (row.name == name) return row;
    }
    ADD_FAILURE() << "no row " << name;
    return {};
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_;
  const Address at_ = Address::Tcp("b", 80);
  std::vector<std::unique_ptr<SimBackend>> backends_;
  std::vector<std::unique_ptr<ForeignBackend>> foreign_;
  std::unique_ptr<Balancer> balancer_;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCER_TESTING_H_
