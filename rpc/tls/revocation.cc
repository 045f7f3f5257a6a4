#include "rpc/tls/revocation.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
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

// Which of the authorities has signed it; null: none.
X509* SignerOf(X509_CRL* list, const std::vector<X509Ptr>& authorities) {
  const auto signer = std::find_if(
      authorities.begin(), authorities.end(), [list](const X509Ptr& authority) {
        return X509_CRL_verify(list, X509_get0_pubkey(authority.get())) == 1;
      });
  ERR_clear_error();
  return signer == authorities.end() ? nullptr : signer->get();
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

// One list of a text, and who has signed it.
struct SignedList {
  CrlPtr list;
  std::string signer;
};

absl::StatusOr<std::vector<SignedList>> ParseLists(std::string_view pem,
                                                   std::string_view authorities_pem) {
  SKEP_ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities,
                        ParseCertificates(authorities_pem));
  const BioPtr in = BioOver(pem);
  std::vector<SignedList> all;
  while (CrlPtr list{PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr)}) {
    X509* const signer = SignerOf(list.get(), authorities);
    if (signer == nullptr) {
      return FailedPrecondition(
          "list ", all.size() + 1,
          " of revoked certificates is not signed by an authority of ca.pem: copy ",
          "revoked.pem again from the authority's folder, or take out the list of an ",
          "authority that has gone");
    }
    all.push_back({std::move(list), KeyDigest(signer)});
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = TakeOpenSslError();
  if (!all.empty() && at_end) return all;
  return InvalidArgument("not a list of revoked certificates in PEM: ", why,
                         "; copy revoked.pem again from the authority's folder");
}

}  // namespace

std::string KeyDigest(X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_pubkey_digest(certificate, EVP_sha256(), digest, &size) != 1) return "";
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), size));
}

absl::StatusOr<RevocationList> RevocationList::Parse(std::string_view pem,
                                                     std::string_view authorities_pem) {
  SKEP_ASSIGN_OR_RETURN(const std::vector<SignedList> lists,
                        ParseLists(pem, authorities_pem));
  RevocationList all;
  for (const auto& [list, signer] : lists) {
    uint64_t& number = all.numbers_[signer];
    number = std::max(number, NumberOf(list.get()));
    STACK_OF(X509_REVOKED)* const entries = X509_CRL_get_REVOKED(list.get());
    for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
      const X509_REVOKED* const entry = sk_X509_REVOKED_value(entries, i);
      all.Add(ToHex(X509_REVOKED_get0_serialNumber(entry)),
              ToTime(X509_REVOKED_get0_revocationDate(entry)));
    }
  }
  return all;
}

absl::StatusOr<std::string> RevocationList::Newest(std::string_view one,
                                                   std::string_view other,
                                                   std::string_view authorities) {
  std::map<std::string, CrlPtr> newest;  // by signer
  for (const std::string_view pem : {one, other}) {
    if (pem.empty()) continue;
    SKEP_ASSIGN_OR_RETURN(std::vector<SignedList> lists, ParseLists(pem, authorities));
    for (SignedList& next : lists) {
      CrlPtr& best = newest[next.signer];
      if (best == nullptr || NumberOf(best.get()) < NumberOf(next.list.get())) {
        best = std::move(next.list);
      }
    }
  }
  const BioPtr out(BIO_new(BIO_s_mem()));
  for (const auto& [signer, list] : newest) {
    if (PEM_write_bio_X509_CRL(out.get(), list.get()) != 1) {
      return CryptoError("write a list of revoked certificates");
    }
  }
  return Contents(out.get());
}

uint64_t RevocationList::number(std::string_view key_digest) const {
  const auto it = numbers_.find(key_digest);
  return it == numbers_.end() ? 0 : it->second;
}

absl::Status RevocationList::MayFollow(const RevocationList& before,
                                       std::string_view authorities_pem) const {
  SKEP_ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities,
                        ParseCertificates(authorities_pem));
  for (const X509Ptr& authority : authorities) {
    const std::string signer = KeyDigest(authority.get());
    if (number(signer) >= before.number(signer)) continue;
    return FailedPrecondition(
        "its list of authority ", FingerprintOf(authority.get()).substr(0, 16),
        " is older than what was read last: number ", number(signer),
        " (0: it has gone), after ", before.number(signer));
  }
  return absl::OkStatus();
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
      ASN1_INTEGER_set_uint64(number.get(),
                              this->number(KeyDigest(issuer.get())) + 1) == 1 &&
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
