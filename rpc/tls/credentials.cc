#include "rpc/tls/credentials.h"

#include <unistd.h>

#include <utility>
#include <vector>

#include "base/status.h"
#include "rpc/tls/openssl.h"
#include "rpc/tls/pem.h"
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
constexpr char kAuthorityKeyFile[] = "ca-key.pem";

// What is wrong with a file, and what to do.
absl::Status WrongFile(const std::string& path, const absl::Status& wrong) {
  if (wrong.ok()) return wrong;
  return Annotate(MakeStatus(wrong.code(), Message(wrong),
                             ": take all files from where the folder was made, or make "
                             "a new one with `skep cert issue` or `skep cert join`"),
                  path);
}

// An authority's folder has a ca.pem, too.
absl::Status CheckIsNoAuthority(const std::string& directory) {
  const auto has = [&directory](const char* file) {
    return access(StrCat(directory, "/", file).c_str(), F_OK) == 0;
  };
  if (!has(kAuthorityKeyFile) || has("cert.pem")) return absl::OkStatus();
  return FailedPrecondition(
      directory, " is an authority's folder and no member's: ", "`skep cert issue ",
      directory, " NAME` makes ", directory, "/NAME, which is one");
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
  X509* const certificate = X509_STORE_CTX_get_current_cert(verification);
  if (ours.revoked().Contains(ToHex(X509_get0_serialNumber(certificate)))) {
    X509_STORE_CTX_set_error(verification, X509_V_ERR_CERT_REVOKED);
    return 0;
  }
  const Identity theirs = IdentityOf(certificate);
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
  // Who sends no authority at all does not expect joiners: tls_fault.cc tells them so.
  X509_STORE_CTX_set_error(
      verification, sk_X509_num(sent) > 1 ? X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
                                          : X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT);
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

absl::Status CheckDates(const CertificateInfo& info, absl::Time now) {
  const auto text = [](absl::Time time) {
    return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
  };
  // Its last second is good too.
  if (now >= info.not_after + absl::Seconds(1)) {
    return FailedPrecondition("was good until ", text(info.not_after),
                              ": make a new one with `skep cert issue` or `skep cert ",
                              "join`");
  }
  if (now < info.not_before) {
    return FailedPrecondition("is good from ", text(info.not_before),
                              " on, and here it is ", text(now),
                              ": compare the clocks of both machines");
  }
  return absl::OkStatus();
}

}  // namespace

TlsCredentials::~TlsCredentials() {
  SSL_CTX_free(client_);
  SSL_CTX_free(server_);
  SSL_CTX_free(joiners_);
}

absl::Status TlsCredentials::MakeContexts() {
  client_ = SSL_CTX_new(TLS_client_method());
  server_ = SSL_CTX_new(TLS_server_method());
  joiners_ = SSL_CTX_new(TLS_server_method());
  for (SSL_CTX* const context : {client_, server_, joiners_}) {
    SKEP_RETURN_IF_ERROR(PrepareContext(context));
  }
  SKEP_RETURN_IF_ERROR(PrepareClient());
  PrepareServer(server_);
  PrepareServer(joiners_);
  SSL_CTX_set_verify(server_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     &CheckFleet);
  if (authority_.empty()) return absl::OkStatus();
  SKEP_ASSIGN_OR_RETURN(std::vector<X509Ptr> authorities,
                        ParseCertificates(authority_));
  for (X509Ptr& authority : authorities) {
    if (SSL_CTX_add_extra_chain_cert(joiners_, authority.get()) != 1) {
      return CryptoError("set up TLS");
    }
    authority.release();  // is the context's now
  }
  return absl::OkStatus();
}

absl::Status TlsCredentials::PrepareContext(SSL_CTX* context) {
  if (context == nullptr ||
      SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context, kCiphers) != 1 ||
      SSL_CTX_set1_groups_list(context, kGroups) != 1) {
    return CryptoError("set up TLS");
  }
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_verify_depth(context, kMaxChain);
  SSL_CTX_set_max_cert_list(context, kMaxCertificateBytes);
  if (!authority_.empty()) {
    SKEP_ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities,
                          ParseCertificates(authority_));
    for (const X509Ptr& authority : authorities) {
      if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1) {
        return InvalidArgument("the authority's certificate: ", TakeOpenSslError());
      }
    }
  }
  if (own_.certificate.empty()) return absl::OkStatus();
  SKEP_ASSIGN_OR_RETURN(const X509Ptr certificate, ParseCertificate(own_.certificate));
  SKEP_ASSIGN_OR_RETURN(const KeyPtr key, ParseKey(own_.key));
  if (SSL_CTX_use_certificate(context, certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return InvalidArgument("the certificate or its key: ", TakeOpenSslError());
  }
  return absl::OkStatus();
}

absl::Status TlsCredentials::PrepareClient() {
  const std::string offer = OfferOf(kChannelProtocol);
  SSL_CTX_set_verify(client_, SSL_VERIFY_PEER, pinned_.empty() ? &CheckFleet : nullptr);
  if (!pinned_.empty()) SSL_CTX_set_cert_verify_callback(client_, &VerifyPinned, this);
  // Zero is success here.
  if (SSL_CTX_set_alpn_protos(client_,
                              reinterpret_cast<const unsigned char*>(offer.data()),
                              static_cast<unsigned int>(offer.size())) != 0) {
    return CryptoError("set up TLS");
  }
  // A ticket tells a client that its certificate was accepted (tls_session.h). Nobody
  // resumes by it: each connection shows that its certificates are still valid.
  SSL_CTX_set_session_cache_mode(client_,
                                 SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(client_, &TlsSession::OnTicket);
  return absl::OkStatus();
}

void TlsCredentials::PrepareServer(SSL_CTX* context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  // With NO_TICKET it holds the number of a session that is not kept, instead of the
  // session: a client of another make that comes with it shakes hands in full. OpenSSL
  // would break off a handshake that it could resume.
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
  SSL_CTX_set_alpn_select_cb(context, &ChooseProtocol, nullptr);
}

absl::StatusOr<std::shared_ptr<const TlsCredentials>> TlsCredentials::FromPem(
    std::string authority, CertifiedKey own, std::string_view revoked) {
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo info,
                        DescribeCertificate(own.certificate));
  SKEP_RETURN_IF_ERROR(CheckKeyFits(own.certificate, own.key));
  if (info.identity.fleet.empty() || info.is_authority) {
    return FailedPrecondition("the certificate names no member of a fleet: make one ",
                              "with `skep cert issue`");
  }
  std::shared_ptr<TlsCredentials> made(new TlsCredentials);
  if (!revoked.empty()) {
    SKEP_ASSIGN_OR_RETURN(made->revoked_, RevocationList::Parse(revoked, authority));
  }
  made->identity_ = info.identity;
  made->expiry_ = info.not_after;
  made->authority_ = std::move(authority);
  made->own_ = std::move(own);
  SKEP_RETURN_IF_ERROR(made->MakeContexts());
  return made;
}

absl::StatusOr<std::shared_ptr<const TlsCredentials>> TlsCredentials::Load(
    const std::string& directory, absl::Time now, const TlsCredentials* before) {
  SKEP_RETURN_IF_ERROR(CheckIsNoAuthority(directory));
  CertifiedKey own;
  SKEP_ASSIGN_OR_RETURN(std::string authority,
                        ReadPublicFile(directory + "/ca.pem", kMemberHint));
  SKEP_ASSIGN_OR_RETURN(own.certificate,
                        ReadPublicFile(directory + "/cert.pem", kMemberHint));
  SKEP_ASSIGN_OR_RETURN(own.key, ReadPrivateFile(directory + "/key.pem", kMemberHint));
  SKEP_RETURN_IF_ERROR(
      WrongFile(directory + "/ca.pem", ParseCertificates(authority).status()));
  const std::string list = StrCat(directory, "/", kRevokedFile);
  SKEP_ASSIGN_OR_RETURN(
      const std::string revoked,
      ReadIfThere(list,
                  "it says whom not to believe; copy it from the authority's folder"));
  if (!revoked.empty()) {
    SKEP_RETURN_IF_ERROR(
        Annotate(RevocationList::Parse(revoked, authority).status(), list));
  }
  const std::string certificate = directory + "/cert.pem";
  SKEP_RETURN_IF_ERROR(
      WrongFile(certificate, ParseCertificate(own.certificate).status()));
  SKEP_RETURN_IF_ERROR(WrongFile(directory + "/key.pem", ParseKey(own.key).status()));
  SKEP_RETURN_IF_ERROR(
      WrongFile(certificate, CheckSignedBy(own.certificate, authority)));
  SKEP_RETURN_IF_ERROR(WrongFile(directory, CheckKeyFits(own.certificate, own.key)));
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo info,
                        DescribeCertificate(own.certificate));
  SKEP_RETURN_IF_ERROR(Annotate(CheckDates(info, now), certificate));
  absl::StatusOr<std::shared_ptr<const TlsCredentials>> made =
      FromPem(std::move(authority), std::move(own), revoked);
  if (!made.ok()) return Annotate(made.status(), directory);
  SKEP_RETURN_IF_ERROR(Annotate((*made)->MayFollow(before), directory));
  if (before == nullptr && (*made)->revoked().Contains(info.serial)) {
    return FailedPrecondition(directory, "/cert.pem is revoked: no member believes ",
                              "it; join anew, or have a new one issued");
  }
  return made;
}

absl::Status TlsCredentials::MayFollow(const TlsCredentials* before) const {
  if (before == nullptr) return absl::OkStatus();
  if (identity_ != before->identity_) {
    return FailedPrecondition("the certificate is of ", identity_,
                              ", and this process started as ", before->identity_);
  }
  // Of authorities that are believed no more the lists do not matter.
  return Annotate(revoked_.MayFollow(before->revoked_, authority_), kRevokedFile);
}

absl::Status TlsCredentials::Believes(std::string_view pem) const {
  SKEP_ASSIGN_OR_RETURN(const X509Ptr peer, ParseCertificate(pem));
  const Identity theirs = IdentityOf(peer.get());
  if (theirs.fleet != identity_.fleet || theirs.name.empty()) {
    return FailedPrecondition("wrong fleet: the certificate is of ", theirs,
                              ", and we are of fleet \"", identity_.fleet, "\"");
  }
  return StillKnows(peer.get());
}

absl::Status TlsCredentials::StillKnows(X509* peer) const {
  if (revoked_.Contains(ToHex(X509_get0_serialNumber(peer)))) {
    return FailedPrecondition(IdentityOf(peer), " was revoked");
  }
  SKEP_ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities,
                        ParseCertificates(authority_));
  for (const X509Ptr& authority : authorities) {
    const bool good = X509_verify(peer, X509_get0_pubkey(authority.get())) == 1;
    ERR_clear_error();
    if (good) return absl::OkStatus();
  }
  return FailedPrecondition("the authority of ", IdentityOf(peer),
                            " is not in ca.pem any more");
}

absl::StatusOr<std::shared_ptr<const TlsCredentials>> TlsCredentials::ForJoining(
    std::string_view authority_fingerprint) {
  std::shared_ptr<TlsCredentials> made(new TlsCredentials);
  made->pinned_ = authority_fingerprint;
  SKEP_RETURN_IF_ERROR(made->MakeContexts());
  return made;
}

}  // namespace skep
