#include "rpc/tls/credentials.h"

#include <openssl/pem.h>

#include <utility>

#include "base/status.h"
#include "glog/logging.h"
#include "rpc/tls/openssl.h"
#include "rpc/tls/pem_file.h"
#include "rpc/tls/tls_session.h"

namespace skep {
namespace {

// The first is the cheapest where the processor has AES instructions.
constexpr char kCiphers[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr char kGroups[] = "X25519:P-256";
// What a peer may send as its certificates, before it is known to be one of ours.
constexpr long kMaxCertificateBytes = 32 << 10;
// A fleet's authority signs its members' certificates itself.
constexpr int kMaxChain = 1;
constexpr char kMemberHint[] =
    "a member's folder holds ca.pem, cert.pem and key.pem, as `skep cert issue` and "
    "`skep cert join` make them";
constexpr absl::Duration kWarnBeforeExpiry = absl::Hours(24 * 14);

BioPtr BioOver(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

X509Ptr ParseCertificate(std::string_view pem) {
  return X509Ptr(PEM_read_bio_X509(BioOver(pem).get(), nullptr, nullptr, nullptr));
}

// Our own name is found by the SSL that a verification belongs to.
const TlsCredentials& CredentialsOf(X509_STORE_CTX* verification) {
  SSL* const ssl = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return *static_cast<const TlsCredentials*>(
      SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

// After OpenSSL has had its say about each certificate of the chain, the member's last.
int CheckFleet(int good, X509_STORE_CTX* verification) {
  if (good != 1 || X509_STORE_CTX_get_error_depth(verification) != 0) return good;
  const TlsCredentials& ours = CredentialsOf(verification);
  const Identity theirs = IdentityOf(X509_STORE_CTX_get_current_cert(verification));
  if (theirs.fleet == ours.identity().fleet && !theirs.name.empty()) return 1;
  X509_STORE_CTX_set_error(verification, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

// Of a joiner: nothing is trusted but an authority of this fingerprint.
int VerifyPinned(X509_STORE_CTX* verification, void* arg) {
  const auto& ours = *static_cast<const TlsCredentials*>(arg);
  STACK_OF(X509)* const sent = X509_STORE_CTX_get0_untrusted(verification);
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    X509* const candidate = sk_X509_value(sent, i);
    if (FingerprintOf(candidate) != ours.pinned()) continue;
    X509_STORE* const store = X509_STORE_CTX_get0_store(verification);
    return X509_STORE_add_cert(store, candidate) == 1 &&
           X509_verify_cert(verification) == 1;
  }
  X509_STORE_CTX_set_error(verification, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
  return 0;
}

int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  for (const std::string_view ours : {kChannelProtocol, kHttp2Protocol}) {
    for (unsigned int at = 0; at < offered_size; at += 1 + offered[at]) {
      const std::string_view theirs(reinterpret_cast<const char*>(offered + at + 1),
                                    offered[at]);
      if (at + 1 + offered[at] > offered_size) break;
      if (theirs != ours) continue;
      *chosen = offered + at + 1;
      *chosen_size = offered[at];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// Its length, then the name (RFC 7301, 3.1).
std::string OfferOf(std::string_view protocol) {
  return StrCat(std::string(1, static_cast<char>(protocol.size())), protocol);
}

}  // namespace

TlsCredentials::~TlsCredentials() {
  SSL_CTX_free(client_);
  SSL_CTX_free(server_);
}

absl::Status TlsCredentials::MakeContexts(bool ask_for_certificates) {
  client_ = SSL_CTX_new(TLS_client_method());
  server_ = SSL_CTX_new(TLS_server_method());
  const std::string offer = OfferOf(kChannelProtocol);
  for (SSL_CTX* const context : {client_, server_}) {
    if (context == nullptr ||
        SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, kCiphers) != 1 ||
        SSL_CTX_set1_groups_list(context, kGroups) != 1) {
      return Internal("set up TLS: ", TakeOpenSslError());
    }
    SSL_CTX_set_app_data(context, this);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_verify_depth(context, kMaxChain);
    SSL_CTX_set_max_cert_list(context, kMaxCertificateBytes);
    if (!authority_.empty()) {
      const X509Ptr authority = ParseCertificate(authority_);
      if (authority == nullptr ||
          X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1) {
        return InvalidArgument("the authority's certificate: ", TakeOpenSslError());
      }
    }
    if (own_.certificate.empty()) continue;
    const X509Ptr certificate = ParseCertificate(own_.certificate);
    const KeyPtr key(
        PEM_read_bio_PrivateKey(BioOver(own_.key).get(), nullptr, nullptr, nullptr));
    if (SSL_CTX_use_certificate(context, certificate.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
      return InvalidArgument("the certificate or its key: ", TakeOpenSslError());
    }
  }
  SSL_CTX_set_verify(client_, SSL_VERIFY_PEER, pinned_.empty() ? &CheckFleet : nullptr);
  if (!pinned_.empty()) SSL_CTX_set_cert_verify_callback(client_, &VerifyPinned, this);
  SSL_CTX_set_alpn_protos(client_, reinterpret_cast<const unsigned char*>(offer.data()),
                          static_cast<unsigned int>(offer.size()));
  // A ticket tells a client that its certificate was accepted (tls_session.h). Nobody
  // resumes by it: each connection shows that its certificates are still valid.
  SSL_CTX_set_session_cache_mode(client_,
                                 SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(client_, &TlsSession::OnTicket);
  SSL_CTX_set_session_cache_mode(server_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(server_, 1);
  // With NO_TICKET it holds the number of a session that is not kept, instead of the
  // session: a client of another make that comes with it shakes hands in full. OpenSSL
  // would break off a handshake that it could resume.
  SSL_CTX_set_options(server_, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
  SSL_CTX_set_alpn_select_cb(server_, &ChooseProtocol, nullptr);
  if (ask_for_certificates) {
    SSL_CTX_set_verify(server_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       &CheckFleet);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const TlsCredentials>> TlsCredentials::FromPem(
    std::string authority, CertifiedKey own) {
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo info,
                        DescribeCertificate(own.certificate));
  SKEP_RETURN_IF_ERROR(CheckKeyFits(own.certificate, own.key));
  if (info.identity.fleet.empty() || info.is_authority) {
    return FailedPrecondition("the certificate names no member of a fleet: make one ",
                              "with `skep cert issue`");
  }
  std::shared_ptr<TlsCredentials> made(new TlsCredentials);
  made->identity_ = info.identity;
  made->expiry_ = info.not_after;
  made->authority_ = std::move(authority);
  made->own_ = std::move(own);
  SKEP_RETURN_IF_ERROR(made->MakeContexts(true));
  return made;
}

absl::StatusOr<std::shared_ptr<const TlsCredentials>> TlsCredentials::Load(
    const std::string& directory, absl::Time now) {
  CertifiedKey own;
  SKEP_ASSIGN_OR_RETURN(std::string authority,
                        ReadPublicFile(directory + "/ca.pem", kMemberHint));
  SKEP_ASSIGN_OR_RETURN(own.certificate,
                        ReadPublicFile(directory + "/cert.pem", kMemberHint));
  SKEP_ASSIGN_OR_RETURN(own.key, ReadPrivateFile(directory + "/key.pem", kMemberHint));
  SKEP_RETURN_IF_ERROR(
      Annotate(CheckSignedBy(own.certificate, authority), directory + "/cert.pem"));
  absl::StatusOr<std::shared_ptr<const TlsCredentials>> made =
      FromPem(std::move(authority), std::move(own));
  if (!made.ok()) return Annotate(made.status(), directory);
  const absl::Time expiry = (*made)->expiry();
  if (expiry <= now) {
    return FailedPrecondition(
        directory, "/cert.pem expired at ", absl::FormatTime(expiry),
        ": make a new one with `skep cert issue` or `skep cert join`");
  }
  if (expiry - now < kWarnBeforeExpiry) {
    LOG(WARNING) << directory << "/cert.pem expires at " << expiry
                 << ": make a new one soon, and start this process again with it";
  }
  return made;
}

absl::StatusOr<std::shared_ptr<const TlsCredentials>> TlsCredentials::ForJoining(
    std::string_view authority_fingerprint) {
  std::shared_ptr<TlsCredentials> made(new TlsCredentials);
  made->pinned_ = authority_fingerprint;
  SKEP_RETURN_IF_ERROR(made->MakeContexts(false));
  return made;
}

absl::StatusOr<std::shared_ptr<const TlsCredentials>>
TlsCredentials::ForServingJoiners() const {
  std::shared_ptr<TlsCredentials> made(new TlsCredentials);
  made->identity_ = identity_;
  made->expiry_ = expiry_;
  made->authority_ = authority_;
  made->own_ = own_;
  SKEP_RETURN_IF_ERROR(made->MakeContexts(false));
  X509Ptr authority = ParseCertificate(authority_);
  if (SSL_CTX_add_extra_chain_cert(made->server_, authority.get()) != 1) {
    return Internal("set up TLS: ", TakeOpenSslError());
  }
  authority.release();  // is the context's now
  return made;
}

}  // namespace skep
