// The conformance suite's world in simulation: "client" and "server" on one network.

#ifndef SKEP_RPC_SIM_TEST_BED_H_
#define SKEP_RPC_SIM_TEST_BED_H_

#include "rpc/sim_transport.h"
#include "rpc/transport_conformance.h"

namespace skep {

class SimBed : public TestBed {
 public:
  explicit SimBed(uint64_t seed, SimNetworkOptions options = {})
      : network_(executor_, seed, options) {
    network_.Partition("server", "void");
    network_.Partition("client", "void");
  }
  Transport& server() override { return network_.host("server"); }
  Transport& client() override { return network_.host("client"); }
  Address listen_address() override { return Address::Tcp("server", 0); }
  Address black_hole() override {
    network_.host("void");
    return Address::Tcp("void", 7000);
  }
  bool WaitUntil(const std::function<bool()>& done) override {
    const absl::Time deadline = clock_.Now() + absl::Minutes(10);
    while (true) {
      {
        MutexLock lock(mutex());
        if (done()) return true;
      }
      if (clock_.Now() > deadline || !executor_.RunOne()) return false;
    }
  }
  SimNetwork& network() { return network_; }
  ManualExecutor& executor() { return executor_; }

 private:
  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_;
};

}  // namespace skep

#endif  // SKEP_RPC_SIM_TEST_BED_H_
