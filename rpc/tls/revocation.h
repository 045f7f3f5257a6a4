// Certificates that an authority has called back before they expire: X.509's
// certificate revocation list (RFC 5280, section 5), in PEM.
//
// The authority signs the whole list anew each time. A list has no end here: members go
// by the last one that they have, however old, since a fleet that stops because nobody
// signed an unchanged list again is worse than one that learns late.

#ifndef SKEP_RPC_TLS_REVOCATION_H_
#define SKEP_RPC_TLS_REVOCATION_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/tls/certificate.h"

namespace skep {

// Which authority it is, whatever certificate its key has: SHA-256 of the key, in hex.
std::string KeyDigest(X509* certificate);

// Immutable once made; thread-safe.
class RevocationList {
 public:
  RevocationList() = default;  // nobody
  // Of a list in PEM, or of several, one after the other. InvalidArgument: damaged.
  // FailedPrecondition: one is not signed by any of `authorities`, a bundle.
  static absl::StatusOr<RevocationList> Parse(std::string_view pem,
                                              std::string_view authorities);
  // Of two such texts, either of which may be empty, the newest list of each authority,
  // in PEM: who goes by it goes by no list that is older than what was there.
  static absl::StatusOr<std::string> Newest(std::string_view one,
                                            std::string_view other,
                                            std::string_view authorities);

  // `serial` as in CertificateInfo.
  bool Contains(std::string_view serial) const { return at_.count(serial) != 0; }
  size_t size() const { return at_.size(); }
  // It grows with each list that an authority signs: which of two is the newer. Each
  // authority counts its own, and is known by KeyDigest. 0: it has signed none.
  uint64_t number(std::string_view key_digest) const;
  // FailedPrecondition: of one of `authorities` this has an older list than `before`,
  // or none any more.
  absl::Status MayFollow(const RevocationList& before,
                         std::string_view authorities) const;
  // When each was called back, by serial.
  const std::map<std::string, absl::Time, std::less<>>& entries() const { return at_; }

  // One more; to be signed.
  void Add(const std::string& serial, absl::Time at) { at_.emplace(serial, at); }
  // The list with the next number, in PEM.
  absl::StatusOr<std::string> Sign(const CertifiedKey& authority, absl::Time now) const;

 private:
  std::map<std::string, absl::Time, std::less<>> at_;
  std::map<std::string, uint64_t, std::less<>> numbers_;  // by KeyDigest
};

}  // namespace skep

#endif  // SKEP_RPC_TLS_REVOCATION_H_
