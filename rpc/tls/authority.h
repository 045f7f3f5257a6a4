// The authority of a fleet: the folder with its key, what it signs, and the tokens by
// which machines join.
//
// A token is three things in one line: the fingerprint of the authority's certificate,
// by which a joiner knows that it talks to the right one; when the token expires; and a
// MAC of that, under a key made from the authority's own. So the authority keeps no
// list, a token is good for any number of machines until it expires, and it cannot be
// called back.

#ifndef SKEP_RPC_TLS_AUTHORITY_H_
#define SKEP_RPC_TLS_AUTHORITY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/tls/certificate.h"

namespace skep {

// What a joiner reads in a token.
struct JoinToken {
  std::string fingerprint;  // of the authority's certificate
  absl::Time expiry;
  std::string secret;  // what is shown to the authority: expiry, number and MAC

  // InvalidArgument: the text is no token, or a piece of one.
  static absl::StatusOr<JoinToken> Parse(std::string_view text);
};

// Immutable; thread-safe.
class Authority {
 public:
  static constexpr char kCertificateFile[] = "ca.pem";
  static constexpr char kKeyFile[] = "ca-key.pem";

  // Makes the folder with a new key, which only its owner may read. AlreadyExists: the
  // folder holds an authority, or a member's key.
  static absl::StatusOr<Authority> Create(const std::string& directory,
                                          std::string_view fleet,
                                          absl::Duration valid_for, absl::Time now);
  // NotFound, or FailedPrecondition: others may read the key, or it does not fit.
  static absl::StatusOr<Authority> Open(const std::string& directory);
  // Of PEM texts.
  static absl::StatusOr<Authority> FromPem(CertifiedKey own);

  const std::string& fleet() const { return fleet_; }
  const std::string& certificate() const { return own_.certificate; }
  const std::string& fingerprint() const { return fingerprint_; }

  // A certificate for the key of `request` (certificate.h), from an hour before `now`,
  // since clocks differ.
  absl::StatusOr<std::string> Sign(std::string_view request, const std::string& name,
                                   const std::vector<std::string>& hosts,
                                   absl::Duration valid_for, absl::Time now) const;

  std::string MakeToken(absl::Duration valid_for, absl::Time now) const;
  // PermissionDenied: expired, or not ours. Takes as long for every wrong MAC.
  absl::Status CheckSecret(std::string_view secret, absl::Time now) const;

 private:
  Authority() = default;
  std::string MacOf(std::string_view text) const;

  CertifiedKey own_;
  std::string fleet_;
  std::string fingerprint_;
  std::string token_key_;
};

// Writes a member's ca.pem, cert.pem and key.pem into `directory`, which is made; the
// key for its owner's eyes. AlreadyExists: there is a key, or an authority.
absl::Status WriteMember(const std::string& directory, const std::string& authority,
                         const CertifiedKey& own);

}  // namespace skep

#endif  // SKEP_RPC_TLS_AUTHORITY_H_
