// A fleet's authority and its members, made in memory.

#ifndef SKEP_RPC_TLS_TEST_FLEET_H_
#define SKEP_RPC_TLS_TEST_FLEET_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "glog/logging.h"
#include "rpc/tls/certificate.h"
#include "rpc/tls/credentials.h"
#include "rpc/tls/live_credentials.h"
#include "rpc/tls/revocation.h"

namespace skep {

class TestFleet {
 public:
  explicit TestFleet(const std::string& fleet) : fleet_(fleet) {
    auto made = MakeAuthority(fleet, absl::Now() - absl::Hours(1000),
                              absl::Now() + absl::Hours(1000));
    CHECK(made.ok()) << made.status();
    authority_ = *std::move(made);
  }

  const CertifiedKey& authority() const { return authority_; }

  // `fleet`: another one than the authority's own, signed by it all the same.
  CertifiedKey Member(const std::string& name,
                      absl::Duration valid_for = absl::Hours(100),
                      absl::Duration valid_since = absl::Hours(-1),
                      const std::string& fleet = "") const {
    CertifiedKey own;
    own.key = *MakePrivateKey();
    CertificateSpec spec;
    spec.identity = {fleet.empty() ? fleet_ : fleet, name};
    spec.not_before = absl::Now() + valid_since;
    spec.not_after = absl::Now() + valid_for;
    auto signed_one = SignRequest(authority_, *MakeSigningRequest(own.key), spec);
    CHECK(signed_one.ok()) << signed_one.status();
    own.certificate = *std::move(signed_one);
    return own;
  }

  std::shared_ptr<const TlsCredentials> Credentials(CertifiedKey own) const {
    auto made = TlsCredentials::FromPem(authority_.certificate, std::move(own));
    CHECK(made.ok()) << made.status();
    return *std::move(made);
  }
  std::shared_ptr<const TlsCredentials> Credentials(const std::string& name) const {
    return Credentials(Member(name));
  }
  // Of one who has the list of those whose certificates are `revoked`.
  std::shared_ptr<const TlsCredentials> Knowing(
      CertifiedKey own, const std::vector<CertifiedKey>& revoked) const {
    RevocationList list;
    for (const CertifiedKey& one : revoked) {
      list.Add(DescribeCertificate(one.certificate)->serial, absl::Now());
    }
    auto made = TlsCredentials::FromPem(authority_.certificate, std::move(own),
                                        *list.Sign(authority_, absl::Now()));
    CHECK(made.ok()) << made.status();
    return *std::move(made);
  }
  std::shared_ptr<LiveCredentials> Live(const std::string& name) const {
    return std::make_shared<LiveCredentials>(Credentials(name));
  }

 private:
  const std::string fleet_;
  CertifiedKey authority_;
};

}  // namespace skep

#endif  // SKEP_RPC_TLS_TEST_FLEET_H_
