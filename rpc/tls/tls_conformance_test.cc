// TLS as a Transport: the conformance suite, over the simulated network and over
// loopback sockets.

#include <memory>

#include "gtest/gtest.h"
#include "rpc/sim_test_bed.h"
#include "rpc/tcp_test_bed.h"
#include "rpc/tls/handshake_testing.h"
#include "rpc/tls/tls_transport.h"
#include "rpc/transport_conformance.h"

namespace skep {
namespace {

// Any bed, with TLS between its two sides.
template <typename Bed>
class TlsBed final : public Bed {
 public:
  template <typename... Args>
  explicit TlsBed(Args&&... args) : Bed(std::forward<Args>(args)...) {}
  Transport& server() override { return server_; }
  Transport& client() override { return client_; }

 private:
  TlsTransport server_{Bed::server(), Member("master")};
  TlsTransport client_{Bed::client(), Member("worker-1")};
};

std::unique_ptr<TestBed> CalmBed() { return std::make_unique<TlsBed<SimBed>>(1); }
std::unique_ptr<TestBed> LossyBed() {
  return std::make_unique<TlsBed<SimBed>>(
      2, SimNetworkOptions{
             .jitter = absl::Milliseconds(5), .window_bytes = 100'000, .loss = 0.02});
}
std::unique_ptr<TestBed> TinySegmentsBed() {
  return std::make_unique<TlsBed<SimBed>>(3,
                                          SimNetworkOptions{.max_segment_bytes = 700});
}
std::unique_ptr<TestBed> SocketsBed() { return std::make_unique<TlsBed<TcpBed>>(); }

}  // namespace

INSTANTIATE_TEST_SUITE_P(TlsOverSim, TransportConformance,
                         testing::Values(&CalmBed, &LossyBed, &TinySegmentsBed));
INSTANTIATE_TEST_SUITE_P(TlsOverTcp, TransportConformance,
                         testing::Values(&SocketsBed));

}  // namespace skep
