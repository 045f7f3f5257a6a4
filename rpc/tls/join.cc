#include "rpc/tls/join.h"

#include <algorithm>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "glog/logging.h"
#include "rpc/controller.h"
#include "rpc/server.h"
#include "rpc/tls/join.pb.h"
#include "rpc/tls/tls_transport.h"

namespace skep {
namespace {

// A token bucket, of the other kind of token.
class RateLimit {
 public:
  RateLimit(double burst, double per_second, absl::Time now)
      : burst_(burst), per_second_(per_second), left_(burst), last_(now) {}

  bool Take(absl::Time now) {
    MutexLock lock(mutex_);
    left_ = std::min(burst_, left_ + absl::ToDoubleSeconds(now - last_) * per_second_);
    last_ = std::max(last_, now);
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  const double burst_;
  const double per_second_;
  Mutex mutex_;
  double left_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_ ABSL_GUARDED_BY(mutex_);
};

class JoinService final : public Join {
 public:
  // Tokens and certificates go by the calendar, whatever clock the transport has.
  JoinService(Authority authority, const JoinServerOptions& options)
      : authority_(std::move(authority)),
        options_(options),
        limit_(options.burst, options.per_second, absl::Now()) {}

  void Enroll(google::protobuf::RpcController* controller, const JoinRequest* request,
              JoinReply* response, google::protobuf::Closure* done) override {
    Controller& call = Controller::Of(controller);
    const std::string peer = call.peer() == nullptr ? "?" : call.peer()->peer();
    const absl::Time now = absl::Now();
    if (!limit_.Take(now)) {
      call.SetStatus(
          ResourceExhausted("too many machines ask to join; ask again later"));
      call.set_retry_after(absl::Seconds(1));
      return done->Run();
    }
    const absl::StatusOr<std::string> certificate = Answer(*request, now);
    if (certificate.ok()) {
      response->set_certificate(*certificate);
      response->set_authority(authority_.certificate());
      LOG(INFO) << "join_granted peer=" << peer << " name=" << request->name()
                << " fleet=" << authority_.fleet()
                << " fingerprint=" << DescribeCertificate(*certificate)->fingerprint
                << " until=" << now + options_.certificate_validity;
    } else {
      LOG(WARNING) << "join_refused peer=" << peer
                   << " reason=" << Message(certificate.status());
      call.SetStatus(certificate.status());
    }
    done->Run();
  }

 private:
  absl::StatusOr<std::string> Answer(const JoinRequest& request, absl::Time now) const {
    SKEP_RETURN_IF_ERROR(authority_.CheckSecret(request.secret(), now));
    return authority_.Sign(request.request(), request.name(), {},
                           options_.certificate_validity, now);
  }

  const Authority authority_;
  const JoinServerOptions options_;
  RateLimit limit_;
};

class JoinServerImpl final : public JoinServer {
 public:
  JoinServerImpl(Transport& transport, Authority authority,
                 std::shared_ptr<const TlsCredentials> credentials,
                 const JoinServerOptions& options)
      : service_(std::move(authority), options),
        transport_(transport, std::move(credentials)) {
    services_.Add(&service_);
  }

  absl::Status Listen(const Address& at) {
    ServerOptions options;
    options.max_connections = 100;
    options.max_calls_per_connection = 1;
    options.max_memory_bytes = 16 << 20;
    options.idle_timeout = absl::Seconds(30);
    SKEP_ASSIGN_OR_RETURN(
        server_, Server::Listen(transport_, at, services_, std::move(options)));
    return absl::OkStatus();
  }

  const Address& address() const override { return server_->address(); }

 private:
  JoinService service_;
  ServiceTable services_;
  TlsTransport transport_;
  std::unique_ptr<Server> server_;
};

// What came back must be what was asked for, and of the authority that the token names.
absl::Status CheckMembership(const Membership& membership, const JoinToken& token,
                             const std::string& name) {
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo authority,
                        DescribeCertificate(membership.authority));
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo own,
                        DescribeCertificate(membership.own.certificate));
  if (authority.fingerprint != token.fingerprint) {
    return FailedPrecondition("the answer names another authority than the token");
  }
  SKEP_RETURN_IF_ERROR(CheckSignedBy(membership.own.certificate, membership.authority));
  if (own.identity != Identity{authority.identity.fleet, name}) {
    return FailedPrecondition("the answer certifies ", own.identity, ", not ", name);
  }
  return CheckKeyFits(membership.own.certificate, membership.own.key);
}

}  // namespace

absl::StatusOr<std::unique_ptr<JoinServer>> JoinServer::Listen(
    Transport& transport, const Address& at, Authority authority,
    const TlsCredentials& credentials, JoinServerOptions options) {
  SKEP_RETURN_IF_ERROR(
      CheckSignedBy(credentials.own().certificate, authority.certificate()));
  SKEP_ASSIGN_OR_RETURN(auto shown, credentials.ForServingJoiners());
  auto server = std::make_unique<JoinServerImpl>(transport, std::move(authority),
                                                 std::move(shown), options);
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
  TlsTransport secure(transport, std::move(credentials));
  ConnectOptions options;
  options.connect_timeout = timeout;
  options.reconnect = false;
  const std::shared_ptr<Channel> channel = Connect(secure, server, std::move(options));
  SKEP_ASSIGN_OR_RETURN(Reply<JoinReply> reply,
                        BlockingCall<JoinReply>(*channel, Method<Join>("Enroll"),
                                                request, {.timeout = timeout}));
  membership.own.certificate = reply.message.certificate();
  membership.authority = reply.message.authority();
  SKEP_RETURN_IF_ERROR(CheckMembership(membership, token, name));
  return membership;
}

}  // namespace skep
