// What travels beside one call: its deadline, its outcome, its attachments.
//
// The same class serves both sides of a call.
//   Client: make one (or pass nullptr), set the deadline and the request's attachment,
//     call, and in the done closure read status() and the response's attachment.
//   Server: a handler gets one as its RpcController*; Controller::Of(c) gives it back.
//     It may SetStatus, read the request's attachment, set the response's, look at
//     deadline(), watch stop_token(), and call the peer back through peer().
// Not thread-safe; one call each.

#ifndef SKEP_RPC_CONTROLLER_H_
#define SKEP_RPC_CONTROLLER_H_

#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "google/protobuf/service.h"

namespace skep {

class Channel;

// What every call has by default; a call without a deadline does not exist.
inline constexpr absl::Duration kDefaultCallTimeout = absl::Seconds(10);

class Controller final : public google::protobuf::RpcController {
 public:
  Controller() = default;
  // A controller made by the server that dispatches the call.
  static Controller& Of(google::protobuf::RpcController* controller) {
    return *static_cast<Controller*>(controller);
  }

  // --- Both sides -----------------------------------------------------------
  // The outcome. A server handler sets an error before it runs `done`; the response
  // message is then not sent.
  const absl::Status& status() const { return status_; }
  void SetStatus(absl::Status status) { status_ = std::move(status); }
  // How long a client should wait before it tries again; set with
  // ResourceExhausted and Unavailable. Zero: not said.
  absl::Duration retry_after() const { return retry_after_; }
  void set_retry_after(absl::Duration d) { retry_after_ = d; }

  // Bulk bytes beside the message; not copied into protobuf objects.
  const std::string& request_attachment() const { return request_attachment_; }
  std::string& mutable_request_attachment() { return request_attachment_; }
  const std::string& response_attachment() const { return response_attachment_; }
  std::string& mutable_response_attachment() { return response_attachment_; }
  // Moves it out: also for completions, which see the rest as const.
  std::string TakeResponseAttachment() const { return std::move(response_attachment_); }

  // --- Client ---------------------------------------------------------------
  absl::Duration timeout() const { return timeout_; }
  // absl::InfiniteDuration() means until the connection ends: for calls whose life is
  // watched by other means (a lease).
  void set_timeout(absl::Duration timeout) { timeout_ = timeout; }

  // --- Server ---------------------------------------------------------------
  // When the caller gives up; absl::InfiniteFuture() if it did not say.
  absl::Time deadline() const { return deadline_; }
  // What is left until then, by the server's clock; never negative. A handler that
  // calls on passes this on: Onward and StartOnward (channel.h).
  absl::Duration remaining() const;
  // Stopped when the caller cancelled, its deadline passed or its connection ended.
  std::stop_token stop_token() const {
    stop_token_taken_ = true;
    return stop_token_;
  }
  // Whether anybody asked, and may hold it longer than the call lasts.
  bool stop_token_taken() const { return stop_token_taken_; }
  // The channel back to the caller, on the connection that the call came by. Null
  // where there is none. shared: the connection may end while a handler holds it.
  const std::shared_ptr<Channel>& peer() const { return *peer_; }

  // `clock` outlives the call.
  void set_deadline(absl::Time deadline, const Clock& clock = Clock::Real()) {
    deadline_ = deadline;
    clock_ = &clock;
  }
  // A token that is the last call's costs no reference.
  void set_stop_token(const std::stop_token& token) {
    if (!(token == stop_token_)) stop_token_ = token;
  }
  // Borrowed until Reset.
  void set_peer(const std::shared_ptr<Channel>* peer) { peer_ = peer; }

  // --- google::protobuf::RpcController ----------------------------------------
  void Reset() override;
  bool Failed() const override { return !status_.ok(); }
  std::string ErrorText() const override { return status_.ToString(); }
  // A client that wants to cancel uses Channel::Cancel.
  void StartCancel() override { SetStatus(absl::CancelledError("cancelled")); }
  void SetFailed(const std::string& reason) override {
    SetStatus(absl::UnknownError(reason));
  }
  bool IsCanceled() const override { return stop_token_.stop_requested(); }
  // Runs `callback` once: when the call is cancelled, else when this object goes.
  void NotifyOnCancel(google::protobuf::Closure* callback) override;

 private:
  absl::Status status_;
  absl::Duration retry_after_;
  absl::Duration timeout_ = kDefaultCallTimeout;
  absl::Time deadline_ = absl::InfiniteFuture();
  const Clock* clock_ = &Clock::Real();
  std::string request_attachment_;
  mutable std::string response_attachment_;
  std::stop_token stop_token_;
  mutable bool stop_token_taken_ = false;
  static const std::shared_ptr<Channel> kNoPeer;
  const std::shared_ptr<Channel>* peer_ = &kNoPeer;
  std::shared_ptr<void> on_cancel_;  // type-erased: the hook's type is controller.cc's
};

}  // namespace skep

#endif  // SKEP_RPC_CONTROLLER_H_
