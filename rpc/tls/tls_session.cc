#include "rpc/tls/tls_session.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "glog/logging.h"
#include "rpc/tls/openssl.h"
#include "rpc/tls/pem.h"
#include "rpc/tls/tls_fault.h"

namespace skep {
namespace {

// How long a peer is given to read why it was refused.
constexpr absl::Duration kAlertLinger = absl::Seconds(1);
// Of a connection whose peer's certificate has ended: it is closed once nothing has
// come or gone for so long, so that few calls are hit, and after so long in any case.
constexpr absl::Duration kQuiet = absl::Seconds(30);
constexpr absl::Duration kMostOvertime = absl::Hours(1);

}  // namespace

// OpenSSL's end of the stream below: reads what OnData was given, writes to the stream.
struct SessionBio {
  static TlsSession& Of(BIO* bio) {
    return *static_cast<TlsSession*>(BIO_get_data(bio));
  }

  static int Read(BIO* bio, char* out, size_t size, size_t* count) {
    std::string_view& in = Of(bio).cipher_in_;
    BIO_clear_retry_flags(bio);
    *count = in.copy(out, size);
    in.remove_prefix(*count);
    if (*count == 0) BIO_set_retry_read(bio);
    return *count > 0 ? 1 : 0;
  }

  // Never full: who writes looks at unsent().
  static int Write(BIO* bio, const char* bytes, size_t size, size_t* count) {
    BIO_clear_retry_flags(bio);
    Of(bio).below_->Write({bytes, size});
    *count = size;
    return 1;
  }

  static long Control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static const BIO_METHOD* Method() {
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* const made = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "skep stream");
      BIO_meth_set_read_ex(made, &Read);
      BIO_meth_set_write_ex(made, &Write);
      BIO_meth_set_ctrl(made, &Control);
      return made;
    }();
    return method;
  }
};

TlsSession::TlsSession(Side side, std::unique_ptr<Stream> below,
                       std::shared_ptr<const LiveCredentials> live)
    : side_(side),
      live_(std::move(live)),
      generation_(live_->generation()),
      credentials_(live_->Get()),
      below_(std::move(below)),
      self_(std::make_shared<TlsSession*>(this)) {}

TlsSession::~TlsSession() {
  *self_ = nullptr;
  SSL_free(ssl_);
  if (closed() || state_ == State::kNew) return;
  StopTimer();
  // Bytes are lost that the stream below has not seen: the peer gets a reset.
  if (!plain_out_.empty()) below_->Abort(Cancelled("dropped"));
}

void TlsSession::Begin(absl::Duration timeout, Ready ready) {
  ready_ = std::move(ready);
  ssl_ = SSL_new(side_ == Side::kClient   ? credentials_->client_context()
                 : side_ == Side::kServer ? credentials_->server_context()
                                          : credentials_->joiner_context());
  BIO* const bio = BIO_new(SessionBio::Method());
  CHECK(ssl_ != nullptr && bio != nullptr) << "out of memory";
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  side_ == Side::kClient ? SSL_set_connect_state(ssl_) : SSL_set_accept_state(ssl_);
  state_ = State::kHandshake;
  below_->Start(this);
  SetDeadline(timeout);
  if (side_ == Side::kClient) AdvanceHandshake();
}

void TlsSession::SetDeadline(absl::Duration timeout) {
  SetTimer(timeout, [timeout](TlsSession& session) {
    session.Fail(DeadlineExceeded(
        "the TLS handshake with ", session.below_->peer(), " was not over after ",
        absl::FormatDuration(absl::Ceil(timeout, absl::Milliseconds(1)))));
  });
}

void TlsSession::SetTimer(absl::Duration delay,
                          absl::AnyInvocable<void(TlsSession&)> then) {
  StopTimer();
  timer_ = below_->executor().PostAfter(
      delay, [self = self_, then = std::move(then)]() mutable {
        TlsSession* const session = *self;
        if (session == nullptr) return;
        session->timer_ = TimerId();
        then(*session);
      });
}

void TlsSession::StopTimer() {
  if (timer_ != TimerId()) below_->executor().Cancel(timer_);
  timer_ = TimerId();
}

// --- The handshake ---------------------------------------------------------------

void TlsSession::AdvanceHandshake() {
  if (state_ == State::kHandshake) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_);
    if (result != 1) {
      if (SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) Fail(HandshakeError());
      return;
    }
    state_ = State::kConfirming;
  }
  if (side_ == Side::kClient && !ticket_came_) {
    // What a server sends after the handshake says that it has accepted us, whether it
    // is the ticket or bytes for our user.
    size_t count = 0;
    const Read read = Decrypt(Scratch(), kScratchBytes, &count);
    if (count > 0) plain_in_.Append({Scratch(), count});
    if (read == Read::kBroken) {
      Fail(HandshakeError());
      return;
    }
    if (!ticket_came_ && count == 0 && !end_came_) return;
  }
  FinishHandshake();
}

void TlsSession::FinishHandshake() {
  state_ = State::kOpen;
  StopTimer();
  if (X509* const peer = SSL_get0_peer_certificate(ssl_)) {
    peer_identity_ = IdentityOf(peer).ToString();
    // By the calendar, as certificates are, whatever clock the executor has.
    const absl::Duration left = ToTime(X509_get0_notAfter(peer)) - absl::Now();
    SetTimer(std::max(left, absl::ZeroDuration()), [](TlsSession& session) {
      session.EndWhenQuiet(session.below_->executor().clock().Now() + kMostOvertime);
    });
  }
  VLOG(1) << "tls_ready peer=" << below_->peer() << " name=" << peer_identity_;
  below_->SetReading(handler_ != nullptr && reading_);
  Encrypt();
  if (closing_) FinishClosing();
  DeliverReady(absl::OkStatus());
}

bool TlsSession::DeliverReady(const absl::Status& status) {
  if (!ready_) return true;
  return Tell([&] { std::exchange(ready_, nullptr)(status); });
}

int TlsSession::OnTicket(SSL* ssl, SSL_SESSION*) {
  static_cast<TlsSession*>(SSL_get_app_data(ssl))->ticket_came_ = true;
  return 0;  // is not kept
}

absl::Status TlsSession::HandshakeError() {
  return Unavailable("TLS with ", below_->peer(), ": ",
                     DescribeTlsFault(ssl_, credentials_->identity().fleet));
}

bool TlsSession::Fail(absl::Status reason) {
  if (state_ == State::kFailed) return true;
  const bool refused = handshaking();
  state_ = State::kFailed;
  failure_ = std::move(reason);
  StopTimer();
  LoseUnsent();
  below_->SetReading(true);  // and drops what comes
  below_->CloseWhenDrained(kAlertLinger);
  // Clients that try again for ever have nobody else to tell.
  if (refused) LogRefusal(below_->peer(), failure_);
  return DeliverReady(failure_);
}

// --- After the handshake -------------------------------------------------------------

bool TlsSession::StillBelieved() {
  const uint64_t generation = live_->generation();
  if (generation == generation_ || state_ != State::kOpen) return true;
  generation_ = generation;
  X509* const peer = SSL_get0_peer_certificate(ssl_);
  if (peer == nullptr) return true;  // a joiner
  const absl::Status status = live_->Get()->StillKnows(peer);
  if (status.ok()) return true;
  const absl::Status why =
      Unavailable("connection to ", below_->peer(), ": ", Message(status));
  LogRefusal(below_->peer(), why);
  Abort(why);
  return false;
}

void TlsSession::EndWhenQuiet(absl::Time by) {
  const bool quiet = !std::exchange(moved_, false);
  if (!quiet && below_->executor().clock().Now() < by) {
    return SetTimer(kQuiet, [by](TlsSession& session) { session.EndWhenQuiet(by); });
  }
  const absl::Status why =
      Unavailable("connection to ", below_->peer(), ": the certificate of ",
                  peer_identity_, ", by which it was made, has expired");
  LogRefusal(below_->peer(), why);
  Abort(why);
}

}  // namespace skep
