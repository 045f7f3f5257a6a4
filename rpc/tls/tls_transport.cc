#include "rpc/tls/tls_transport.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "rpc/tls/handshake_limit.h"
#include "rpc/tls/tls_fault.h"
#include "rpc/tls/tls_session.h"

namespace skep {
namespace {

// How long a refused client's connection is kept, so that its alert gets out.
constexpr absl::Duration kRefusedLinger = absl::Seconds(2);

// What users hold.
class TlsStream final : public Stream {
 public:
  explicit TlsStream(std::unique_ptr<TlsSession> session)
      : session_(std::move(session)) {}

  ~TlsStream() override {
    if (session_->closed()) return;
    Executor& executor = session_->below().executor();
    // Unstarted, it may be dropped anywhere; its session is at work already.
    if (started_ || !executor.RunsByItself() || executor.IsCurrent()) return;
    executor.Post([session = std::move(session_)] {});
  }

  void Start(StreamHandler* handler) override {
    started_ = true;
    Stream::Attach(handler, this);
    session_->Start(handler);
  }
  void Write(std::string_view bytes) override { session_->Write(bytes); }
  void WriteBulk(std::string_view bytes) override { session_->WriteBulk(bytes); }
  // Encrypted here and now: nothing is gained by keeping it.
  void WriteOwned(std::string bytes) override { session_->WriteBulk(bytes); }
  char* BeginWrite(size_t most) override { return session_->BeginWrite(most); }
  void EndWrite(size_t count) override { session_->EndWrite(count); }
  size_t unsent() const override { return session_->unsent(); }
  size_t untaken() const override {
    const Stream& below = session_->below();
    return session_->unsent() + (below.untaken() - below.unsent());
  }
  size_t lost() const override { return session_->lost(); }
  void SetReading(bool on) override { session_->SetReading(on); }
  void CloseWhenDrained(absl::Duration linger) override {
    session_->CloseWhenDrained(linger);
  }
  void Abort(absl::Status reason) override { session_->Abort(std::move(reason)); }
  Executor& executor() override { return session_->below().executor(); }
  const std::string& peer() const override { return session_->below().peer(); }
  const std::string& local() const override { return session_->below().local(); }
  const std::string& peer_identity() const { return session_->peer_identity(); }

 private:
  std::unique_ptr<TlsSession> session_;
  bool started_ = false;
};

// Keeps itself until the handshake is over.
void ShakeHands(std::unique_ptr<Stream> below, absl::Duration timeout,
                std::shared_ptr<const LiveCredentials> credentials,
                Transport::Connected done) {
  auto session = std::make_unique<TlsSession>(TlsSession::Side::kClient,
                                              std::move(below), std::move(credentials));
  TlsSession& begun = *session;
  begun.Begin(timeout, [session = std::move(session),
                        done = std::move(done)](const absl::Status& status) mutable {
    if (status.ok()) return done(std::make_unique<TlsStream>(std::move(session)));
    if (!session->closed()) {
      Executor& executor = session->below().executor();
      executor.PostAfter(kRefusedLinger, [session = std::move(session)] {});
      return done(status);
    }
    // It is inside an event of its own.
    Executor& executor = session->below().executor();
    executor.Post([session = std::move(session)] {});
    done(status);
  });
}

}  // namespace

std::string PeerIdentity(const Stream& stream) {
  const auto* const secure = dynamic_cast<const TlsStream*>(&stream);
  return secure == nullptr ? "" : secure->peer_identity();
}

TlsTransport::TlsTransport(Transport& below,
                           std::shared_ptr<const LiveCredentials> credentials,
                           Admit admit)
    : below_(below),
      credentials_(std::move(credentials)),
      admit_(admit),
      handshakes_(
          std::make_shared<HandshakeLimit>(kMaxHandshakes, kMaxHandshakesOfOne)) {}

TlsTransport::TlsTransport(Transport& below,
                           std::shared_ptr<const TlsCredentials> credentials)
    : TlsTransport(below, std::make_shared<LiveCredentials>(std::move(credentials))) {}

void TlsTransport::Connect(const Address& to, absl::Duration timeout, Connected done) {
  const Clock& clock = below_.executor().clock();
  const absl::Time deadline = clock.Now() + timeout;
  below_.Connect(to, timeout,
                 [&clock, deadline, credentials = credentials_, done = std::move(done)](
                     absl::StatusOr<std::unique_ptr<Stream>> stream) mutable {
                   if (!stream.ok()) return done(stream.status());
                   ShakeHands(*std::move(stream),
                              std::clamp(deadline - clock.Now(), absl::ZeroDuration(),
                                         kHandshakeTimeout),
                              std::move(credentials), std::move(done));
                 });
}

absl::StatusOr<std::unique_ptr<Listener>> TlsTransport::Listen(const Address& at,
                                                               Accept accept) {
  const TlsSession::Side side = admit_ == Admit::kMembers
                                    ? TlsSession::Side::kServer
                                    : TlsSession::Side::kJoinServer;
  return below_.Listen(at, [side, credentials = credentials_, handshakes = handshakes_,
                            accept = std::move(accept)](
                               std::unique_ptr<Stream> stream) mutable {
    auto place = handshakes->Take(stream->peer());
    if (!place.has_value()) {
      LogRefusal(stream->peer(),
                 ResourceExhausted("too many handshakes are going on: ", kMaxHandshakes,
                                   " in all, or ", kMaxHandshakesOfOne,
                                   " of this source beside ", kMaxHandshakes / 2));
      return;
    }
    auto session = std::make_unique<TlsSession>(side, std::move(stream), credentials);
    session->Begin(kHandshakeTimeout,
                   [place = *std::move(place)](const absl::Status&) {});
    accept(std::make_unique<TlsStream>(std::move(session)));
  });
}

}  // namespace skep
