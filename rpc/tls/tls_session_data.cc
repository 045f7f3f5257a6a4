// The bytes of a TLS connection, in and out.

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "glog/logging.h"
#include "rpc/tls/openssl.h"
#include "rpc/tls/tls_fault.h"
#include "rpc/tls/tls_session.h"

namespace skep {
namespace {

// The most that one record holds.
constexpr size_t kMaxRecordBytes = 16 << 10;
// A record's header, its type and its tag (RFC 8446, 5.2).
constexpr size_t kRecordOverhead = 5 + 1 + 16;

}  // namespace

char* TlsSession::Scratch() {
  thread_local const std::unique_ptr<char[]> scratch(new char[kScratchBytes]);
  return scratch.get();
}

// --- In ----------------------------------------------------------------------------

size_t TlsSession::OnData(std::string_view bytes) {
  const std::shared_ptr<TlsSession*> self = self_;
  if (state_ == State::kFailed || end_came_) return bytes.size();
  moved_ = true;
  if (!std::exchange(first_bytes_seen_, true) && !LooksLikeTls(bytes)) {
    if (side_ != Side::kClient) below_->Write(PlainTextRefusal());
    Fail(FailedPrecondition(
        below_->peer(), " does not speak TLS: is it started with --tls? (its first ",
        "bytes are no TLS record)"));
    return bytes.size();
  }
  cipher_in_ = bytes;
  in_event_ = true;
  if (handshaking()) AdvanceHandshake();
  if (*self == nullptr) return 0;
  StillBelieved();
  if (state_ == State::kOpen && handler_ != nullptr && !ReadOpen()) return 0;
  in_event_ = false;
  const size_t left = state_ == State::kFailed || end_came_ ? 0 : cipher_in_.size();
  cipher_in_ = {};
  Encrypt();
  return bytes.size() - left;
}

bool TlsSession::ReadOpen() {
  if (!OfferAgain()) return false;
  while (reading_ && !end_came_ && state_ == State::kOpen) {
    const bool fresh = plain_in_.empty();
    if (!fresh) plain_in_.Reserve(kScratchBytes);
    char* const into = fresh ? Scratch() : plain_in_.Tail();
    size_t count = 0;
    const Read read = Decrypt(into, kScratchBytes, &count);
    if (!fresh) plain_in_.Commit(count);
    if (count > 0) {
      const std::string_view bytes =
          fresh ? std::string_view(into, count) : plain_in_.view();
      size_t consumed = 0;
      if (!Offer(bytes, &consumed)) return false;
      if (fresh) {
        plain_in_.Append(bytes.substr(consumed));
      } else {
        plain_in_.Consume(consumed);
      }
      Encrypt();
    }
    if (read == Read::kDry) break;
    if (read == Read::kBroken) {
      return Fail(Unavailable("connection to ", below_->peer(), ": ",
                              DescribeTlsFault(ssl_, credentials_->identity().fleet)));
    }
  }
  return !end_came_ || TellPeerClosed();
}

// Whole records only, as many as come and fit.
TlsSession::Read TlsSession::Decrypt(char* into, size_t room, size_t* count) {
  *count = 0;
  while (room - *count >= kMaxRecordBytes) {
    size_t size = 0;
    ERR_clear_error();
    if (SSL_read_ex(ssl_, into + *count, room - *count, &size) == 1) {
      *count += size;
      continue;
    }
    switch (SSL_get_error(ssl_, 0)) {
      case SSL_ERROR_WANT_READ:
        return Read::kDry;
      case SSL_ERROR_ZERO_RETURN:
        end_came_ = true;
        return Read::kEnded;
      default:
        return Read::kBroken;
    }
  }
  return Read::kMore;
}

bool TlsSession::Offer(std::string_view bytes, size_t* consumed) {
  offer_again_ = false;
  if (!Tell([&] { *consumed = handler_->OnData(bytes); })) return false;
  CHECK_LE(*consumed, bytes.size()) << "consumed more than there is";
  return true;
}

bool TlsSession::OfferAgain() {
  if (!offer_again_ || !reading_ || handler_ == nullptr) return true;
  offer_again_ = false;
  if (plain_in_.empty()) return true;
  size_t consumed = 0;
  if (!Offer(plain_in_.view(), &consumed)) return false;
  plain_in_.Consume(consumed);
  return true;
}

bool TlsSession::TellPeerClosed() {
  if (!end_came_ || peer_closed_ || !reading_ || handler_ == nullptr) return true;
  if (state_ != State::kOpen) return true;
  peer_closed_ = true;
  return Tell([this] { handler_->OnPeerClosed(); });
}

void TlsSession::OnPeerClosed() {
  if (handshaking()) {
    Fail(Unavailable(
        below_->peer(), " closed the connection during the TLS handshake",
        first_bytes_seen_ ? "" : ": it may not speak TLS; is it started with --tls?"));
    return;
  }
  if (state_ == State::kFailed) return;
  if (!end_came_) {
    // Its last words are missing: whoever cut the connection could have cut more.
    Abort(Unavailable("connection to ", below_->peer(),
                      ": cut off, without TLS's end of data"));
    return;
  }
  in_event_ = true;
  if (!OfferAgain() || !TellPeerClosed()) return;
  in_event_ = false;
  Encrypt();
}

void TlsSession::OnDrained() {
  // The stream below is over the mark wherever we are; it may be so without us.
  if (handler_ == nullptr || !std::exchange(above_mark_, false)) return;
  in_event_ = true;
  if (!Tell([this] { handler_->OnDrained(); })) return;
  in_event_ = false;
  Wake();
}

void TlsSession::OnClosed(const absl::Status& reason) {
  absl::Status why = failure_.ok() ? reason : failure_;
  if (handshaking() && !absl::IsCancelled(reason)) {
    why = Unavailable("the TLS handshake with ", below_->peer(),
                      " was interrupted: ", Message(reason));
  }
  StopTimer();
  state_ = State::kFailed;
  closed_reason_ = why;
  LoseUnsent();
  closed_.store(true, std::memory_order_release);
  if (!DeliverReady(why)) return;
  if (handler_ != nullptr) std::exchange(handler_, nullptr)->OnClosed(why);
}

// --- Out ---------------------------------------------------------------------------

void TlsSession::Start(StreamHandler* handler) {
  handler_ = handler;
  if (closed()) {
    below_->executor().Post([self = self_] {
      TlsSession* const session = *self;
      if (session == nullptr || session->handler_ == nullptr) return;
      std::exchange(session->handler_, nullptr)->OnClosed(session->closed_reason_);
    });
    return;
  }
  if (state_ != State::kOpen) return;
  offer_again_ = true;
  below_->SetReading(reading_);
  Wake();
}

void TlsSession::Write(std::string_view bytes) {
  if (closing_ || state_ == State::kFailed) return;
  plain_out_.Append(bytes);
  Wake();
}

void TlsSession::WriteBulk(std::string_view bytes) {
  if (state_ != State::kOpen || closing_) return Write(bytes);
  Encrypt();
  EncryptNow(bytes);
  if (unsent() > kStreamHighWater) above_mark_ = true;
}

size_t TlsSession::unsent() const {
  constexpr size_t kRecord = kMaxRecordBytes + kRecordOverhead;
  return plain_out_.size() +
         (below_->unsent() * kMaxRecordBytes + kRecord - 1) / kRecord;
}

char* TlsSession::BeginWrite(size_t most) {
  plain_out_.Reserve(most);
  return plain_out_.Tail();
}

void TlsSession::EndWrite(size_t count) {
  if (closing_ || state_ == State::kFailed) return;
  plain_out_.Commit(count);
  Wake();
}

// Small writes of one event or turn become one record.
void TlsSession::Wake() {
  if (unsent() > kStreamHighWater) above_mark_ = true;
  // Where OnDrained is due, the stream below must know.
  if (plain_out_.size() >= kMaxRecordBytes || above_mark_) Encrypt();
  if (in_event_ || wake_posted_) return;
  wake_posted_ = true;
  below_->executor().Post([self = self_] {
    TlsSession* const session = *self;
    if (session == nullptr) return;
    session->wake_posted_ = false;
    if (session->state_ == State::kFailed) return;
    session->in_event_ = true;
    if (!session->OfferAgain() || !session->TellPeerClosed()) return;
    session->in_event_ = false;
    session->Encrypt();
  });
}

void TlsSession::Encrypt() {
  if (state_ != State::kOpen || plain_out_.empty()) return;
  EncryptNow(plain_out_.view());
  plain_out_.Consume(plain_out_.size());
}

void TlsSession::LoseUnsent() {
  lost_ += plain_out_.size();
  plain_out_.Consume(plain_out_.size());
}

void TlsSession::EncryptNow(std::string_view bytes) {
  if (bytes.empty() || !StillBelieved()) return;
  moved_ = true;
  size_t written = 0;
  ERR_clear_error();
  if (SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written) == 1) return;
  // Nothing is ever in its way: this is a broken session.
  Abort(Internal("connection to ", below_->peer(),
                 ": cannot encrypt: ", TakeOpenSslError()));
}

void TlsSession::SetReading(bool on) {
  if (on == reading_ || state_ == State::kFailed) return;
  reading_ = on;
  offer_again_ = on;
  if (state_ != State::kOpen) return;  // the handshake reads on
  below_->SetReading(on);
  if (on) Wake();
}

void TlsSession::CloseWhenDrained(absl::Duration linger) {
  if (closing_ || state_ == State::kFailed) return;
  closing_ = true;
  close_by_ = below_->executor().clock().Now() + linger;
  if (state_ == State::kOpen) return FinishClosing();
  if (plain_out_.empty()) return below_->CloseWhenDrained(linger);
  SetDeadline(linger);
}

void TlsSession::FinishClosing() {
  Encrypt();
  if (state_ != State::kOpen) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  below_->CloseWhenDrained(
      std::max(absl::ZeroDuration(), close_by_ - below_->executor().clock().Now()));
}

void TlsSession::Abort(absl::Status reason) {
  if (closed() || aborted_) return;
  aborted_ = true;
  state_ = State::kFailed;
  LoseUnsent();
  failure_ = reason;
  below_->Abort(std::move(reason));
}

}  // namespace skep
