#include "rpc/server_call.h"

#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "glog/logging.h"
#include "rpc/bulk.h"
#include "rpc/frame.h"
#include "rpc/pb_codec.h"

namespace skep {
namespace {

// Told to callers when the server is full: long enough for a queue to move.
constexpr absl::Duration kFullRetryAfter = absl::Milliseconds(100);
// In a PB frame, beside its response and the name of its type.
constexpr size_t kPbEnvelopeBytes = 64;

// Kept for other calls, by each thread, of each method.
#ifdef __SANITIZE_ADDRESS__
constexpr size_t kKeptCalls = 0;  // so that a touch after a call's end is found
#else
constexpr size_t kKeptCalls = 256;
#endif
// Messages that were larger are not kept.
constexpr size_t kKeptMessageBytes = 16 << 10;

// A slow call whose reply is with the connection, maybe not yet with the kernel.
void Keep(std::unique_ptr<SlowCall> slow, std::shared_ptr<SlowCallLog> log,
          absl::Time handed, ServedCall name, ReplySink& sink) {
  slow->encoding = handed - slow->ended;
  // shared: std::function wants to be copied.
  sink.WhenWritten(
      name, [log = std::move(log), handed,
             slow = std::shared_ptr<SlowCall>(std::move(slow))](absl::Time written) {
        slow->writing = written - handed;
        log->Add(std::move(*slow));
      });
}

}  // namespace

OutFrame FromWhole(std::string frame) {
  OutFrame out;
  out.checksum = LoadBig32(frame.data() + frame.size() - kFrameChecksumBytes);
  frame.resize(frame.size() - kFrameChecksumBytes);
  out.head = std::move(frame);
  return out;
}

ServerCall::Kept& ServerCall::KeptFor(const ServedMethod& method) {
  // A process serves a handful of methods.
  thread_local std::vector<std::pair<const google::protobuf::MethodDescriptor*, Kept>>
      all;
  for (auto& [served, kept] : all) {
    if (served == method.method) return kept;
  }
  return all.emplace_back(method.method, Kept()).second;
}

void ServerCall::Dispatch(ThreadPool* pool, absl::Time now,
                          const std::shared_ptr<ServerLoad>& load) {
  if (method_.run == ServiceTable::Run::kInline || pool == nullptr) {
    Execute(now);
    return;
  }
  const absl::Duration left = controller_.deadline() - now;
  const Admission::Verdict verdict =
      load->admission().Arrive(method_.method, pool->threads(), left, &ticket_);
  if (!verdict.admitted) {
    return FailFull(
        ResourceExhausted("overloaded: the call would wait ",
                          absl::FormatDuration(verdict.wait), " for a thread and has ",
                          absl::FormatDuration(left)),
        verdict.retry_after);
  }
  // Counted apart from the call: a handler may answer and still be running.
  load->HandlerBegins();
  pool_load_ = load;
  if (pool->Schedule([this] { RunOnPool(); })) return;
  pool_load_ = nullptr;
  load->HandlerEnds();
  load->admission().Drop(ticket_);
  FailFull(ResourceExhausted("the server's pool has ", pool->queued(),
                             " calls waiting: try again later"));
}

void ServerCall::RunOnPool() {
  // The call may be gone when its handler returns.
  const std::shared_ptr<ServerLoad> load = std::move(pool_load_);
  const Admission::Ticket ticket = ticket_;
  const Clock& clock = *clock_;
  const absl::Time begun = clock.Now();
  load->admission().Begin(ticket);
  const bool ran = Execute(begun);
  load->admission().End(ticket, clock.Now() - begun, ran);
  load->HandlerEnds();
}

bool ServerCall::Execute(absl::Time now) {
  begun_ = method_.counts == nullptr ? now : clock_->Now();
  if (controller_.deadline() <= now) {
    controller_.SetStatus(DeadlineExceeded(
        method_.method->full_name(), " was not begun before its caller's deadline"));
    Run();
    return false;
  }
  if (controller_.IsCanceled()) {
    controller_.SetStatus(
        Cancelled(method_.method->full_name(), " was cancelled before it was begun"));
    Run();
    return false;
  }
  method_.service->CallMethod(method_.method, &controller_, request_.get(),
                              response_.get(), this);
  return true;
}

void ServerCall::FailFull(absl::Status status) {
  FailFull(std::move(status), kFullRetryAfter);
}

void ServerCall::FailFull(absl::Status status, absl::Duration retry_after) {
  controller_.set_retry_after(retry_after);
  Fail(std::move(status), WireError::kTimeout);
}

void ServerCall::Fail(absl::Status status, WireError error) {
  controller_.SetStatus(std::move(status));
  error_ = error;
  Run();
}

void ServerCall::Run() {
  name_.stop_taken = controller_.stop_token_taken();
  if (!origin_.no_reply && controller_.status().ok()) Prepare();
  std::unique_ptr<SlowCall> slow;
  if (method_.counts != nullptr) slow = Count();
  // Copied: the call may be over before they are used.
  const std::shared_ptr<SlowCallLog> log =
      slow == nullptr ? nullptr : method_.metrics->slow();
  const ServedCall name = name_;
  const Clock& clock = *clock_;
  // Held here alone: while the call waits in its channel's inbox it holds nothing that
  // holds the channel.
  const std::shared_ptr<Channel> peer = std::move(peer_);
  ReplySink& sink = *sink_;
  const bool here = sink.Here();
  Encode(here);
  if (here) {
    Give(sink, controller_.mutable_response_attachment());
    End();
  } else {
    attachment_ = std::move(controller_.mutable_response_attachment());
    GiveBulk(std::move(controller_.mutable_request_attachment()));
    controller_.Reset();
    sink.Submit(this);
  }
  if (slow != nullptr) Keep(std::move(slow), log, clock.Now(), name, sink);
}

void ServerCall::Deliver(ReplySink* sink) {
  if (sink != nullptr) Give(*sink, attachment_);
  End();
}

void ServerCall::Encode(bool here) {
  if (origin_.no_reply) {
    answer_ = Answer::kNone;
  } else if (!controller_.status().ok()) {
    answer_ = Answer::kFailure;
    frame_ = EncodeError();
  } else if (origin_.pb) {
    answer_ = Answer::kFrame;
    frame_ = EncodePb();
  } else if (here || room_ <= kKeptMessageBytes) {
    answer_ = Answer::kInPlace;
  } else {
    // Where there are more threads: it takes long.
    answer_ = Answer::kFrame;
    const absl::Status encoded =
        EncodeFrame(reply_, response_.get(),
                    std::move(controller_.mutable_response_attachment()), &frame_);
    CHECK(encoded.ok()) << encoded;  // it has room
  }
}

void ServerCall::Give(ReplySink& sink, std::string& attachment) {
  switch (answer_) {
    case Answer::kNone:
      return sink.FinishCall(name_, OutFrame());
    case Answer::kFrame:
      return sink.FinishCall(name_, std::move(frame_));
    case Answer::kFailure:
      return sink.FailCall(name_, std::move(frame_), origin_.extended || origin_.pb);
    case Answer::kInPlace:
      return sink.Reply(name_, reply_, *response_, room_, std::move(attachment));
  }
}

void ServerCall::End() {
  std::unique_ptr<ServerCall> self(this);
  load_->CallEnds(bytes_);
  GiveBulk(std::move(controller_.mutable_request_attachment()));
  if (!method_.keeps_messages || bytes_ > kKeptMessageBytes ||
      room_ > kKeptMessageBytes) {
    return;
  }
  // First: this may end a channel, and so other calls, which keep themselves too.
  controller_.Reset();
  Kept& kept = KeptFor(method_);
  if (kept.size() >= kKeptCalls) return;
  error_ = WireError::kNone;
  reply_ = Envelope();
  room_ = 0;
  if (answer_ != Answer::kInPlace) frame_ = OutFrame();
  request_->Clear();
  response_->Clear();
  kept.push_back(std::move(self));
}

void ServerCall::Prepare() {
  if (!response_->IsInitialized()) {
    controller_.SetStatus(Internal(method_.method->full_name(),
                                   " made a response that lacks ",
                                   response_->InitializationErrorString()));
    return;
  }
  if (origin_.pb) return;
  reply_.type = MessageType::kResponse;
  reply_.id = origin_.id;
  if (origin_.extended) {
    reply_.load = load_->calls();
    reply_.Set(Envelope::kLoad);
  }
  if (origin_.has_trace) {
    reply_.trace = origin_.trace;
    reply_.Set(Envelope::kTrace);
  }
  const absl::StatusOr<size_t> room =
      FrameRoom(reply_, response_.get(), controller_.response_attachment().size());
  if (room.ok()) {
    room_ = *room;
    return;
  }
  controller_.SetStatus(absl::Status(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat(method_.method->full_name(), ": ", room.status().message())));
}

absl::StatusCode ServerCall::Outcome(absl::Time now) const {
  if (controller_.deadline() <= now) return absl::StatusCode::kDeadlineExceeded;
  if (controller_.IsCanceled()) return absl::StatusCode::kCancelled;
  return controller_.status().code();
}

std::unique_ptr<SlowCall> ServerCall::Count() {
  const absl::Time now = clock_->Now();
  const absl::Duration total = now - arrived_;
  const absl::StatusCode code = Outcome(now);
  method_.counts->End(code, total);
  if (!method_.metrics->slow()->Wants(total, method_.counts->p99(), now)) {
    return nullptr;
  }
  const std::shared_ptr<Channel>& peer = controller_.peer();
  return std::make_unique<SlowCall>(
      SlowCall{.ended = now,
               .method = method_.method->full_name(),
               .peer = peer == nullptr ? "" : peer->peer(),
               .code = code,
               .request_bytes = bytes_,
               .reply_bytes =
                   response_->ByteSizeLong() + controller_.response_attachment().size(),
               .trace = origin_.has_trace ? origin_.trace : 0,
               .queued = begun_ - arrived_,
               .handler = now - begun_});
}

OutFrame ServerCall::EncodePb() const {
  const size_t size = response_->ByteSizeLong() + kPbEnvelopeBytes +
                      method_.method->output_type()->full_name().size();
  return FromWhole(size > kMaxFrameSize
                       ? EncodePbError(origin_.id, WireError::kInvalidResponse)
                       : EncodePbReply(origin_.id, *response_));
}

OutFrame ServerCall::EncodeError() const {
  const WireError error =
      error_ == WireError::kNone ? WireErrorOf(controller_.status()) : error_;
  if (origin_.pb) return FromWhole(EncodePbError(origin_.id, error));
  return EncodeErrorReply(origin_.id, error, controller_.status(),
                          controller_.retry_after(), origin_.extended);
}

}  // namespace skep
