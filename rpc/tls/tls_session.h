// One TLS connection over a Stream: the handshake, and the bytes of both directions.
//
// Inside tls_transport.h. A session owns the stream below it and is that stream's
// handler; TlsStream is the handle that users hold. The session begins its handshake at
// once, before anybody has started the handle.

#ifndef SKEP_RPC_TLS_TLS_SESSION_H_
#define SKEP_RPC_TLS_TLS_SESSION_H_

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "rpc/buffer.h"
#include "rpc/tls/credentials.h"
#include "rpc/tls/live_credentials.h"
#include "rpc/transport.h"

typedef struct ssl_st SSL;
typedef struct ssl_session_st SSL_SESSION;

namespace skep {

// On the stream's executor only, except the constructor, and closed().
class TlsSession final : public StreamHandler {
 public:
  // kJoinServer: asks for no certificate.
  enum class Side { kClient, kServer, kJoinServer };
  // Ok: the handshake is over, for a client only once the server has accepted its
  // certificate. Else why not. Runs once.
  using Ready = absl::AnyInvocable<void(const absl::Status&)>;

  TlsSession(Side side, std::unique_ptr<Stream> below,
             std::shared_ptr<const LiveCredentials> live);
  ~TlsSession() override;

  // Starts the stream below and the handshake, which takes at most `timeout`.
  void Begin(absl::Duration timeout, Ready ready);

  // As Stream's. `handler` gets its events from now on; what came before was kept.
  void Start(StreamHandler* handler);
  void Write(std::string_view bytes);
  void WriteBulk(std::string_view bytes);
  char* BeginWrite(size_t most);
  void EndWrite(size_t count);
  // Without what records add, so that a writer of whole records sees what it wrote.
  size_t unsent() const;
  // What was never encrypted. Of records that may have left, nothing is said.
  size_t lost() const { return lost_; }
  void SetReading(bool on);
  void CloseWhenDrained(absl::Duration linger);
  void Abort(absl::Status reason);

  Stream& below() { return *below_; }
  // Who the peer is, once the handshake is over.
  const std::string& peer_identity() const { return peer_identity_; }
  // The stream below is gone: nothing happens any more, and the session may be
  // destroyed anywhere.
  bool closed() const { return closed_.load(std::memory_order_acquire); }

  // From the stream below.
  size_t OnData(std::string_view bytes) override;
  void OnPeerClosed() override;
  void OnDrained() override;
  void OnClosed(const absl::Status& reason) override;

  // OpenSSL: the server's first message after the handshake. A client of TLS 1.3 ends
  // its handshake before the server has looked at its certificate; a server sends this
  // once it has.
  static int OnTicket(SSL* ssl, SSL_SESSION* session);

 private:
  friend struct SessionBio;
  enum class State { kNew, kHandshake, kConfirming, kOpen, kFailed };
  enum class Read { kMore, kDry, kEnded, kBroken };

  // What is decrypted before it is offered.
  static constexpr size_t kScratchBytes = 64 << 10;
  // For all sessions of a thread: none is inside another's event.
  static char* Scratch();

  bool handshaking() const {
    return state_ == State::kHandshake || state_ == State::kConfirming;
  }
  void AdvanceHandshake();
  void FinishHandshake();
  // Whether we believed the peer if it came now; else ends the connection. Cheap where
  // nothing has changed.
  bool StillBelieved();
  // Waits for a quiet moment, at most until `by`, and ends the connection.
  void EndWhenQuiet(absl::Time by);
  void StopTimer();
  // What runs the user's code returns false if it destroyed this.
  bool DeliverReady(const absl::Status& status);
  bool ReadOpen();
  Read Decrypt(char* into, size_t room, size_t* count);
  bool Offer(std::string_view bytes, size_t* consumed);
  bool OfferAgain();
  bool TellPeerClosed();
  void Encrypt();
  void EncryptNow(std::string_view bytes);
  void Wake();
  void LoseUnsent();
  void FinishClosing();
  // Ends the connection for `reason`: lets OpenSSL's alert out, takes nothing more in.
  // Returns false if the user's code, told of it, destroyed this.
  bool Fail(absl::Status reason);
  absl::Status HandshakeError();
  void SetDeadline(absl::Duration timeout);
  void SetTimer(absl::Duration delay, absl::AnyInvocable<void(TlsSession&)> then);
  template <typename Event>
  bool Tell(Event event);

  const Side side_;
  const std::shared_ptr<const LiveCredentials> live_;
  uint64_t generation_;  // of live_, when the peer was last looked at
  const std::shared_ptr<const TlsCredentials> credentials_;
  std::unique_ptr<Stream> below_;
  SSL* ssl_ = nullptr;
  // What posted closures hold: null once this is destroyed.
  const std::shared_ptr<TlsSession*> self_;

  State state_ = State::kNew;
  Ready ready_;
  std::string peer_identity_;
  // Of the handshake; then of the end of the peer's certificate.
  TimerId timer_;
  bool moved_ = false;  // Bytes came or went since that timer looked.

  StreamHandler* handler_ = nullptr;
  std::string_view cipher_in_;  // During OnData: what is still to be decrypted.
  Buffer plain_in_;             // Decrypted and not consumed.
  Buffer plain_out_;            // Written and not encrypted.
  bool first_bytes_seen_ = false;
  bool ticket_came_ = false;
  bool reading_ = true;       // As SetReading said.
  bool offer_again_ = false;  // Reading was resumed: plain_in_ is offered.
  bool above_mark_ = false;   // Output was over kStreamHighWater and has not drained.
  bool wake_posted_ = false;
  bool in_event_ = false;     // What is written now is encrypted after the event.
  bool end_came_ = false;     // close_notify.
  bool peer_closed_ = false;  // ... and the handler knows.
  bool closing_ = false;      // CloseWhenDrained was called.
  absl::Time close_by_;
  bool aborted_ = false;
  absl::Status failure_;  // Instead of what the stream below says at its end.
  std::atomic<bool> closed_{false};
  absl::Status closed_reason_;
  size_t lost_ = 0;
};

template <typename Event>
bool TlsSession::Tell(Event event) {
  const std::shared_ptr<TlsSession*> self = self_;
  event();
  return *self != nullptr;
}

}  // namespace skep

#endif  // SKEP_RPC_TLS_TLS_SESSION_H_
