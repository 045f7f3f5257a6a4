// The balancer of the benchmark's balanced rows.

#include "glog/logging.h"
#include "rpc/balance/balancer.h"
#include "rpc/tcp_transport.h"
#include "tests/bench/rpc_load.h"

namespace skep {

int StartBalancer(const RpcLoad& load, int port) {
  FLAGS_minloglevel = google::GLOG_WARNING;
  TcpTransportOptions options;
  if (load.spin) options.spin = absl::Microseconds(50);
  auto* transport = new TcpTransport(1, options);
  BalancerOptions balancing;
  if (!load.cut_through) balancing.cut_through = BalancerOptions::kNeverCutThrough;
  auto balancer = Balancer::Listen(
      *transport, Address::Tcp("127.0.0.1", 0),
      {Address::Tcp("127.0.0.1", static_cast<uint16_t>(port))}, balancing);
  CHECK(balancer.ok()) << balancer.status();
  return (*balancer.value().release()).address().port();
}

}  // namespace skep
