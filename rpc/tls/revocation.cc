#include "rpc/tls/revocation.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/status.h"
#include "rpc/tls/openssl.h"
#include "rpc/tls/pem.h"

namespace skep {
namespace {

using CrlPtr = std::unique_ptr<X509_CRL, OpenSslDeleter<X509_CRL_free>>;
using RevokedPtr = std::unique_ptr<X509_REVOKED, OpenSslDeleter<X509_REVOKED_free>>;
using IntegerPtr = std::unique_ptr<ASN1_INTEGER, OpenSslDeleter<ASN1_INTEGER_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, OpenSslDeleter<ASN1_TIME_free>>;

constexpr int kVersion2 = 1;  // counted from 0
// RFC 5280 wants an end; nobody goes by it (see revocation.h).
constexpr absl::Duration kNextUpdate = absl::Hours(24 * 3650);

bool SignedByOneOf(X509_CRL* list, const std::vector<X509Ptr>& authorities) {
  const bool good = std::any_of(
      authorities.begin(), authorities.end(), [list](const X509Ptr& authority) {
        return X509_CRL_verify(list, X509_get0_pubkey(authority.get())) == 1;
      });
  ERR_clear_error();
  return good;
}

uint64_t NumberOf(X509_CRL* list) {
  const IntegerPtr number(static_cast<ASN1_INTEGER*>(
      X509_CRL_get_ext_d2i(list, NID_crl_number, nullptr, nullptr)));
  uint64_t value = 0;
  if (number == nullptr || ASN1_INTEGER_get_uint64(&value, number.get()) != 1) return 0;
  return value;
}

// "0a1b" as OpenSSL has it; null: no hex digits.
IntegerPtr ToInteger(const std::string& serial) {
  BIGNUM* value = nullptr;
  const int digits = BN_hex2bn(&value, serial.c_str());
  IntegerPtr integer;
  if (value != nullptr && digits == static_cast<int>(serial.size())) {
    integer.reset(BN_to_ASN1_INTEGER(value, nullptr));
  }
  BN_free(value);
  return integer;
}

bool AddEntry(X509_CRL* list, const std::string& serial, absl::Time at) {
  RevokedPtr entry(X509_REVOKED_new());
  const IntegerPtr number = ToInteger(serial);
  const TimePtr time(ASN1_TIME_set(nullptr, absl::ToTimeT(at)));
  if (entry == nullptr || number == nullptr || time == nullptr ||
      X509_REVOKED_set_serialNumber(entry.get(), number.get()) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), time.get()) != 1 ||
      X509_CRL_add0_revoked(list, entry.get()) != 1) {
    return false;
  }
  entry.release();  // is the list's now
  return true;
}

}  // namespace

absl::StatusOr<RevocationList> RevocationList::Parse(std::string_view pem,
                                                     std::string_view authorities_pem) {
  SKEP_ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities,
                        ParseCertificates(authorities_pem));
  const BioPtr in = BioOver(pem);
  RevocationList all;
  bool any = false;
  while (
      const CrlPtr list{PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr)}) {
    any = true;
    if (!SignedByOneOf(list.get(), authorities)) {
      return FailedPrecondition(
          "the list of revoked certificates is not signed by the authority of ca.pem");
    }
    all.number_ = std::max(all.number_, NumberOf(list.get()));
    STACK_OF(X509_REVOKED)* const entries = X509_CRL_get_REVOKED(list.get());
    for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
      const X509_REVOKED* const entry = sk_X509_REVOKED_value(entries, i);
      all.Add(ToHex(X509_REVOKED_get0_serialNumber(entry)),
              ToTime(X509_REVOKED_get0_revocationDate(entry)));
    }
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = TakeOpenSslError();
  if (any && at_end) return all;
  return InvalidArgument("not a list of revoked certificates in PEM: ", why);
}

absl::StatusOr<std::string> RevocationList::Sign(const CertifiedKey& authority,
                                                 absl::Time now) const {
  SKEP_ASSIGN_OR_RETURN(const X509Ptr issuer, ParseCertificate(authority.certificate));
  SKEP_ASSIGN_OR_RETURN(const KeyPtr key, ParseKey(authority.key));
  const CrlPtr list(X509_CRL_new());
  const IntegerPtr number(ASN1_INTEGER_new());
  const TimePtr from(ASN1_TIME_set(nullptr, absl::ToTimeT(now)));
  const TimePtr until(ASN1_TIME_set(nullptr, absl::ToTimeT(now + kNextUpdate)));
  bool good =
      list != nullptr && number != nullptr && from != nullptr && until != nullptr &&
      ASN1_INTEGER_set_uint64(number.get(), number_ + 1) == 1 &&
      X509_CRL_set_version(list.get(), kVersion2) == 1 &&
      X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(issuer.get())) == 1 &&
      X509_CRL_set1_lastUpdate(list.get(), from.get()) == 1 &&
      X509_CRL_set1_nextUpdate(list.get(), until.get()) == 1 &&
      X509_CRL_add1_ext_i2d(list.get(), NID_crl_number, number.get(), 0, 0) == 1;
  for (const auto& [serial, at] : at_) {
    good = good && AddEntry(list.get(), serial, at);
  }
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!good || X509_CRL_sort(list.get()) != 1 ||
      X509_CRL_sign(list.get(), key.get(), EVP_sha256()) == 0 ||
      PEM_write_bio_X509_CRL(out.get(), list.get()) != 1) {
    return CryptoError("sign a list of revoked certificates");
  }
  return Contents(out.get());
}

}  // namespace skep
