// The channel's connection: making it, and its end.

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "glog/logging.h"
#include "rpc/channel_core.h"
#include "rpc/control.pb.h"

namespace skep {
namespace {

// How long a connection that its owner closed waits for the peer's half to close.
constexpr absl::Duration kCloseLinger = absl::Seconds(2);

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
  if (ended_) return;
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
  if (ended_) return;
  NotReady(status);
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
  if (ended_) return;
  unsent_bytes_ = 0;
  ready_ = true;
  CHECK(&stream->executor() == &executor_)
      << "the stream to " << peer_ << " lives on another executor than its channel";
  stream_ = std::move(stream);
  serving_ = std::make_unique<Serving>(options_.connect.services, options_.connect.pool,
                                       executor_.clock(), load_, ++connection_);
  written_ = taken_at_check_ = taken_before_ = 0;
  large_ = nullptr;
  seen_data_ = discarding_ = input_ended_ = draining_ = closing_ = false;
  reading_ = true;
  watching_peer_ = still_here_ = memory_check_ = false;
  partial_frame_ = 0;
  peer_is_skep_ = scoped_ = false;
  last_activity_ = took_at_ = Now();
  stream_->Start(this);
  if (!options_.accepted && options_.connect.hello) SayHello();
  SetState(true);
  SendWaiting();
  TakeInbox();
  ArmTimer();
  if (options_.idle_timeout != absl::InfiniteDuration()) CheckIdle();
}

void ChannelCore::SetState(bool connected) {
  if (connected == told_connected_) return;
  told_connected_ = connected;
  if (options_.connect.on_state) options_.connect.on_state(connected);
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
  if (!input_ended_ && calls_.sent() > 0) return;
  closing_ = true;
  discarding_ = true;
  UpdateReading();
  stream_->CloseWhenDrained();
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
  NotReady(reason);
  std::vector<OutstandingCall> calls = calls_.TakeSent();
  Add(counters_.disconnected, uint64_t{calls.size()});
  for (OutstandingCall& call : calls) call.sent = call.offset < written_ - lost;
  CompleteAll(std::move(calls), reason);
}

void ChannelCore::NotReady(const absl::Status& reason) {
  ready_ = false;
  MutexLock lock(mutex_);
  last_error_ = reason;
}

absl::Status ChannelCore::LastError() const {
  MutexLock lock(mutex_);
  return last_error_;
}

absl::Status ChannelCore::EndReason() const {
  MutexLock lock(mutex_);
  return end_reason_;
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
  if (ended_) {
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
  if (ended_) return;
  {
    MutexLock lock(mutex_);
    end_reason_ = reason;
  }
  ready_ = false;
  // Released: who reads it reads the reason next.
  ended_.store(true, std::memory_order_release);
  std::vector<OutstandingCall> calls = calls_.TakeAll();
  Add(counters_.disconnected, uint64_t{calls.size()});
  executor_.Cancel(timer_);
  timer_ = TimerId();
  timer_at_ = absl::InfiniteFuture();
  CompleteAll(std::move(calls), reason);
  // Calls that came too late for it end there.
  TakeInbox();
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
