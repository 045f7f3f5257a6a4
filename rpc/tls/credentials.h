// What one process shows to its fleet, and by what it knows the fleet: a certificate,
// its key, and the authority that signed both its own and its peers'.

#ifndef SKEP_RPC_TLS_CREDENTIALS_H_
#define SKEP_RPC_TLS_CREDENTIALS_H_

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/tls/certificate.h"
#include "rpc/tls/revocation.h"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct x509_st X509;

namespace skep {

// The protocols that are agreed on in the handshake (ALPN): the channel's and gRPC's.
inline constexpr std::string_view kChannelProtocol = "skep/1";
inline constexpr std::string_view kHttp2Protocol = "h2";

// A member's folder. The authority's file may be a bundle: while a fleet goes over to a
// new authority, both the old and the new one. The last file need not be there.
inline constexpr char kRevokedFile[] = "revoked.pem";
inline constexpr std::array<const char*, 4> kMemberFiles = {"ca.pem", "cert.pem",
                                                            "key.pem", kRevokedFile};

// Immutable and shared: every connection made from it keeps what it needs alive.
//
// TLS 1.3 only. A peer's certificate must be signed by the authority, be valid now, not
// be revoked and name the same fleet; both ends show one. Within a fleet there are no
// ranks: whoever holds a certificate may do what any member may.
class TlsCredentials {
 public:
  // Reads kMemberFiles in `directory`. NotFound names the missing file and the command
  // that makes it. PermissionDenied: others may read the key. FailedPrecondition: the
  // key does not fit, the certificate is another authority's, not valid at `now`, or
  // revoked. `before`: what was loaded from there last, if anything: another member's
  // certificate is refused, and so is a list of revoked ones that is older than its of
  // the same authority, or has gone.
  static absl::StatusOr<std::shared_ptr<const TlsCredentials>> Load(
      const std::string& directory, absl::Time now = absl::Now(),
      const TlsCredentials* before = nullptr);
  // The same of PEM texts. Does not look at dates: peers do. `revoked`: "" if there is
  // no list.
  static absl::StatusOr<std::shared_ptr<const TlsCredentials>> FromPem(
      std::string authority, CertifiedKey own, std::string_view revoked = "");

  // Of a client who has no certificate yet and asks for one: it shows none, and knows
  // the server (joiner_context) by the fingerprint of its authority alone.
  static absl::StatusOr<std::shared_ptr<const TlsCredentials>> ForJoining(
      std::string_view authority_fingerprint);

  ~TlsCredentials();
  TlsCredentials(const TlsCredentials&) = delete;
  TlsCredentials& operator=(const TlsCredentials&) = delete;

  // Of a peer whose certificate was good when it connected: FailedPrecondition if it
  // is revoked, or its authority not known any more. Dates do not count here.
  absl::Status StillKnows(X509* peer) const;
  // Of a peer whose chain and dates another TLS has checked, gRPC's: the same, and
  // FailedPrecondition if it is no member of our fleet. `pem`: its certificate.
  absl::Status Believes(std::string_view pem) const;

  const Identity& identity() const { return identity_; }
  absl::Time expiry() const { return expiry_; }
  const RevocationList& revoked() const { return revoked_; }
  // PEM, for gRPC.
  const std::string& authority() const { return authority_; }
  const CertifiedKey& own() const { return own_; }
  // The authority that its peers' certificates must come from, by fingerprint; empty:
  // `authority()`.
  const std::string& pinned() const { return pinned_; }

  SSL_CTX* client_context() const { return client_; }
  SSL_CTX* server_context() const { return server_; }
  // Of a server that asks for no certificate, and sends its authority's.
  SSL_CTX* joiner_context() const { return joiners_; }

 private:
  TlsCredentials() = default;
  absl::Status MayFollow(const TlsCredentials* before) const;
  absl::Status MakeContexts();
  absl::Status PrepareContext(SSL_CTX* context);
  absl::Status PrepareClient();
  void PrepareServer(SSL_CTX* context);

  Identity identity_;
  absl::Time expiry_;
  std::string authority_;
  CertifiedKey own_;
  std::string pinned_;
  RevocationList revoked_;
  SSL_CTX* client_ = nullptr;
  SSL_CTX* server_ = nullptr;
  SSL_CTX* joiners_ = nullptr;
};

}  // namespace skep

#endif  // SKEP_RPC_TLS_CREDENTIALS_H_
