// A Transport whose streams are encrypted and whose peers have proved who they are: TLS
// 1.3 over the streams of another Transport, sockets and simulated ones alike.
//
//   SKEP_ASSIGN_OR_RETURN(auto credentials, TlsCredentials::Load("/etc/skep/tls"));
//   TlsTransport secure(tcp, credentials);
//   Server::Listen(secure, ...); Connect(secure, ...);
//
// Streams behave as transport.h says, and what that says of a peer's half-close is here
// a matter of TLS: the peer closed its half if it said so under encryption; a
// connection that ends without that was cut, and is Unavailable.
//
// Connect is done when the handshake is, and the server has accepted our certificate:
// why it has not is in the status, in words. Accepted streams are handed over before
// their handshake, which ends within kHandshakeTimeout; a peer that is refused is a
// stream that gets OnClosed(Unavailable) first, and a line in the log.

#ifndef SKEP_RPC_TLS_TLS_TRANSPORT_H_
#define SKEP_RPC_TLS_TLS_TRANSPORT_H_

#include <memory>
#include <string>

#include "rpc/tls/credentials.h"
#include "rpc/tls/live_credentials.h"
#include "rpc/transport.h"

namespace skep {

// Of an accepted connection; of a connecting one at most.
inline constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);
// Accepted connections whose handshake is not over; more are closed as they come. Of
// the second half of them one source may have so many (handshake_limit.h).
inline constexpr int kMaxHandshakes = 1000;
inline constexpr int kMaxHandshakesOfOne = 100;

class HandshakeLimit;

// Who is let in by a listener: members alone, or those who want to become some, of whom
// no certificate is asked.
enum class Admit { kMembers, kJoiners };

// Thread-safe.
class TlsTransport final : public Transport {
 public:
  // `below` is borrowed and outlives this and its streams. When `credentials` change,
  // new connections go by the new ones, and peers of old ones that are known no more
  // are cut off before their next byte is looked at.
  TlsTransport(Transport& below, std::shared_ptr<const LiveCredentials> credentials,
               Admit admit = Admit::kMembers);
  // With credentials that do not change.
  TlsTransport(Transport& below, std::shared_ptr<const TlsCredentials> credentials);

  void Connect(const Address& to, absl::Duration timeout, Connected done) override;
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& at,
                                                   Accept accept) override;
  Executor& executor() override { return below_.executor(); }

 private:
  Transport& below_;
  const std::shared_ptr<const LiveCredentials> credentials_;
  const Admit admit_;
  // Shared with handshakes, which may outlive this.
  const std::shared_ptr<HandshakeLimit> handshakes_;
};

// Who the peer of a TlsTransport's stream has proved to be, "skep://FLEET/NAME"; known
// from the first OnData on. Empty for other streams, and for a joiner. On the stream's
// executor.
std::string PeerIdentity(const Stream& stream);

}  // namespace skep

#endif  // SKEP_RPC_TLS_TLS_TRANSPORT_H_
