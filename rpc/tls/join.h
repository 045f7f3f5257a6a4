// Joining a fleet: a machine that holds a token gets a certificate.
//
//   authority's machine                       joiner
//   JoinServer::Listen(tcp, at, ...)          JoinFleet(tcp, at, token, "worker-7",
//   ...)
//
// The joiner makes its key and keeps it. It connects under TLS, takes the server for
// the authority's only if it shows the certificate whose fingerprint is in the token,
// and sends a signing request with the token's secret. The server shows its certificate
// and asks for none; it listens at an address of its own, where nothing else is served.
//
// Who is a member renews its certificate there: it shows it, with a signing request by
// the same key.

#ifndef SKEP_RPC_TLS_JOIN_H_
#define SKEP_RPC_TLS_JOIN_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/thread_pool.h"
#include "rpc/address.h"
#include "rpc/tls/authority.h"
#include "rpc/tls/credentials.h"
#include "rpc/tls/live_credentials.h"
#include "rpc/tls/request_limit.h"
#include "rpc/transport.h"

namespace skep {

struct JoinServerOptions {
  // Of the certificates that joiners get; who renews gets what was there before.
  absl::Duration certificate_validity = absl::Hours(24 * 90);
  // How much is answered; beyond it is ResourceExhausted. Requests of one source
  // (handshake_limit.h), good ones or not; certificates by one token; certificates for
  // one member, who has shown that it has the key; certificates in all.
  RequestRate of_source = {.burst = 20, .per_second = 5};
  RequestRate of_token = {.burst = 20, .per_second = 5};
  RequestRate of_member = {.burst = 5, .per_second = 1.0 / 60};
  RequestRate in_all = {.burst = 200, .per_second = 50};
  // Where what is asked is answered, for it signs, writes to disk and waits for the
  // lock of the authority's folder, seconds at most. Borrowed, outlives the server;
  // null: the transport's loops, which then wait as well.
  ThreadPool* pool = nullptr;
};

class JoinServer {
 public:
  // `transport` is borrowed; the stream below TLS. `credentials`: what the server
  // shows, signed by `authority`. Each answer is a line in the log.
  static absl::StatusOr<std::unique_ptr<JoinServer>> Listen(
      Transport& transport, const Address& at, Authority authority,
      std::shared_ptr<const LiveCredentials> credentials,
      JoinServerOptions options = {});
  virtual ~JoinServer() = default;
  // With the port really taken.
  virtual const Address& address() const = 0;
};

// Blocks; not called on the transport's loops. InvalidArgument: that is no token.
// PermissionDenied: it was refused, for the reason given. Unavailable: the server
// cannot be reached, or is another authority's than the token's.
absl::StatusOr<Membership> JoinFleet(Transport& transport, const Address& server,
                                     std::string_view token, const std::string& name,
                                     absl::Duration timeout);

// The same, of a certificate that takes the place of `member`'s: of its key and its
// name. PermissionDenied: it has expired, or is revoked.
absl::StatusOr<Membership> RenewMembership(Transport& transport, const Address& server,
                                           std::shared_ptr<const TlsCredentials> member,
                                           absl::Duration timeout);

}  // namespace skep

#endif  // SKEP_RPC_TLS_JOIN_H_
