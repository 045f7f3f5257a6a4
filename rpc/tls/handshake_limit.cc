#include "rpc/tls/handshake_limit.h"

#include <arpa/inet.h>

#include <utility>

namespace skep {
namespace {

constexpr size_t kNetworkBytes = 8;  // of an IPv6 address

}  // namespace

std::string SourceOf(std::string_view peer) {
  if (peer.starts_with("unix:")) return "unix";
  const size_t colon = peer.rfind(':');
  if (!peer.starts_with('[')) return std::string(peer.substr(0, colon));
  const std::string host(peer.substr(1, peer.find(']') - 1));
  in6_addr address;
  if (inet_pton(AF_INET6, host.c_str(), &address) != 1) return host;
  const auto* const bytes = reinterpret_cast<const char*>(&address);
  // An IPv4 address in IPv6's form is one machine's.
  if (IN6_IS_ADDR_V4MAPPED(&address)) return std::string(bytes, sizeof address);
  return std::string(bytes, kNetworkBytes);
}

std::optional<HandshakeLimit::Place> HandshakeLimit::Take(std::string_view peer) {
  std::string source = SourceOf(peer);
  {
    MutexLock lock(mutex_);
    if (taken_ >= most_) return std::nullopt;
    const auto it = by_source_.find(source);
    const int has = it == by_source_.end() ? 0 : it->second;
    if (taken_ >= most_ / 2 && has >= share_) return std::nullopt;
    ++taken_;
    ++by_source_[source];
  }
  return Place(shared_from_this(), std::move(source));
}

void HandshakeLimit::GiveBack(const std::string& source) {
  MutexLock lock(mutex_);
  --taken_;
  const auto it = by_source_.find(source);
  if (--it->second == 0) by_source_.erase(it);
}

}  // namespace skep
