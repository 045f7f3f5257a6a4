// Certificates of a fleet: X.509 in PEM, P-256 keys, one authority for each fleet.
//
// Who holds one is named by a URI among its names, "skep://FLEET/NAME". Every
// certificate also carries the DNS name "FLEET.skep", which gRPC's clients, who know
// nothing of such URIs, ask for; and those hosts that its maker listed.

#ifndef SKEP_RPC_TLS_CERTIFICATE_H_
#define SKEP_RPC_TLS_CERTIFICATE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

typedef struct x509_st X509;

namespace skep {

// Who holds a certificate.
struct Identity {
  std::string fleet;
  std::string name;

  // "skep://FLEET/NAME"; empty without a fleet.
  std::string ToString() const;
  friend bool operator==(const Identity&, const Identity&) = default;
};

// InvalidArgument unless `text` is 1 to 63 of a-z A-Z 0-9 . - _: names go into
// certificates, where other characters have meanings. `what` is for the message.
absl::Status CheckName(std::string_view text, std::string_view what);

// "FLEET.skep".
std::string FleetHost(std::string_view fleet);

// A private key and the certificate of its public half, both PEM.
struct CertifiedKey {
  std::string certificate;
  std::string key;
};

struct CertificateSpec {
  Identity identity;
  std::vector<std::string> hosts;  // host names and IP addresses
  absl::Time not_before;
  absl::Time not_after;
};

// A new authority of the fleet, which signs itself.
absl::StatusOr<CertifiedKey> MakeAuthority(std::string_view fleet,
                                           absl::Time not_before, absl::Time not_after);

// A new private key, PEM.
absl::StatusOr<std::string> MakePrivateKey();

// A request to certify `key`, signed with it (PKCS #10, PEM). It names nobody: the
// authority decides about names.
absl::StatusOr<std::string> MakeSigningRequest(std::string_view key);

// Signs the key of `request` as `spec` says, by the authority. InvalidArgument: the
// request is damaged or not signed by its own key, a bad name or host.
absl::StatusOr<std::string> SignRequest(const CertifiedKey& authority,
                                        std::string_view request,
                                        const CertificateSpec& spec);

// What a certificate says.
struct CertificateInfo {
  Identity identity;
  bool is_authority = false;
  std::vector<std::string> hosts;
  absl::Time not_before;
  absl::Time not_after;
  std::string fingerprint;  // SHA-256 of the certificate, 64 hex digits
  std::string serial;       // lower-case hex digits; random, so that no two are alike
};
absl::StatusOr<CertificateInfo> DescribeCertificate(std::string_view pem);

// FailedPrecondition unless `key` is the private key of `certificate`.
absl::Status CheckKeyFits(std::string_view certificate, std::string_view key);

// FailedPrecondition unless one of `authorities`, a bundle, signed `certificate`.
absl::Status CheckSignedBy(std::string_view certificate, std::string_view authorities);

// FailedPrecondition unless `request` (MakeSigningRequest) is for the key of
// `certificate`, and signed with it: only who holds the key can have made it.
absl::Status CheckRequestsFor(std::string_view request, std::string_view certificate);

// The same of OpenSSL's own object. For an authority's the name is empty.
Identity IdentityOf(X509* certificate);
std::string FingerprintOf(X509* certificate);

}  // namespace skep

#endif  // SKEP_RPC_TLS_CERTIFICATE_H_
