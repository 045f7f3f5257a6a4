// What two ends of a channel say to each other about their connection: hello
// and go-away (control.proto).

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "base/log_filter.h"
#include "base/status.h"
#include "glog/logging.h"
#include "google/protobuf/descriptor.h"
#include "rpc/channel_core.h"
#include "rpc/control.pb.h"

namespace skep {
namespace {

constexpr uint32_t kProtocolVersion = 1;
// How long an answer to hello is waited for. Calls do not wait for it.
constexpr absl::Duration kHelloTimeout = absl::Seconds(2);
// Peers that are refused may come back as often as they like: one of them is named now
// and then.
constexpr double kRefusalLogSeconds = 1;

const std::string& ControlName() { return Control::descriptor()->full_name(); }

}  // namespace

void ChannelCore::OnControl(const Envelope& request) {
  if (request.method == "Hello") return OnHello(request);
  if (request.method == "Cancel") {
    ControlCancel cancel;
    if (scoped_ && ParseMessage(request.request, &cancel)) {
      serving_->Cancel(cancel.id());
    }
  } else if (request.method == "GoAway") {
    if (scoped_) OnGoAway();
  } else if (request.method == "Ping") {
    ControlPing ping;
    if (scoped_ && ParseMessage(request.request, &ping)) OnPing(ping);
  } else if ((request.flags & kFlagNoReply) == 0) {
    WriteFrame(EncodeErrorReply(
        request.id, WireError::kNoMethod,
        Unimplemented(ControlName(), " has no method ", request.method),
        absl::ZeroDuration(), request.HasExtension()));
  }
}

void ChannelCore::OnHello(const Envelope& request) {
  ControlHello hello;
  if (!ParseMessage(request.request, &hello)) {
    return WriteFrame(EncodeErrorReply(request.id, WireError::kInvalidRequest,
                                       InvalidArgument("not a ControlHello"),
                                       absl::ZeroDuration(), request.HasExtension()));
  }
  const std::string& fleet = options_.connect.fleet;
  if (!fleet.empty() && hello.has_fleet() && hello.fleet() != fleet) {
    LOG_EVERY_T(WARNING, kRefusalLogSeconds)
        << "hello_refused peer=" << peer_
        << " its_fleet=" << absl::CHexEscape(hello.fleet().substr(0, 80))
        << " our_fleet=" << fleet;
    const absl::Status refusal = FailedPrecondition("this is fleet \"", fleet,
                                                    "\", not \"", hello.fleet(), "\"");
    WriteFrame(EncodeErrorReply(request.id, WireError::kInvalidRequest, refusal,
                                absl::ZeroDuration(), true));
    // The calls that came with it are not for us. A balancer's connection carries those
    // of others, too.
    if (hello.id() == request.id) HangUp(refusal);
    return;
  }
  peer_is_skep_ = true;
  scoped_ = hello.id() == request.id;
  ControlHello answer;
  answer.set_id(request.id);
  answer.set_version(kProtocolVersion);
  if (!fleet.empty()) answer.set_fleet(fleet);
  if (!options_.connect.job_table_digest.empty()) {
    answer.set_job_table_digest(options_.connect.job_table_digest);
  }
  Envelope reply;
  reply.type = MessageType::kResponse;
  reply.id = request.id;
  OutFrame frame;
  const absl::Status encoded = EncodeFrame(reply, &answer, "", &frame);
  CHECK(encoded.ok()) << encoded;
  WriteFrame(std::move(frame));
}

void ChannelCore::SayHello() {
  struct Exchange {
    ControlHello sent;
    ControlHello reply;
  };
  auto exchange = std::make_unique<Exchange>();
  Exchange& said = *exchange;
  OutstandingCall call;
  call.method = &MethodOf(*Control::descriptor(), "Hello");
  call.response = &said.reply;
  call.timeout = kHelloTimeout;
  call.deadline = Now() + kHelloTimeout;
  call.sent = call.internal = true;
  // Of this connection only: its end completes the call.
  call.done = [this, exchange = std::move(exchange)](const Controller& outcome) {
    OnHelloReply(outcome.status(), exchange->sent, exchange->reply);
  };
  const CallId id = calls_.Add(std::move(call));
  said.sent.set_id(id.value());
  said.sent.set_version(kProtocolVersion);
  const ConnectOptions& options = options_.connect;
  if (!options.fleet.empty()) said.sent.set_fleet(options.fleet);
  if (!options.job_table_digest.empty()) {
    said.sent.set_job_table_digest(options.job_table_digest);
  }
  Envelope envelope;
  envelope.type = MessageType::kRequest;
  envelope.id = id.value();
  envelope.service = ControlName();
  envelope.Set(Envelope::kService);
  envelope.method = "Hello";
  envelope.Set(Envelope::kMethod);
  OutFrame frame;
  const absl::Status encoded = EncodeFrame(envelope, &said.sent, "", &frame);
  CHECK(encoded.ok()) << encoded;
  WriteFrame(std::move(frame));
  ArmTimer();
}

void ChannelCore::Refused(std::string_view reason) {
  // A channel comes back for as long as it lives.
  static auto* const filter = new LogFilter;
  LOG_IF(WARNING, filter->Passes(StrCat(peer_, " ", reason), absl::Now()))
      << "refused_by peer=" << peer_ << " reason=" << absl::CHexEscape(ToAbsl(reason));
  discarding_ = true;
  EndCalls(Unavailable(peer_, " refused us: ", reason));
  if (stream_ != nullptr) stream_->Abort(Unavailable(reason));
}

void ChannelCore::OnHelloReply(const absl::Status& status, const ControlHello& sent,
                               const ControlHello& reply) {
  if (absl::IsFailedPrecondition(status)) {
    // The peer knows what hello is and does not want us.
    return Refused(Message(status));
  }
  // Any other error is another make's way of not knowing hello.
  if (!status.ok()) return;
  peer_is_skep_ = true;
  scoped_ = reply.id() == sent.id();
}

// Fire and forget: an id that no reply can match.
void ChannelCore::SendControl(const char* method,
                              const google::protobuf::Message& request) {
  Envelope envelope;
  envelope.type = MessageType::kRequest;
  envelope.service = ControlName();
  envelope.Set(Envelope::kService);
  envelope.method = method;
  envelope.Set(Envelope::kMethod);
  envelope.flags = kFlagNoReply;
  envelope.Set(Envelope::kFlags);
  OutFrame frame;
  const absl::Status encoded = EncodeFrame(envelope, &request, "", &frame);
  CHECK(encoded.ok()) << encoded;
  WriteFrame(std::move(frame));
}

void ChannelCore::OnGoAway() {
  draining_ = true;
  // New calls wait for the next connection.
  NotReady(Unavailable(peer_, " is shutting down"));
  // So that who has a choice of peers chooses another.
  SetState(false);
  MaybeClose();
}

}  // namespace skep
