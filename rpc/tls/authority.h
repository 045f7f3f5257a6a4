// The authority of a fleet: the folder with its key, what it signs, and the tokens by
// which machines join.
//
// What it signs it writes down, serial, name and end, in `issued`: by that a member can
// be revoked by name. The list of the revoked, `revoked.pem` (revocation.h), lies
// beside it; members get it with their certificates, and each time that they renew
// them.
//
// A token is three things in one line: the fingerprint of the authority's certificate,
// by which a joiner knows that it talks to the right one; when the token expires; and a
// MAC of that, under a key made from the authority's own. So the authority keeps no
// list, a token is good for any number of machines until it expires, and it cannot be
// called back.

#ifndef SKEP_RPC_TLS_AUTHORITY_H_
#define SKEP_RPC_TLS_AUTHORITY_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/tls/certificate.h"
#include "rpc/tls/revocation.h"

namespace skep {

// What a joiner reads in a token.
struct JoinToken {
  std::string fingerprint;  // of the authority's certificate
  absl::Time expiry;
  std::string secret;  // what is shown to the authority: expiry, number and MAC

  // InvalidArgument: the text is no token, or a piece of one.
  static absl::StatusOr<JoinToken> Parse(std::string_view text);
};

// So long before it was made a certificate begins.
inline constexpr absl::Duration kCertificateSkew = absl::Hours(1);

// A certificate that an authority has made.
struct IssuedCertificate {
  std::string serial;
  std::string name;
  absl::Time not_after;
};

// Immutable, but for its files; thread-safe.
class Authority {
 public:
  static constexpr char kCertificateFile[] = "ca.pem";
  static constexpr char kKeyFile[] = "ca-key.pem";
  static constexpr char kIssuedFile[] = "issued";

  // Makes the folder with a new key, which only its owner may read. AlreadyExists: the
  // folder holds an authority, or a member's key.
  static absl::StatusOr<Authority> Create(const std::string& directory,
                                          std::string_view fleet,
                                          absl::Duration valid_for, absl::Time now);
  // NotFound; PermissionDenied: others may read the key; FailedPrecondition: it does
  // not fit.
  static absl::StatusOr<Authority> Open(const std::string& directory);
  // Of PEM texts: without files, so that nothing is written down or revoked.
  static absl::StatusOr<Authority> FromPem(CertifiedKey own);

  const std::string& fleet() const { return fleet_; }
  const std::string& certificate() const { return own_.certificate; }
  const std::string& fingerprint() const { return fingerprint_; }

  // A certificate for the key of `request` (certificate.h), from an hour before `now`,
  // since clocks differ, and never longer than the authority's own.
  // FailedPrecondition: that has ended.
  absl::StatusOr<std::string> Sign(std::string_view request, const std::string& name,
                                   const std::vector<std::string>& hosts,
                                   absl::Duration valid_for, absl::Time now) const;

  // What `certificate` says, if whoever made `request` may renew it: the request is
  // signed with its key, so only its holder can have made it. PermissionDenied: it is
  // not, or the certificate is not ours, not valid at `now`, or revoked.
  absl::StatusOr<CertificateInfo> CheckRenewal(std::string_view request,
                                               std::string_view certificate,
                                               absl::Time now) const;
  // A new certificate for the holder of `certificate`, with its key, name and hosts;
  // good for as long as that one was made for, unless `valid_for` says otherwise.
  // Errors as CheckRenewal's.
  absl::StatusOr<std::string> Renew(std::string_view request,
                                    std::string_view certificate,
                                    std::optional<absl::Duration> valid_for,
                                    absl::Time now) const;

  // What was made so far, the oldest first.
  absl::StatusOr<std::vector<IssuedCertificate>> Issued() const;
  // PEM; "" if nobody was revoked.
  absl::StatusOr<std::string> RevokedPem() const;
  absl::StatusOr<RevocationList> Revoked() const;
  // Calls back all certificates of this name that are still valid, and signs the list.
  // A serial number stands for the member that it was made for, whose other
  // certificates are as good as that one to whoever has its key; unless `only` it is
  // meant. NotFound: there is none. Returns those that were added.
  absl::StatusOr<std::vector<IssuedCertificate>> Revoke(const std::string& which,
                                                        absl::Time now,
                                                        bool only = false) const;

  std::string MakeToken(absl::Duration valid_for, absl::Time now) const;
  // PermissionDenied: expired, or not ours. Takes as long for every wrong MAC.
  absl::Status CheckSecret(std::string_view secret, absl::Time now) const;

 private:
  Authority() = default;
  std::string MacOf(std::string_view text) const;
  absl::Status WriteDown(const std::string& certificate) const;
  std::string PathOf(std::string_view file) const;

  std::string directory_;  // "": none
  CertifiedKey own_;
  std::string fleet_;
  std::string fingerprint_;
  absl::Time not_after_;
  std::string token_key_;
};

// What a member of a fleet has.
struct Membership {
  std::string authority;  // PEM
  CertifiedKey own;
  std::string revoked;  // PEM; "": there is no list
};

// Writes a member's files into `directory`, which is made; the key for its owner's
// eyes. AlreadyExists: there is a key, or an authority. CheckMayWriteMember finds that
// out before, and whether files can be written there at all.
absl::Status CheckMayWriteMember(const std::string& directory);
absl::Status WriteMember(const std::string& directory, const Membership& member);
// Writes what a renewal changes, each file in one step; the key stays. Of the list of
// the revoked, another authority's part stays, and so does what is newer there.
absl::Status UpdateRevoked(const std::string& directory, const std::string& revoked);
absl::Status UpdateMember(const std::string& directory, const Membership& member);

}  // namespace skep

#endif  // SKEP_RPC_TLS_AUTHORITY_H_
