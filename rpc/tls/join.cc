#include "rpc/tls/join.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log_filter.h"
#include "base/status.h"
#include "glog/logging.h"
#include "rpc/controller.h"
#include "rpc/server.h"
#include "rpc/tls/handshake_limit.h"
#include "rpc/tls/join.pb.h"
#include "rpc/tls/revocation.h"
#include "rpc/tls/tls_transport.h"

namespace skep {
namespace {

// Of each kind of who asks, so many are remembered.
constexpr size_t kMostKnown = 1000;
constexpr absl::Duration kMostWait = absl::Minutes(10);
// A certificate or a request for one has about 1 KiB.
constexpr size_t kMaxPemBytes = 16 << 10;

class JoinService final : public Join {
 public:
  // Tokens and certificates go by the calendar, whatever clock the transport has.
  JoinService(Authority authority, const JoinServerOptions& options)
      : authority_(std::move(authority)),
        options_(options),
        sources_(options.of_source, kMostKnown),
        tokens_(options.of_token, kMostKnown),
        members_(options.of_member, kMostKnown),
        in_all_(options.in_all, 1) {}

  void Enroll(google::protobuf::RpcController* controller, const JoinRequest* request,
              JoinReply* response, google::protobuf::Closure* done) override {
    Serve(Controller::Of(controller), "join", response, done,
          [&](absl::Time now, absl::Duration* wait) -> absl::StatusOr<std::string> {
            SKEP_RETURN_IF_ERROR(authority_.CheckSecret(request->secret(), now));
            // Its MAC is good: that it is this token is true.
            SKEP_RETURN_IF_ERROR(
                Charge(tokens_, request->secret(), "this token, which ", now, wait));
            SKEP_RETURN_IF_ERROR(CheckSize(request->request()));
            return authority_.Sign(request->request(), request->name(), {},
                                   options_.certificate_validity, now);
          });
  }

  void Renew(google::protobuf::RpcController* controller, const RenewRequest* request,
             JoinReply* response, google::protobuf::Closure* done) override {
    Serve(
        Controller::Of(controller), "renewal", response, done,
        [&](absl::Time now, absl::Duration* wait) -> absl::StatusOr<std::string> {
          SKEP_RETURN_IF_ERROR(CheckSize(request->request()));
          SKEP_RETURN_IF_ERROR(CheckSize(request->certificate()));
          SKEP_ASSIGN_OR_RETURN(
              const CertificateInfo member,
              authority_.CheckRenewal(request->request(), request->certificate(), now));
          SKEP_RETURN_IF_ERROR(Charge(members_, member.identity.name,
                                      StrCat(member.identity, ", which "), now, wait));
          return authority_.Renew(request->request(), request->certificate(),
                                  std::nullopt, now);
        });
  }

 private:
  // `make` gives the certificate, or why not, and if that is for now only, for how
  // long.
  template <typename Make>
  void Serve(Controller& call, const char* what, JoinReply* response,
             google::protobuf::Closure* done, Make make) {
    const std::string peer = call.peer() == nullptr ? "?" : call.peer()->peer();
    const absl::Time now = absl::Now();
    absl::Duration wait = sources_.Take(SourceOf(peer), now);
    absl::Status status =
        wait > absl::ZeroDuration()
            ? ResourceExhausted("too many requests come from ", SourceOf(peer))
            : Answer(make(now, &wait), response);
    if (status.ok()) {
      const auto info = DescribeCertificate(response->certificate());
      LOG(INFO) << what << "_granted peer=" << peer
                << " name=" << info->identity.ToString() << " serial=" << info->serial
                << " until=" << info->not_after;
    } else {
      // Whoever can connect can be refused as often as he likes.
      if (refusals_.Passes(StrCat(SourceOf(peer), " ", Message(status)), now)) {
        LOG(WARNING) << what << "_refused peer=" << peer
                     << " reason=" << Message(status);
      }
      if (wait > absl::ZeroDuration()) {
        const absl::Duration pause = std::clamp(wait, absl::Seconds(1), kMostWait);
        call.set_retry_after(pause);
        status = ResourceExhausted(
            Message(status), "; ask again in ",
            absl::FormatDuration(absl::Ceil(pause, absl::Seconds(1))));
      }
      call.SetStatus(status);
    }
    done->Run();
  }

  // For a certificate: who asks has shown that he is `who`, and is charged first, so
  // that nobody uses up what all have.
  absl::Status Charge(RequestLimit& limit, const std::string& who,
                      const std::string& words, absl::Time now, absl::Duration* wait) {
    *wait = limit.Take(who, now);
    if (*wait > absl::ZeroDuration()) {
      return ResourceExhausted("too many certificates are asked for by ", words,
                               "may have ", limit.rate().burst, " at once");
    }
    *wait = in_all_.Take("", now);
    if (*wait > absl::ZeroDuration()) {
      return ResourceExhausted("too many certificates are asked for");
    }
    return absl::OkStatus();
  }

  static absl::Status CheckSize(std::string_view pem) {
    if (pem.size() <= kMaxPemBytes) return absl::OkStatus();
    return InvalidArgument("a request of ", pem.size(),
                           " bytes is no request: at most ", kMaxPemBytes);
  }

  absl::Status Answer(absl::StatusOr<std::string> certificate,
                      JoinReply* response) const {
    SKEP_RETURN_IF_ERROR(certificate.status());
    SKEP_ASSIGN_OR_RETURN(const std::string revoked, authority_.RevokedPem());
    response->set_certificate(*std::move(certificate));
    response->set_authority(authority_.certificate());
    if (!revoked.empty()) response->set_revoked(revoked);
    return absl::OkStatus();
  }

  const Authority authority_;
  const JoinServerOptions options_;
  RequestLimit sources_;
  RequestLimit tokens_;
  RequestLimit members_;
  RequestLimit in_all_;
  LogFilter refusals_;
};

class JoinServerImpl final : public JoinServer {
 public:
  JoinServerImpl(Transport& transport, Authority authority,
                 std::shared_ptr<const LiveCredentials> credentials,
                 const JoinServerOptions& options)
      : pool_(options.pool),
        service_(std::move(authority), options),
        transport_(transport, std::move(credentials), Admit::kJoiners) {
    services_.Add(&service_, pool_ == nullptr ? ServiceTable::Run::kInline
                                              : ServiceTable::Run::kPool);
  }

  absl::Status Listen(const Address& at) {
    ServerOptions options;
    options.max_connections = 100;
    options.max_calls_per_connection = 1;
    options.max_memory_bytes = 16 << 20;
    options.idle_timeout = absl::Seconds(30);
    options.pool = pool_;
    SKEP_ASSIGN_OR_RETURN(
        server_, Server::Listen(transport_, at, services_, std::move(options)));
    return absl::OkStatus();
  }

  const Address& address() const override { return server_->address(); }

 private:
  ThreadPool* const pool_;
  JoinService service_;
  ServiceTable services_;
  TlsTransport transport_;
  std::unique_ptr<Server> server_;
};

// What came back must be what was asked for: a certificate of `ours` by `authority`.
absl::Status CheckMembership(const Membership& membership, const std::string& authority,
                             const Identity& ours) {
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo own,
                        DescribeCertificate(membership.own.certificate));
  SKEP_RETURN_IF_ERROR(CheckSignedBy(membership.own.certificate, authority));
  if (own.identity != ours) {
    return FailedPrecondition("the answer certifies ", own.identity, ", not ", ours);
  }
  if (!membership.revoked.empty()) {
    SKEP_RETURN_IF_ERROR(RevocationList::Parse(membership.revoked, authority).status());
  }
  return CheckKeyFits(membership.own.certificate, membership.own.key);
}

// One call on a connection of its own.
template <typename Request>
absl::StatusOr<JoinReply> Ask(Transport& transport, const Address& server,
                              std::shared_ptr<const TlsCredentials> credentials,
                              const char* method, const Request& request,
                              absl::Duration timeout) {
  TlsTransport secure(transport, std::move(credentials));
  ConnectOptions options;
  // Why there is no connection is known before the call gives up.
  options.connect_timeout = timeout * 0.9;
  options.reconnect = false;
  const std::shared_ptr<Channel> channel = Connect(secure, server, std::move(options));
  SKEP_ASSIGN_OR_RETURN(Reply<JoinReply> reply,
                        BlockingCall<JoinReply>(*channel, Method<Join>(method), request,
                                                {.timeout = timeout}));
  return std::move(reply.message);
}

}  // namespace

absl::StatusOr<std::unique_ptr<JoinServer>> JoinServer::Listen(
    Transport& transport, const Address& at, Authority authority,
    std::shared_ptr<const LiveCredentials> credentials, JoinServerOptions options) {
  SKEP_RETURN_IF_ERROR(
      CheckSignedBy(credentials->Get()->own().certificate, authority.certificate()));
  auto server = std::make_unique<JoinServerImpl>(transport, std::move(authority),
                                                 std::move(credentials), options);
  SKEP_RETURN_IF_ERROR(server->Listen(at));
  return std::unique_ptr<JoinServer>(std::move(server));
}

absl::StatusOr<Membership> JoinFleet(Transport& transport, const Address& server,
                                     std::string_view token_text,
                                     const std::string& name, absl::Duration timeout) {
  SKEP_ASSIGN_OR_RETURN(const JoinToken token, JoinToken::Parse(token_text));
  SKEP_RETURN_IF_ERROR(CheckName(name, "name"));
  SKEP_ASSIGN_OR_RETURN(auto credentials,
                        TlsCredentials::ForJoining(token.fingerprint));
  Membership membership;
  SKEP_ASSIGN_OR_RETURN(membership.own.key, MakePrivateKey());
  JoinRequest request;
  request.set_secret(token.secret);
  request.set_name(name);
  SKEP_ASSIGN_OR_RETURN(*request.mutable_request(),
                        MakeSigningRequest(membership.own.key));
  SKEP_ASSIGN_OR_RETURN(
      const JoinReply reply,
      Ask(transport, server, std::move(credentials), "Enroll", request, timeout));
  membership.own.certificate = reply.certificate();
  membership.authority = reply.authority();
  membership.revoked = reply.revoked();
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo authority,
                        DescribeCertificate(membership.authority));
  if (authority.fingerprint != token.fingerprint) {
    return FailedPrecondition("the answer names another authority than the token");
  }
  SKEP_RETURN_IF_ERROR(CheckMembership(membership, membership.authority,
                                       {authority.identity.fleet, name}));
  return membership;
}

absl::StatusOr<Membership> RenewMembership(Transport& transport, const Address& server,
                                           std::shared_ptr<const TlsCredentials> member,
                                           absl::Duration timeout) {
  Membership membership;
  membership.own.key = member->own().key;
  RenewRequest request;
  request.set_certificate(member->own().certificate);
  SKEP_ASSIGN_OR_RETURN(*request.mutable_request(),
                        MakeSigningRequest(membership.own.key));
  const absl::StatusOr<JoinReply> reply =
      Ask(transport, server, member, "Renew", request, timeout);
  if (absl::IsUnimplemented(reply.status())) {
    return Unavailable(server, " is no join port (", Message(reply.status()),
                       "): take the address that `skep master --join` printed");
  }
  SKEP_RETURN_IF_ERROR(reply.status());
  membership.authority = member->authority();
  membership.own.certificate = reply->certificate();
  membership.revoked = reply->revoked();
  SKEP_RETURN_IF_ERROR(
      CheckMembership(membership, membership.authority, member->identity()));
  // An older list than ours would believe again whom we do not: then ours stays.
  if (!membership.revoked.empty()) {
    SKEP_ASSIGN_OR_RETURN(
        const RevocationList list,
        RevocationList::Parse(membership.revoked, membership.authority));
    if (!list.MayFollow(member->revoked(), reply->authority()).ok()) {
      membership.revoked.clear();
    }
  }
  return membership;
}

}  // namespace skep
