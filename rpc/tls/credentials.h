// What one process shows to its fleet, and by what it knows the fleet: a certificate,
// its key, and the authority that signed both its own and its peers'.

#ifndef SKEP_RPC_TLS_CREDENTIALS_H_
#define SKEP_RPC_TLS_CREDENTIALS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/tls/certificate.h"

typedef struct ssl_ctx_st SSL_CTX;

namespace skep {

// The protocols that are agreed on in the handshake (ALPN): the channel's and gRPC's.
inline constexpr std::string_view kChannelProtocol = "skep/1";
inline constexpr std::string_view kHttp2Protocol = "h2";

// Immutable and shared: every connection made from it keeps what it needs alive.
//
// TLS 1.3 only. A peer's certificate must be signed by the authority, be valid now and
// name the same fleet; both ends show one. Within a fleet there are no ranks: whoever
// holds a certificate may do what any member may.
class TlsCredentials {
 public:
  // Reads ca.pem, cert.pem and key.pem in `directory`. NotFound names the missing file
  // and the command that makes it. FailedPrecondition: others may read the key, the
  // key does not fit, the certificate is another authority's, or not valid at `now`.
  static absl::StatusOr<std::shared_ptr<const TlsCredentials>> Load(
      const std::string& directory, absl::Time now = absl::Now());
  // The same of PEM texts. Does not look at dates: peers do.
  static absl::StatusOr<std::shared_ptr<const TlsCredentials>> FromPem(
      std::string authority, CertifiedKey own);

  // For those who have no certificate yet and ask for one: the client shows none; the
  // server asks for none and sends its authority's certificate, which the client knows
  // by its fingerprint alone.
  static absl::StatusOr<std::shared_ptr<const TlsCredentials>> ForJoining(
      std::string_view authority_fingerprint);
  absl::StatusOr<std::shared_ptr<const TlsCredentials>> ForServingJoiners() const;

  ~TlsCredentials();
  TlsCredentials(const TlsCredentials&) = delete;
  TlsCredentials& operator=(const TlsCredentials&) = delete;

  const Identity& identity() const { return identity_; }
  absl::Time expiry() const { return expiry_; }
  // PEM, for gRPC.
  const std::string& authority() const { return authority_; }
  const CertifiedKey& own() const { return own_; }
  // The authority that its peers' certificates must come from, by fingerprint; empty:
  // `authority()`.
  const std::string& pinned() const { return pinned_; }

  SSL_CTX* client_context() const { return client_; }
  SSL_CTX* server_context() const { return server_; }

 private:
  TlsCredentials() = default;
  absl::Status MakeContexts(bool ask_for_certificates);

  Identity identity_;
  absl::Time expiry_;
  std::string authority_;
  CertifiedKey own_;
  std::string pinned_;
  SSL_CTX* client_ = nullptr;
  SSL_CTX* server_ = nullptr;
};

}  // namespace skep

#endif  // SKEP_RPC_TLS_CREDENTIALS_H_
