// A master on an address: workers' channel and gRPC job service on one port, told apart
// by the first byte ('P' begins HTTP/2's preface; no frame of the channel begins so),
// in plain text or under TLS.

#ifndef SKEP_MASTER_MASTER_SERVER_H_
#define SKEP_MASTER_MASTER_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "master/master.h"
#include "rpc/address.h"
#include "rpc/tcp_transport.h"

namespace skep {

class LiveCredentials;

struct MasterServerOptions {
  Address listen;
  // With it both protocols are spoken under TLS, with members of the fleet alone. Null:
  // plain text, and then every address but loopback is refused unless `plaintext` says
  // otherwise: whoever reaches the port can run jobs.
  std::shared_ptr<const LiveCredentials> credentials;
  bool plaintext = false;
  // Where the journal is kept, so that a restarted master goes on with its jobs. Empty:
  // none, jobs end with the master.
  std::string journal_directory;
  // Its seed and epoch are chosen here.
  MasterOptions master;
};

class MasterServer {
 public:
  // `transport` is borrowed and outlives it. InvalidArgument: the address is refused.
  // FailedPrecondition: it cannot be had.
  static absl::StatusOr<std::unique_ptr<MasterServer>> Start(
      TcpTransport& transport, MasterServerOptions options);
  // Shuts down with a second's grace. Not on a loop of the transport.
  virtual ~MasterServer() = default;

  // With the port really taken.
  virtual const Address& address() const = 0;
  // The same jobs without gRPC, for a fleet within one process.
  virtual Master& master() = 0;
  // Stops listening and lets calls in progress finish for at most `grace`. Blocks.
  virtual void Shutdown(absl::Duration grace) = 0;
};

}  // namespace skep

#endif  // SKEP_MASTER_MASTER_SERVER_H_
