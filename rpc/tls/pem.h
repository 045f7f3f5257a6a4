// OpenSSL's objects from PEM texts and back. Included by .cc files only.

#ifndef SKEP_RPC_TLS_PEM_H_
#define SKEP_RPC_TLS_PEM_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/tls/openssl.h"

namespace skep {

// Reads from `bytes`, which are borrowed.
BioPtr BioOver(std::string_view bytes);
std::string Contents(BIO* bio);

// InvalidArgument: there is none. What follows the first one is not looked at.
absl::StatusOr<X509Ptr> ParseCertificate(std::string_view pem);
// All of them, one at least: a bundle.
absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(std::string_view pem);
absl::StatusOr<KeyPtr> ParseKey(std::string_view pem);

absl::Time ToTime(const ASN1_TIME* time);
// Lower-case hex digits.
std::string ToHex(const ASN1_INTEGER* number);

// Internal: "what: why", of OpenSSL's error queue, which is emptied.
absl::Status CryptoError(std::string_view what);

}  // namespace skep

#endif  // SKEP_RPC_TLS_PEM_H_
