// A whole fleet inside this process, over real loopback sockets: what `skep run` runs
// on.

#ifndef SKEP_TOOLS_LOCAL_FLEET_H_
#define SKEP_TOOLS_LOCAL_FLEET_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "rpc/address.h"
#include "rpc/tcp_transport.h"
#include "tools/scratch_folder.h"
#include "worker/worker.h"

namespace skep {

class MasterServer;

struct LocalFleetOptions {
  int workers = 1;  // of one slot each
  WorkerOptions::Executors executors = WorkerOptions::Executors::kInProcess;
  std::string binary_digest;
  std::string scratch;  // where map output is kept
};

class LocalFleet {
 public:
  // Starts a master on a free port and the workers, which register in the background.
  // `transport` is borrowed and outlives it.
  static absl::StatusOr<std::unique_ptr<LocalFleet>> Start(TcpTransport& transport,
                                                           LocalFleetOptions options);
  // Stops what runs.
  ~LocalFleet();

  const Address& master() const;

 private:
  explicit LocalFleet(ScratchFolder scratch);

  const ScratchFolder scratch_;
  std::unique_ptr<MasterServer> master_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_LOCAL_FLEET_H_
