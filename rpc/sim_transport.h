// The simulated Transport: a network in memory on a simulated clock, replayable from a
// seed.
//
// Hosts are names. What a stream carries is cut into segments of random sizes, each of
// which takes a random time, in order, as TCP would deliver them; losses are the delay
// of a retransmission, partitions hold everything up until they heal, resets break
// connections. One thread: everything runs on one executor.
//
//   SimulatedClock clock;
//   ManualExecutor executor(clock);
//   SimNetwork network(executor, /*seed=*/42);
//   auto listener = network.host("w3").Listen(Address::Tcp("w3", 7000), ...);
//   network.host("m").Connect(Address::Tcp("w3", 7000), absl::Seconds(5), ...);
//   network.Partition("m", "w3");
//   executor.RunFor(absl::Seconds(60));

#ifndef SKEP_RPC_SIM_TRANSPORT_H_
#define SKEP_RPC_SIM_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "rpc/transport.h"

namespace skep {

struct SimNetworkOptions {
  // One way, for each segment: at least, and by chance up to so much more.
  absl::Duration latency = absl::Microseconds(100);
  absl::Duration jitter = absl::Microseconds(400);
  // Of one direction of one connection. It also keeps segments that are sent together
  // apart as they arrive.
  double bytes_per_second = 1e9;
  // Largest segment. One in four is of 1 to 8 bytes, to find who counts on more.
  size_t max_segment_bytes = 64 << 10;
  // Bytes that the network takes from a writer before the reader has read them: what
  // the kernels' socket buffers are to TCP.
  size_t window_bytes = 256 << 10;
  // The chance that a segment is lost and arrives `retransmit_after` later.
  double loss = 0;
  absl::Duration retransmit_after = absl::Milliseconds(200);
  // The chance that the connection breaks with a segment.
  double reset = 0;
};

class SimWorld;

// Single-threaded. The order and the times of everything follow from the seed and from
// the order of calls.
class SimNetwork {
 public:
  // `executor` is borrowed and outlives the network and its streams.
  SimNetwork(Executor& executor, uint64_t seed, SimNetworkOptions options = {});
  // Open streams get OnClosed(Cancelled), inside this call.
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  // The network as seen from the host of that name, which exists from now on. It may
  // listen at its own name, at the loopback addresses and at Unix paths (which only it
  // can reach) and at 0.0.0.0. Lives as long as the network.
  Transport& host(const std::string& name);

  // From now on nothing gets through between `a` and `b`, in either direction: bytes
  // wait, and so does connecting. Calls nest: it takes as many Heals.
  void Partition(const std::string& a, const std::string& b);
  void Heal(const std::string& a, const std::string& b);
  // A partition that heals by itself.
  void Stall(const std::string& a, const std::string& b, absl::Duration duration);
  // Breaks every connection between `a` and `b`, now and at both ends, as a middlebox
  // does that forgets them.
  void Reset(const std::string& a, const std::string& b);

 private:
  class Host;

  const std::shared_ptr<SimWorld> world_;  // Shared with streams and what is posted.
  std::map<std::string, std::unique_ptr<Host>> hosts_;
};

}  // namespace skep

#endif  // SKEP_RPC_SIM_TRANSPORT_H_
