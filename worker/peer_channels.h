// Connections to other processes of the fleet, one a peer, shared by all tasks.

#ifndef SKEP_WORKER_PEER_CHANNELS_H_
#define SKEP_WORKER_PEER_CHANNELS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "rpc/channel.h"
#include "rpc/transport.h"

namespace skep {

// Thread-safe. Keeps at most kMaxPeers idle connections; the least recently used goes
// first.
class PeerChannels {
 public:
  // More than the workers of a large fleet that one reducer talks to at a time.
  static constexpr size_t kMaxPeers = 256;

  // `transport` is borrowed.
  explicit PeerChannels(Transport& transport) : transport_(transport) {}

  // The channel to `address`, connecting in the background. Calls on it fail at once
  // with Unavailable while the peer cannot be reached. InvalidArgument: no such
  // address.
  absl::StatusOr<std::shared_ptr<Channel>> To(const std::string& address);

  // Drops all connections: outstanding calls complete with Unavailable.
  void CloseAll();

 private:
  struct Peer {
    // Shared: a call may outlive its peer's place in the table.
    std::shared_ptr<Channel> channel;
    uint64_t last_use = 0;
  };
  void EvictOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Transport& transport_;
  Mutex mutex_;
  std::map<std::string, Peer> peers_ ABSL_GUARDED_BY(mutex_);
  uint64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace skep

#endif  // SKEP_WORKER_PEER_CHANNELS_H_
