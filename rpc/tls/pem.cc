#include "rpc/tls/pem.h"

#include <openssl/bn.h>
#include <openssl/pem.h>

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/status.h"

namespace skep {
namespace {

using NumberPtr = std::unique_ptr<BIGNUM, OpenSslDeleter<BN_free>>;

// A key under a passphrase is refused rather than asked about at the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

BioPtr BioOver(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

std::string Contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

absl::StatusOr<X509Ptr> ParseCertificate(std::string_view pem) {
  X509Ptr certificate(PEM_read_bio_X509(BioOver(pem).get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) {
    return InvalidArgument("not a certificate in PEM: ", TakeOpenSslError());
  }
  return certificate;
}

absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(std::string_view pem) {
  const BioPtr in = BioOver(pem);
  std::vector<X509Ptr> all;
  while (X509* const one = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) {
    all.emplace_back(one);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = TakeOpenSslError();
  if (!all.empty() && at_end) return all;
  return InvalidArgument("certificate ", all.size() + 1, " is none in PEM: ", why);
}

absl::StatusOr<KeyPtr> ParseKey(std::string_view pem) {
  KeyPtr key(
      PEM_read_bio_PrivateKey(BioOver(pem).get(), nullptr, &NoPassphrase, nullptr));
  if (key == nullptr) {
    return InvalidArgument("not a private key in PEM: ", TakeOpenSslError());
  }
  return key;
}

absl::Time ToTime(const ASN1_TIME* time) {
  tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

std::string ToHex(const ASN1_INTEGER* number) {
  const NumberPtr value(ASN1_INTEGER_to_BN(number, nullptr));
  char* const digits = value == nullptr ? nullptr : BN_bn2hex(value.get());
  if (digits == nullptr) return "";
  std::string text = absl::AsciiStrToLower(digits);
  OPENSSL_free(digits);
  return text;
}

absl::Status CryptoError(std::string_view what) {
  return Internal(what, ": ", TakeOpenSslError());
}

}  // namespace skep
