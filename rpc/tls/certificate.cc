#include "rpc/tls/certificate.h"

#include <openssl/bn.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/status.h"
#include "rpc/tls/openssl.h"
#include "rpc/tls/pem.h"

namespace skep {
namespace {

constexpr std::string_view kScheme = "skep://";
constexpr int kVersion3 = 2;  // counted from 0

using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;
using ExtensionPtr =
    std::unique_ptr<X509_EXTENSION, OpenSslDeleter<X509_EXTENSION_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, OpenSslDeleter<BN_free>>;
using AddressPtr =
    std::unique_ptr<ASN1_OCTET_STRING, OpenSslDeleter<ASN1_OCTET_STRING_free>>;

absl::StatusOr<std::string> ToPem(X509* certificate) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(out.get(), certificate) != 1) {
    return CryptoError("write a certificate");
  }
  return Contents(out.get());
}

absl::Status AddExtension(X509* certificate, X509* issuer, int nid,
                          const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1) {
    return CryptoError(StrCat("add ", value, " to a certificate"));
  }
  return absl::OkStatus();
}

// A new certificate with serial, times, subject and key, for `issuer` to sign; null:
// its own.
absl::StatusOr<X509Ptr> NewCertificate(EVP_PKEY* key, const std::string& subject,
                                       X509* issuer, absl::Time not_before,
                                       absl::Time not_after) {
  // Years have four digits there (RFC 5280, 4.1.2.5).
  if (not_before >= not_after || not_after > absl::FromUnixSeconds(253'402'300'799)) {
    return InvalidArgument(
        "a certificate cannot be valid from ", absl::FormatTime(not_before), " until ",
        absl::FormatTime(not_after), ": say fewer days, but one at least");
  }
  X509Ptr certificate(X509_new());
  X509* const raw = certificate.get();
  // 20 bytes at most and positive (RFC 5280, 4.1.2.2).
  const NumberPtr serial(BN_new());
  X509_NAME* const name = X509_get_subject_name(raw);
  if (BN_rand(serial.get(), 159, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(raw)) == nullptr ||
      X509_set_version(raw, kVersion3) != 1 ||
      ASN1_TIME_set(X509_getm_notBefore(raw), absl::ToTimeT(not_before)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(raw), absl::ToTimeT(not_after)) == nullptr ||
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(subject.data()),
                                 static_cast<int>(subject.size()), -1, 0) != 1 ||
      X509_set_issuer_name(
          raw, issuer == nullptr ? name : X509_get_subject_name(issuer)) != 1 ||
      X509_set_pubkey(raw, key) != 1) {
    return CryptoError("make a certificate");
  }
  return certificate;
}

absl::StatusOr<std::string> Sign(X509* certificate, EVP_PKEY* key) {
  if (X509_sign(certificate, key, EVP_sha256()) == 0) {
    return CryptoError("sign a certificate");
  }
  return ToPem(certificate);
}

// For people: whose it is, a name of another kind says. At most 64 characters.
std::string AuthoritySubject(std::string_view fleet) {
  return StrCat("skep authority of ", fleet).substr(0, 64);
}

bool IsIpAddress(const std::string& host) {
  return AddressPtr(a2i_IPADDRESS(host.c_str())) != nullptr;
}

// As subjectAltName wants it. Every part has been checked: commas begin a new name.
absl::StatusOr<std::string> AlternativeNames(const CertificateSpec& spec) {
  std::string names =
      StrCat("URI:", spec.identity.ToString(), ",DNS:", FleetHost(spec.identity.fleet));
  for (const std::string& host : spec.hosts) {
    if (IsIpAddress(host)) {
      StrAppend(&names, ",IP:", host);
    } else {
      SKEP_RETURN_IF_ERROR(CheckName(host, "host"));
      StrAppend(&names, ",DNS:", host);
    }
  }
  return names;
}

std::string_view TextOf(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

std::string IpText(const ASN1_STRING* bytes) {
  // OpenSSL writes addresses only as part of a whole name.
  std::string text;
  const std::string_view ip = TextOf(bytes);
  if (ip.size() == 4) {
    for (const char c : ip) {
      StrAppend(&text, text.empty() ? "" : ".", int{static_cast<uint8_t>(c)});
    }
    return text;
  }
  for (size_t i = 0; i + 1 < ip.size(); i += 2) {
    StrAppend(&text, text.empty() ? "" : ":",
              ToStd(absl::BytesToHexString(ToAbsl(ip.substr(i, 2)))));
  }
  return text;
}

NamesPtr NamesOf(X509* certificate) {
  return NamesPtr(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
}

}  // namespace

std::string Identity::ToString() const {
  return fleet.empty() ? "" : StrCat(kScheme, fleet, "/", name);
}

absl::Status CheckName(std::string_view text, std::string_view what) {
  const bool good = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '-' || c == '_';
  });
  const bool folder = text == "." || text == "..";  // names become folders
  if (good && !folder && !text.empty() && text.size() <= 63) return absl::OkStatus();
  return InvalidArgument("'", text.substr(0, 80), "' is not good as a ", what,
                         ": take 1 to 63 letters, digits, dots, dashes, underscores");
}

std::string FleetHost(std::string_view fleet) { return StrCat(fleet, ".skep"); }

absl::StatusOr<std::string> MakePrivateKey() {
  const KeyPtr key(EVP_EC_gen("P-256"));
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (key == nullptr || PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr,
                                                 0, nullptr, nullptr) != 1) {
    return CryptoError("make a key");
  }
  return Contents(out.get());
}

absl::StatusOr<CertifiedKey> MakeAuthority(std::string_view fleet,
                                           absl::Time not_before,
                                           absl::Time not_after) {
  SKEP_RETURN_IF_ERROR(CheckName(fleet, "fleet's name"));
  CertifiedKey authority;
  SKEP_ASSIGN_OR_RETURN(authority.key, MakePrivateKey());
  SKEP_ASSIGN_OR_RETURN(const KeyPtr key, ParseKey(authority.key));
  SKEP_ASSIGN_OR_RETURN(const X509Ptr certificate,
                        NewCertificate(key.get(), AuthoritySubject(fleet), nullptr,
                                       not_before, not_after));
  X509* const raw = certificate.get();
  const std::pair<int, std::string> extensions[] = {
      {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
      {NID_key_usage, "critical,keyCertSign,cRLSign"},
      {NID_subject_key_identifier, "hash"},
      {NID_subject_alt_name, StrCat("URI:", kScheme, fleet, "/")},
  };
  for (const auto& [nid, value] : extensions) {
    SKEP_RETURN_IF_ERROR(AddExtension(raw, raw, nid, value));
  }
  SKEP_ASSIGN_OR_RETURN(authority.certificate, Sign(raw, key.get()));
  return authority;
}

absl::StatusOr<std::string> MakeSigningRequest(std::string_view key_pem) {
  SKEP_ASSIGN_OR_RETURN(const KeyPtr key, ParseKey(key_pem));
  const X509RequestPtr request(X509_REQ_new());
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (X509_REQ_set_version(request.get(), 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0 ||
      PEM_write_bio_X509_REQ(out.get(), request.get()) != 1) {
    return CryptoError("make a signing request");
  }
  return Contents(out.get());
}

absl::StatusOr<std::string> SignRequest(const CertifiedKey& authority,
                                        std::string_view request_pem,
                                        const CertificateSpec& spec) {
  SKEP_RETURN_IF_ERROR(CheckName(spec.identity.fleet, "fleet's name"));
  SKEP_RETURN_IF_ERROR(CheckName(spec.identity.name, "name"));
  SKEP_ASSIGN_OR_RETURN(const std::string names, AlternativeNames(spec));
  SKEP_ASSIGN_OR_RETURN(const X509Ptr issuer, ParseCertificate(authority.certificate));
  SKEP_ASSIGN_OR_RETURN(const KeyPtr issuer_key, ParseKey(authority.key));
  const X509RequestPtr request(
      PEM_read_bio_X509_REQ(BioOver(request_pem).get(), nullptr, nullptr, nullptr));
  if (request == nullptr) {
    return InvalidArgument("not a signing request in PEM: ", TakeOpenSslError());
  }
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || X509_REQ_verify(request.get(), key) != 1) {
    ERR_clear_error();
    return InvalidArgument("the signing request is not signed by its own key");
  }
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) {
    return InvalidArgument("the signing request's key is not an elliptic curve's");
  }
  SKEP_ASSIGN_OR_RETURN(const X509Ptr certificate,
                        NewCertificate(key, spec.identity.name, issuer.get(),
                                       spec.not_before, spec.not_after));
  X509* const raw = certificate.get();
  const std::pair<int, std::string> extensions[] = {
      {NID_basic_constraints, "critical,CA:FALSE"},
      {NID_key_usage, "critical,digitalSignature"},
      {NID_ext_key_usage, "serverAuth,clientAuth"},
      {NID_subject_key_identifier, "hash"},
      {NID_authority_key_identifier, "keyid:always"},
      {NID_subject_alt_name, names},
  };
  for (const auto& [nid, value] : extensions) {
    SKEP_RETURN_IF_ERROR(AddExtension(raw, issuer.get(), nid, value));
  }
  return Sign(raw, issuer_key.get());
}

Identity IdentityOf(X509* certificate) {
  const NamesPtr names = NamesOf(certificate);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    std::string_view uri = TextOf(name->d.uniformResourceIdentifier);
    if (!uri.starts_with(kScheme)) continue;
    uri.remove_prefix(kScheme.size());
    const size_t slash = uri.find('/');
    if (slash == uri.npos) continue;
    return {std::string(uri.substr(0, slash)), std::string(uri.substr(slash + 1))};
  }
  return {};
}

std::string FingerprintOf(X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1) return "";
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), size));
}

absl::StatusOr<CertificateInfo> DescribeCertificate(std::string_view pem) {
  SKEP_ASSIGN_OR_RETURN(const X509Ptr certificate, ParseCertificate(pem));
  X509* const raw = certificate.get();
  CertificateInfo info;
  info.identity = IdentityOf(raw);
  info.is_authority = X509_check_ca(raw) == 1;
  info.not_before = ToTime(X509_get0_notBefore(raw));
  info.not_after = ToTime(X509_get0_notAfter(raw));
  info.fingerprint = FingerprintOf(raw);
  info.serial = ToHex(X509_get0_serialNumber(raw));
  const NamesPtr names = NamesOf(raw);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) info.hosts.emplace_back(TextOf(name->d.dNSName));
    if (name->type == GEN_IPADD) info.hosts.push_back(IpText(name->d.iPAddress));
  }
  return info;
}

absl::Status CheckKeyFits(std::string_view certificate_pem, std::string_view key_pem) {
  SKEP_ASSIGN_OR_RETURN(const X509Ptr certificate, ParseCertificate(certificate_pem));
  SKEP_ASSIGN_OR_RETURN(const KeyPtr key, ParseKey(key_pem));
  if (X509_check_private_key(certificate.get(), key.get()) == 1) {
    return absl::OkStatus();
  }
  ERR_clear_error();
  return FailedPrecondition("the private key is not that of the certificate");
}

absl::Status CheckSignedBy(std::string_view certificate_pem,
                           std::string_view authorities_pem) {
  SKEP_ASSIGN_OR_RETURN(const X509Ptr certificate, ParseCertificate(certificate_pem));
  SKEP_ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities,
                        ParseCertificates(authorities_pem));
  for (const X509Ptr& authority : authorities) {
    const bool good =
        X509_verify(certificate.get(), X509_get0_pubkey(authority.get())) == 1;
    ERR_clear_error();
    if (good) return absl::OkStatus();
  }
  return FailedPrecondition("not signed by the authority of ca.pem (",
                            IdentityOf(authorities[0].get()), " ",
                            FingerprintOf(authorities[0].get()).substr(0, 16), ")");
}

absl::Status CheckRequestsFor(std::string_view request_pem,
                              std::string_view certificate_pem) {
  SKEP_ASSIGN_OR_RETURN(const X509Ptr certificate, ParseCertificate(certificate_pem));
  const X509RequestPtr request(
      PEM_read_bio_X509_REQ(BioOver(request_pem).get(), nullptr, nullptr, nullptr));
  EVP_PKEY* const key =
      request == nullptr ? nullptr : X509_REQ_get0_pubkey(request.get());
  const bool same = key != nullptr &&
                    EVP_PKEY_eq(key, X509_get0_pubkey(certificate.get())) == 1 &&
                    X509_REQ_verify(request.get(), key) == 1;
  ERR_clear_error();
  if (same) return absl::OkStatus();
  return FailedPrecondition("the signing request is not by the certificate's key");
}

}  // namespace skep
