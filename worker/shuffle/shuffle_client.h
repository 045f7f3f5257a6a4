// ShuffleSource over the channel.

#ifndef SKEP_WORKER_SHUFFLE_SHUFFLE_CLIENT_H_
#define SKEP_WORKER_SHUFFLE_SHUFFLE_CLIENT_H_

#include <string>

#include "worker/peer_channels.h"
#include "worker/task_environment.h"

namespace skep {

// Thread-safe.
class ShuffleClient final : public ShuffleSource {
 public:
  // `peers` is borrowed.
  explicit ShuffleClient(PeerChannels& peers) : peers_(peers) {}

  void Fetch(const std::string& address, const FetchRequest& request,
             Done done) override;

 private:
  PeerChannels& peers_;
};

}  // namespace skep

#endif  // SKEP_WORKER_SHUFFLE_SHUFFLE_CLIENT_H_
