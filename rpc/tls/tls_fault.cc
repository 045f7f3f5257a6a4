#include "rpc/tls/tls_fault.h"

#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "base/log_filter.h"
#include "base/strings.h"
#include "glog/logging.h"
#include "rpc/tls/credentials.h"
#include "rpc/tls/handshake_limit.h"
#include "rpc/tls/openssl.h"
#include "rpc/tls_record.h"

namespace skep {
namespace {

std::string DescribeVerification(SSL* ssl, const std::string& fleet) {
  const long result = SSL_get_verify_result(ssl);
  const auto* const ours =
      static_cast<const TlsCredentials*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (result == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT && !ours->pinned().empty()) {
    return "it is no join port: it does not show its authority, as those do for "
           "machines with a token; take the address that `skep master --join` printed";
  }
  switch (result) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED:
      return "unknown authority: its certificate is not signed by the authority that "
             "we know (ca.pem, or the join token's): is it of another fleet, or was "
             "the "
             "authority made anew?";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "its certificate has expired: it needs a new one, from `skep cert renew` "
             "or `skep cert join`";
    case X509_V_ERR_CERT_REVOKED:
      return "its certificate is revoked (revoked.pem)";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "its certificate is not valid yet: compare the clocks of both machines";
    case X509_V_ERR_APPLICATION_VERIFICATION:
      return StrCat("wrong fleet: its certificate is not of fleet \"", fleet, "\"");
    default:
      return StrCat("its certificate is not good: ",
                    X509_verify_cert_error_string(result));
  }
}

}  // namespace

std::string DescribeTlsFault(SSL* ssl, const std::string& fleet) {
  const unsigned long error = ERR_peek_error();
  const std::string plain = TakeOpenSslError();
  switch (ERR_GET_REASON(error)) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return DescribeVerification(ssl, fleet);
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "no certificate: it showed none, and only members of the fleet are served";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "it refused our certificate: unknown authority (our cert.pem and its "
             "ca.pem are of different ones)";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "it refused our certificate: expired; get a new one from `skep cert "
             "renew` or `skep cert join`";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return "it refused our certificate: revoked; who keeps the authority may issue a "
             "new one, or give a join token";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
      return "it refused our certificate: not good, or not valid yet by its clock";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "it refused us: we showed no certificate";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return StrCat("it refused us: wrong fleet (ours is \"", fleet,
                    "\"), or nothing in common with its TLS");
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return "no protocol in common: one end speaks neither the channel (skep/1) nor "
             "HTTP/2 (h2)";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return "no version in common: TLS 1.3 is needed";
    default:
      return plain;
  }
}

bool LooksLikeTls(std::string_view first_bytes) {
  return BeginsTlsAlert(first_bytes) || BeginsTlsHandshake(first_bytes);
}

std::string_view PlainTextRefusal() {
  // A fatal alert of two bytes: protocol_version.
  static constexpr char kRefusal[] = {
      kTlsAlertRecord, kTlsRecordVersion, 3, 0, 2, 2, 70};
  return {kRefusal, sizeof kRefusal};
}

void LogRefusal(const std::string& peer, const absl::Status& reason) {
  static auto* const filter = new LogFilter;
  const absl::Time now = absl::Now();
  const std::string source = SourceOf(peer);
  // Without the port, which is another at each attempt.
  const std::string what = absl::StrReplaceAll(reason.message(), {{peer, source}});
  if (!filter->Passes(StrCat(source, " ", what), now)) return;
  LOG(WARNING) << "tls_refused peer=" << peer << " reason=" << ToStd(reason.message());
}

}  // namespace skep
