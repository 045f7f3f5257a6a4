#include "worker/peer_channels.h"

#include <utility>

#include "base/status.h"
#include "rpc/address.h"
#include "rpc/server.h"

namespace skep {

absl::StatusOr<std::shared_ptr<Channel>> PeerChannels::To(const std::string& address) {
  MutexLock lock(mutex_);
  const auto it = peers_.find(address);
  if (it != peers_.end()) {
    it->second.last_use = ++uses_;
    return it->second.channel;
  }
  SKEP_ASSIGN_OR_RETURN(const Address to, Address::Parse(address));
  if (peers_.size() >= kMaxPeers) EvictOne();
  ConnectOptions options;
  options.max_backoff = absl::Seconds(1);
  std::shared_ptr<Channel> channel = Connect(transport_, to, std::move(options));
  peers_.emplace(address, Peer{channel, ++uses_});
  return channel;
}

void PeerChannels::EvictOne() {
  auto oldest = peers_.end();
  for (auto it = peers_.begin(); it != peers_.end(); ++it) {
    if (it->second.channel->pending() > 0) continue;
    if (oldest == peers_.end() || it->second.last_use < oldest->second.last_use) {
      oldest = it;
    }
  }
  // All are busy: then the calls in flight bound the table.
  if (oldest != peers_.end()) peers_.erase(oldest);
}

void PeerChannels::CloseAll() {
  std::map<std::string, Peer> peers;
  {
    MutexLock lock(mutex_);
    peers.swap(peers_);
  }
  for (auto& [address, peer] : peers) {
    peer.channel->Close(Unavailable("this process is shutting down"));
  }
}

}  // namespace skep
