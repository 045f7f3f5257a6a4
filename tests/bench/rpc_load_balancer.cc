// The balancer of the benchmark's balanced rows.

#include "glog/logging.h"
#include "rpc/balance/balancer.h"
#include "rpc/tcp_transport.h"
#include "tests/bench/rpc_load.h"

namespace skep {

int StartBalancer(int port) {
  auto* transport = new TcpTransport(1);
  auto balancer =
      Balancer::Listen(*transport, Address::Tcp("127.0.0.1", 0),
                       {Address::Tcp("127.0.0.1", static_cast<uint16_t>(port))});
  CHECK(balancer.ok()) << balancer.status();
  return (*balancer.value().release()).address().port();
}

}  // namespace skep
