// The channel's connection: making it, reading its frames, and its end.

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "glog/logging.h"
#include "google/protobuf/descriptor.h"
#include "rpc/channel_core.h"
#include "rpc/control.pb.h"
#include "rpc/frame.h"
#include "rpc/pb_codec.h"

namespace skep {
namespace {

// How long a connection that its owner closed waits for the peer's half to close.
constexpr absl::Duration kCloseLinger = absl::Seconds(2);
// No frame begins with a byte over this: sizes end at 64 MiB, 0x04000000.
constexpr uint8_t kMaxFirstByte = 0x04;
// What a server that wants TLS says to those who do not speak it begins so: an alert.
constexpr char kTlsAlert = 0x15;

}  // namespace

void ChannelCore::Adopt(std::unique_ptr<Stream> stream) {
  if (executor_.IsCurrent()) return OnStream(std::move(stream));
  executor_.Post([self = shared_from_this(), stream = std::move(stream)]() mutable {
    self->OnStream(std::move(stream));
  });
}

void ChannelCore::ConnectTo(Transport* transport, Address to) {
  executor_.Post([weak = weak_from_this(), transport, to = std::move(to)]() mutable {
    const std::shared_ptr<ChannelCore> self = weak.lock();
    if (self == nullptr) return;
    self->transport_ = transport;
    self->to_ = std::move(to);
    self->TryConnect();
  });
}

void ChannelCore::TryConnect() {
  {
    MutexLock lock(mutex_);
    if (ended_) return;
  }
  // Asked for on our executor, the stream lives on it.
  transport_->Connect(
      to_, options_.connect.connect_timeout,
      [weak = weak_from_this()](absl::StatusOr<std::unique_ptr<Stream>> stream) {
        const std::shared_ptr<ChannelCore> self = weak.lock();
        if (self == nullptr) return;
        if (!stream.ok()) return self->OnConnectFailed(stream.status());
        self->OnStream(*std::move(stream));
      });
}

void ChannelCore::OnConnectFailed(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    if (ended_) return;
    last_error_ = status;
  }
  VLOG(1) << "connect_failed peer=" << peer_ << " reason=" << status;
  if (!options_.connect.reconnect) {
    return EndForGood(Unavailable("no connection to ", peer_, ": ", Message(status)));
  }
  ScheduleReconnect();
}

void ChannelCore::ScheduleReconnect() {
  const ConnectOptions& options = options_.connect;
  absl::Duration delay = options.min_backoff;
  for (int i = 0; i < failures_ && delay < options.max_backoff; ++i) delay *= 2;
  ++failures_;
  // Half of it is jitter, so that a fleet does not come back in one instant.
  delay = std::min(delay, options.max_backoff) * (0.5 + 0.5 * random_.Unit());
  executor_.PostAfter(delay, [weak = weak_from_this()] {
    if (const std::shared_ptr<ChannelCore> self = weak.lock()) self->TryConnect();
  });
}

void ChannelCore::OnStream(std::unique_ptr<Stream> stream) {
  {
    MutexLock lock(mutex_);
    if (ended_) return;
    unsent_bytes_ = 0;
    ready_ = true;
  }
  CHECK(&stream->executor() == &executor_)
      << "the stream to " << peer_ << " lives on another executor than its channel";
  stream_ = std::move(stream);
  serving_ = std::make_unique<Serving>(options_.connect.services, options_.connect.pool,
                                       executor_.clock(), load_, ++connection_);
  written_ = taken_at_check_ = 0;
  large_ = nullptr;
  seen_data_ = discarding_ = input_ended_ = draining_ = closing_ = false;
  reading_ = true;
  watching_peer_ = still_here_ = memory_check_ = false;
  partial_frame_ = 0;
  peer_is_skep_ = scoped_ = false;
  last_activity_ = Now();
  stream_->Start(this);
  if (!options_.accepted && options_.connect.hello) SayHello();
  SetState(true);
  Flush();
  if (options_.idle_timeout != absl::InfiniteDuration()) CheckIdle();
}

void ChannelCore::SetState(bool connected) {
  if (connected == told_connected_) return;
  told_connected_ = connected;
  if (options_.connect.on_state) options_.connect.on_state(connected);
}

size_t ChannelCore::OnData(std::string_view bytes) {
  if (delegate_ != nullptr) return delegate_->OnData(bytes);
  if (discarding_) return bytes.size();
  if (!seen_data_ && !bytes.empty()) {
    seen_data_ = true;
    if (bytes[0] == kTlsAlert && !options_.accepted) {
      Refused("it speaks TLS alone: give --tls DIR (`skep cert` makes one)");
      return bytes.size();
    }
    if (options_.other_protocol && static_cast<uint8_t>(bytes[0]) > kMaxFirstByte) {
      delegate_ = options_.other_protocol(*stream_);
      return delegate_->OnData(bytes);
    }
  }
  // Once for all that came together: they were here at that time.
  const absl::Time now = Now();
  last_activity_ = now;
  handling_ = true;
  const std::shared_ptr<ChannelCore> self = shared_from_this();
  size_t used = 0;
  while (reading_ && !discarding_) {
    if (large_ != nullptr) {
      used += large_->Take(bytes.substr(used));
      if (!large_->complete()) break;
      if (partial_frame_ > 0) NoteWholeFrame();
      std::string fault;
      if (!HandleLarge(now, self, &fault)) {
        Fault(fault);
      } else if (!discarding_) {
        failures_ = 0;
      }
      continue;
    }
    Frame frame = ParseFrame(bytes.substr(used));
    if (frame.state == Frame::State::kNeedMore) {
      large_ = LargeFrame::Begin(bytes.substr(used));
      if (large_ == nullptr) break;
      continue;
    }
    if (partial_frame_ > 0) NoteWholeFrame();
    if (frame.state == Frame::State::kBad ||
        !HandleBody(frame.body, now, self, &frame.fault)) {
      Fault(frame.fault);
      break;
    }
    used += frame.length;
    // Unless the frame was the peer's refusal.
    if (!discarding_) failures_ = 0;
  }
  handling_ = false;
  if (!begun_.empty()) PutOffDeadlines();
  // What this read made: deadlines of calls that handlers hold.
  ArmTimer();
  const size_t rest = discarding_ ? 0 : bytes.size() - used;
  const size_t partial = large_ != nullptr ? large_->received() : rest;
  if (options_.accepted && (partial > 0 || partial_frame_ > 0)) {
    NotePartialFrame(partial, now);
  }
  return bytes.size() - rest;
}

bool ChannelCore::HandleBody(std::string_view body, absl::Time now,
                             const std::shared_ptr<ChannelCore>& self,
                             std::string* fault) {
  if (IsPbBody(body)) {
    PbMessage message;
    if (!ParsePb(body, &message)) {
      *fault = "the payload is not a PbMessage";
      return false;
    }
    if (message.type() == muduo::net::REQUEST) {
      serving_->HandlePb(message, self, self);
      UpdateReading();
    }
    return true;
  }
  if (!body.starts_with(kRpc0Tag)) {
    *fault = "the tag is neither RPC0 nor PB";
    return false;
  }
  Envelope envelope;
  if (!ParseEnvelope(body.substr(kRpc0Tag.size()), &envelope)) {
    *fault = "the payload is not an RpcMessage";
    return false;
  }
  HandleEnvelope(envelope, now, self);
  return true;
}

void ChannelCore::HandleEnvelope(const Envelope& envelope, absl::Time now,
                                 const std::shared_ptr<ChannelCore>& self) {
  switch (envelope.type) {
    case MessageType::kRequest:
      OnRequest(envelope, now, self);
      break;
    case MessageType::kResponse:
      OnReply(envelope);
      break;
    default: {
      // ERROR: ignored, as the family's servers do.
      MutexLock lock(mutex_);
      ++counters_.error_frames;
    }
  }
}

bool ChannelCore::HandleLarge(absl::Time now, const std::shared_ptr<ChannelCore>& self,
                              std::string* fault) {
  // Out of the way: what it leads to may end the connection.
  const std::unique_ptr<LargeFrame> frame = std::move(large_);
  if (!frame->Check(fault)) return false;
  const Envelope* const envelope = frame->envelope();
  if (envelope == nullptr) return HandleBody(frame->body(), now, self, fault);
  HandleEnvelope(*envelope, now, self);
  return true;
}

std::span<char> ChannelCore::Room() {
  if (delegate_ != nullptr) return delegate_->Room();
  return large_ == nullptr || discarding_ ? std::span<char>() : large_->Room();
}

void ChannelCore::OnFilled(size_t count) {
  if (delegate_ != nullptr) return delegate_->OnFilled(count);
  last_activity_ = Now();
  large_->Filled(count);
  if (options_.accepted) NotePartialFrame(large_->received(), last_activity_);
}

void ChannelCore::OnRequest(const Envelope& request, absl::Time now,
                            const std::shared_ptr<ChannelCore>& self) {
  if (request.service == Control::descriptor()->full_name()) {
    OnControl(request);
    // Answers to these fill the connection as any others do.
    return UpdateReading();
  }
  last_accepted_id_ = request.id;
  serving_->Handle(request, now, peer_is_skep_, self, self);
  UpdateReading();
}

void ChannelCore::FinishCall(ServedCall call, OutFrame frame) {
  if (!executor_.IsCurrent()) {
    MutexLock lock(mutex_);
    replies_.push_back({call, std::move(frame)});
    PostFlush();
    return;
  }
  // The connection that the call came by has ended: nobody waits.
  if (call.connection != connection_ || serving_ == nullptr) return;
  serving_->Finished(call);
  if (!frame.head.empty()) WriteFrame(std::move(frame));
  UpdateReading();
  MaybeClose();
}

void ChannelCore::FailCall(ServedCall call, OutFrame frame, bool extended) {
  if (extended || options_.legacy_failure == LegacyFailure::kError) {
    return FinishCall(call, std::move(frame));
  }
  if (!executor_.IsCurrent()) {
    executor_.Post(
        [self = shared_from_this(), call] { self->FailCall(call, {}, false); });
    return;
  }
  if (call.connection != connection_ || serving_ == nullptr) return;
  serving_->Finished(call);
  HangUp(Unavailable(peer_, " knows no hello, and a call of it failed"));
  UpdateReading();
}

void ChannelCore::Reply(ServedCall call, const Envelope& reply,
                        const google::protobuf::Message& response, size_t room,
                        std::string attachment) {
  if (!executor_.IsCurrent()) {
    OutFrame frame;
    const absl::Status encoded =
        EncodeFrame(reply, &response, std::move(attachment), &frame);
    CHECK(encoded.ok()) << encoded;  // it has room
    return FinishCall(call, std::move(frame));
  }
  if (call.connection != connection_ || serving_ == nullptr) return;
  serving_->Finished(call);
  WriteInPlace(reply, response, room, std::move(attachment));
  UpdateReading();
  MaybeClose();
}

void ChannelCore::BeginShutdown() {
  if (stream_ == nullptr || closing_) return;
  // The handler of another protocol answers what it has, as if its peer were done.
  if (delegate_ != nullptr) return delegate_->OnPeerClosed();
  if (scoped_) {
    ControlGoAway go_away;
    go_away.set_last_accepted_id(last_accepted_id_);
    SendControl("GoAway", go_away);
    return;
  }
  draining_ = true;
  UpdateReading();
  MaybeClose();
}

// Closes our half once nothing more will be said: after the peer's half is closed, or
// when draining and no call of ours is outstanding.
void ChannelCore::MaybeClose() {
  if (stream_ == nullptr || closing_ || delegate_ != nullptr) return;
  if (!input_ended_ && !draining_) return;
  if (serving_->in_progress() > 0) return;
  if (!input_ended_) {
    MutexLock lock(mutex_);
    if (calls_.sent() > 0) return;
  }
  closing_ = true;
  discarding_ = true;
  UpdateReading();
  stream_->CloseWhenDrained();
}

void ChannelCore::UpdateReading() {
  if (stream_ == nullptr || delegate_ != nullptr) return;
  // A client never stops for unsent bytes: if both ends did, neither would move.
  const bool full =
      serving_->in_progress() >= options_.max_calls ||
      serving_->request_bytes() >= options_.max_request_bytes ||
      (options_.accepted &&
       (stream_->unsent() > std::max(options_.high_water_bytes, kStreamHighWater) ||
        HoldsTooMuch())) ||
      (draining_ && options_.accepted);
  const bool read = discarding_ || !full;
  if (read != reading_) {
    reading_ = read;
    stream_->SetReading(read);
    if (!read) SayStillHere();
  }
  if (options_.accepted) CountMemory();
}

void ChannelCore::OnDrained() {
  if (delegate_ != nullptr) return delegate_->OnDrained();
  {
    MutexLock lock(mutex_);
    unsent_bytes_ = 0;
  }
  UpdateReading();
}

void ChannelCore::Fault(std::string_view what) {
  LOG(WARNING) << "bad_frame peer=" << peer_ << " fault=" << what;
  HangUp(Unavailable(peer_, " sent a bad frame: ", what));
}

void ChannelCore::HangUp(const absl::Status& reason) {
  EndCalls(reason);
  if (closing_ || stream_ == nullptr) return;
  discarding_ = true;
  closing_ = true;
  stream_->CloseWhenDrained();
}

void ChannelCore::OnPeerClosed() {
  if (delegate_ != nullptr) return delegate_->OnPeerClosed();
  input_ended_ = true;
  EndCalls(Unavailable("the connection to ", peer_, " was closed by it"));
  if (!peer_is_skep_) return MaybeClose();
  // A peer of another make may still wait for its replies. One of ours closes its half
  // only when it wants none.
  serving_->StopAll();
  if (closing_) return;
  closing_ = discarding_ = true;
  stream_->CloseWhenDrained();
}

void ChannelCore::EndCalls(const absl::Status& reason, size_t lost) {
  std::vector<OutstandingCall> calls;
  {
    MutexLock lock(mutex_);
    ready_ = false;
    last_error_ = reason;
    calls = calls_.TakeSent();
    counters_.disconnected += calls.size();
  }
  for (OutstandingCall& call : calls) call.sent = call.offset < written_ - lost;
  CompleteAll(std::move(calls), reason);
  FailWaiting(reason);
}

void ChannelCore::FailWaiting(const absl::Status& reason) {
  if (options_.connect.wait_for_ready) return;
  std::vector<OutstandingCall> calls;
  {
    MutexLock lock(mutex_);
    calls = calls_.TakeUnsent();
    counters_.disconnected += calls.size();
    PruneOutbox();
  }
  CompleteAll(std::move(calls), reason);
}

void ChannelCore::OnClosed(const absl::Status& reason) {
  const std::shared_ptr<ChannelCore> self = shared_from_this();
  if (delegate_ != nullptr) delegate_->OnClosed(reason);
  const size_t lost = stream_->lost();
  // Not destroyed inside its own event.
  executor_.Post([stream = std::move(stream_), delegate = std::move(delegate_)] {});
  ++connection_;
  partial_frame_ = 0;
  CountMemory();
  executor_.Cancel(std::exchange(idle_timer_, TimerId()));
  executor_.Cancel(std::exchange(frame_timer_, TimerId()));
  serving_->StopAll();
  scoped_ = peer_is_skep_ = false;
  EndCalls(reason.ok()
               ? Unavailable("the connection to ", peer_, " was closed")
               : Unavailable("the connection to ", peer_, " ended: ", Message(reason)),
           lost);
  SetState(false);
  bool ended;
  {
    MutexLock lock(mutex_);
    ended = ended_;
  }
  if (ended) {
    if (options_.on_ended) options_.on_ended();
    self_ = nullptr;
  } else if (transport_ != nullptr && options_.connect.reconnect) {
    ScheduleReconnect();
  } else {
    EndForGood(Unavailable("the connection to ", peer_, " has ended",
                           reason.ok() ? "" : ": ", Message(reason)));
  }
}

void ChannelCore::EndForGood(absl::Status reason) {
  std::vector<OutstandingCall> calls;
  {
    MutexLock lock(mutex_);
    if (ended_) return;
    ended_ = true;
    ready_ = false;
    end_reason_ = reason;
    calls = calls_.TakeAll();
    counters_.disconnected += calls.size();
    outbox_.clear();
    outbox_bytes_ = 0;
  }
  executor_.Cancel(timer_);
  timer_ = TimerId();
  timer_at_ = absl::InfiniteFuture();
  CompleteAll(std::move(calls), reason);
  if (stream_ == nullptr && options_.on_ended) options_.on_ended();
}

void ChannelCore::Close(absl::Status reason) {
  if (reason.ok()) reason = Cancelled("the channel to ", peer_, " was closed");
  // Strong: the caller may be letting go of the channel.
  executor_.Post([self = shared_from_this(), reason = std::move(reason)]() mutable {
    self->CloseNow(std::move(reason));
  });
}

void ChannelCore::CloseNow(absl::Status reason) {
  const std::shared_ptr<ChannelCore> self = shared_from_this();
  EndForGood(std::move(reason));
  if (stream_ == nullptr) return;
  self_ = self;
  serving_->StopAll();
  SetState(false);
  if (closing_) return;
  closing_ = true;
  discarding_ = true;
  UpdateReading();
  stream_->CloseWhenDrained(kCloseLinger);
}

void ChannelCore::AbortNow(absl::Status reason) {
  const std::shared_ptr<ChannelCore> self = shared_from_this();
  EndForGood(reason);
  if (stream_ == nullptr) return;
  self_ = self;
  closing_ = discarding_ = true;
  serving_->StopAll();
  stream_->Abort(std::move(reason));
}

void ChannelCore::DropNow(absl::Status reason) {
  EndForGood(std::move(reason));
  ++connection_;
  if (serving_ != nullptr) serving_->StopAll();
  delegate_ = nullptr;
  stream_ = nullptr;
  partial_frame_ = 0;
  CountMemory();
  // Closing was under way: its last event does not come any more.
  self_ = nullptr;
}

void ChannelCore::CheckIdle() {
  const absl::Duration limit = options_.idle_timeout;
  const absl::Duration idle = Now() - last_activity_;
  const bool busy =
      delegate_ != nullptr || serving_->in_progress() > 0 || pending() > 0;
  if (!busy && idle >= limit) {
    VLOG(1) << "idle_connection_closed peer=" << peer_;
    return CloseNow(Unavailable("idle for ", absl::FormatDuration(idle)));
  }
  idle_timer_ = executor_.PostAfter(
      busy ? limit : limit - idle, [weak = weak_from_this(), connection = connection_] {
        const std::shared_ptr<ChannelCore> self = weak.lock();
        if (self == nullptr || self->connection_ != connection) return;
        self->CheckIdle();
      });
}

}  // namespace skep
