#include "rpc/sim_transport.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/sim_test_bed.h"
#include "rpc/transport_conformance.h"

namespace skep {
namespace {

std::unique_ptr<TestBed> MakeCalmBed() { return std::make_unique<SimBed>(1); }
std::unique_ptr<TestBed> MakeLossyBed() {
  return std::make_unique<SimBed>(
      2, SimNetworkOptions{
             .jitter = absl::Milliseconds(5), .window_bytes = 100'000, .loss = 0.02});
}
std::unique_ptr<TestBed> MakeTinySegmentsBed() {
  return std::make_unique<SimBed>(3, SimNetworkOptions{.max_segment_bytes = 700});
}
INSTANTIATE_TEST_SUITE_P(Sim, TransportConformance,
                         testing::Values(&MakeCalmBed, &MakeLossyBed,
                                         &MakeTinySegmentsBed));

// A connection from "client" to "server".
class SimTransportTest : public testing::Test {
 protected:
  explicit SimTransportTest(uint64_t seed = 42) : bed_(seed) {
    auto listener =
        bed_.server().Listen(Address::Tcp("server", 7000), [this](auto stream) {
          server_ = std::make_unique<TestPeer>(bed_, std::move(stream));
          server_->Start();
        });
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  void StartConnecting() {
    bed_.client().Connect(listener_->address(), absl::Seconds(5), [this](auto stream) {
      status_ = stream.status();
      if (!stream.ok()) return;
      client_ = std::make_unique<TestPeer>(bed_, *std::move(stream));
      client_->Start();
    });
  }
  void Connect() {
    StartConnecting();
    ASSERT_TRUE(
        bed_.WaitUntil([&] { return server_ != nullptr && client_ != nullptr; }));
  }

  SimBed bed_;
  std::unique_ptr<Listener> listener_;
  std::optional<absl::Status> status_;
  std::unique_ptr<TestPeer> server_;
  std::unique_ptr<TestPeer> client_;
};

TEST_F(SimTransportTest, APartitionHoldsBytesUntilItHeals) {
  Connect();
  client_->stream().Write("before");
  ASSERT_TRUE(bed_.WaitUntil([&] { return server_->received == "before"; }));
  bed_.network().Partition("client", "server");
  bed_.network().Partition("server", "client");
  client_->stream().Write(", meanwhile");
  server_->stream().Write("hello");
  bed_.executor().RunFor(absl::Hours(1));
  EXPECT_EQ(server_->received, "before");
  EXPECT_EQ(client_->received, "");
  bed_.network().Heal("client", "server");
  bed_.executor().RunFor(absl::Hours(1));
  EXPECT_EQ(server_->received, "before");  // Two partitions take two heals.
  bed_.network().Heal("client", "server");
  client_->stream().Write(", after");
  bed_.executor().RunFor(absl::Seconds(1));
  EXPECT_EQ(server_->received, "before, meanwhile, after");
  EXPECT_EQ(client_->received, "hello");
}

TEST_F(SimTransportTest, ConnectingWaitsForAPartitionToHeal) {
  bed_.network().Stall("client", "server", absl::Seconds(3));
  StartConnecting();
  bed_.executor().RunFor(absl::Seconds(2));
  EXPECT_EQ(status_, std::nullopt);
  bed_.executor().RunFor(absl::Seconds(2));
  EXPECT_EQ(status_, absl::OkStatus());
}

TEST_F(SimTransportTest, ResetBreaksBothEnds) {
  Connect();
  bed_.network().Reset("server", "elsewhere");
  bed_.executor().RunFor(absl::Seconds(1));
  EXPECT_EQ(client_->closed, 0);
  bed_.network().Reset("server", "client");
  bed_.executor().RunFor(absl::Seconds(1));
  EXPECT_EQ(client_->reason.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server_->reason.code(), absl::StatusCode::kUnavailable);
}

TEST_F(SimTransportTest, UnknownHostsAndTakenPortsAreErrors) {
  std::optional<absl::Status> status;
  bed_.client().Connect(Address::Tcp("nowhere", 7000), absl::Seconds(5),
                        [&](auto stream) { status = stream.status(); });
  EXPECT_EQ(status, std::nullopt);  // Never inside the call.
  bed_.executor().RunFor(absl::Seconds(5));
  EXPECT_EQ(status->code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(
      bed_.server().Listen(Address::Tcp("server", 7000), [](auto) {}).status().code(),
      absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(
      bed_.client().Listen(Address::Tcp("server", 7001), [](auto) {}).status().code(),
      absl::StatusCode::kFailedPrecondition);
}

TEST_F(SimTransportTest, LoopbackIsTheHostItself) {
  int accepted = 0;
  auto listener =
      bed_.client().Listen(Address::Tcp("127.0.0.1", 7000), [&](auto) { ++accepted; });
  ASSERT_TRUE(listener.ok());
  bed_.client().Connect(Address::Tcp("localhost", 7000), absl::Seconds(5), [](auto) {});
  bed_.executor().RunFor(absl::Seconds(1));
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(server_, nullptr);
}

TEST(SimNetwork, OpenStreamsAreToldWhenItGoes) {
  SimulatedClock clock;
  ManualExecutor executor(clock);
  auto network = std::make_unique<SimNetwork>(executor, 1);
  SimBed bed(1);  // For its mutex.
  std::unique_ptr<TestPeer> peer;
  auto listener = network->host("a").Listen(Address::Tcp("a", 1), [&](auto stream) {
    peer = std::make_unique<TestPeer>(bed, std::move(stream));
    peer->Start();
  });
  std::unique_ptr<Stream> unstarted;
  network->host("b").Connect(Address::Tcp("a", 1), absl::Seconds(1),
                             [&](auto stream) { unstarted = *std::move(stream); });
  executor.RunFor(absl::Seconds(1));
  ASSERT_NE(peer, nullptr);
  network->Partition("a", "b");
  network->host("b").Connect(Address::Tcp("a", 1), absl::Seconds(9), [](auto) {});
  executor.RunFor(absl::Seconds(1));
  network.reset();
  EXPECT_EQ(peer->reason.code(), absl::StatusCode::kCancelled);
}

// Every arrival, with its time and size, of a run with this seed.
std::string Trace(uint64_t seed) {
  SimBed bed(seed, {.loss = 0.1, .reset = 0.001});
  std::string trace;
  std::vector<std::unique_ptr<TestPeer>> peers;
  const auto keep = [&](std::unique_ptr<Stream> stream) {
    peers.push_back(std::make_unique<TestPeer>(bed, std::move(stream)));
    peers.back()->on_data = [&](TestPeer& peer, std::string_view bytes) {
      StrAppend(&trace, peer.stream().local(), " ",
                absl::FormatTime(bed.executor().clock().Now()), " ", bytes.size(),
                "\n");
      return bytes.size();
    };
    peers.back()->Start();
    peers.back()->stream().Write(std::string(100'000, 'x'));
  };
  auto listener = bed.server().Listen(Address::Tcp("server", 7000), keep);
  for (int i = 0; i < 5; ++i) {
    bed.client().Connect(Address::Tcp("server", 7000), absl::Seconds(5),
                         [&](auto stream) {
                           if (stream.ok()) keep(*std::move(stream));
                         });
  }
  bed.executor().RunFor(absl::Seconds(10));
  return trace;
}

TEST(SimNetwork, TheSameSeedGivesTheSameRun) {
  const std::string trace = Trace(7);
  EXPECT_GT(trace.size(), 1000u);
  EXPECT_EQ(trace, Trace(7));
  EXPECT_NE(trace, Trace(8));
}

// Readers meet every cut, also in the middle of a length.
TEST_F(SimTransportTest, SegmentsAreDownToOneByte) {
  Connect();
  std::vector<size_t> sizes;
  server_->on_data = [&](TestPeer&, std::string_view bytes) {
    sizes.push_back(bytes.size());
    return bytes.size();
  };
  client_->stream().Write(std::string(5 << 20, 'x'));
  bed_.executor().RunFor(absl::Seconds(60));
  EXPECT_NE(std::find(sizes.begin(), sizes.end(), 1u), sizes.end());
  EXPECT_GT(*std::max_element(sizes.begin(), sizes.end()), 10'000u);
}

}  // namespace
}  // namespace skep
