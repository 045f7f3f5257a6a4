// What a connection may cost: the memory that it holds, the time that a frame takes to
// arrive, and how long a peer may be silent while calls wait for it.

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "glog/logging.h"
#include "rpc/channel_core.h"
#include "rpc/control.pb.h"

namespace skep {
namespace {

// What a connection holds is told to its server in steps of this much, so that small
// replies cost nothing.
constexpr size_t kMemoryStep = 16 << 10;
// How often a connection that holds memory, or stopped because of it, looks again.
constexpr absl::Duration kMemoryCheck = absl::Milliseconds(100);
// A frame that takes long for its size alone has this much to show for each second.
constexpr double kLeastFrameRate = 64 << 10;

}  // namespace

void ChannelCore::CountMemory() {
  const size_t holds = (stream_ == nullptr ? 0 : stream_->unsent()) + partial_frame_;
  const size_t counted = holds - holds % kMemoryStep;
  if (counted != counted_memory_) {
    if (counted_memory_ == 0) took_at_ = Now();
    load_->Hold(counted, counted_memory_);
    counted_memory_ = counted;
  }
  if (memory_check_ || (counted == 0 && reading_) || stream_ == nullptr) return;
  // What drains is told by no event.
  memory_check_ = true;
  executor_.PostAfter(kMemoryCheck,
                      [weak = weak_from_this(), connection = connection_] {
                        const std::shared_ptr<ChannelCore> self = weak.lock();
                        if (self == nullptr) return;
                        self->memory_check_ = false;
                        if (self->connection_ != connection) return;
                        self->CheckTaking();
                        self->UpdateReading();
                      });
}

// A peer that stops taking replies between two frames is told by no other timer.
void ChannelCore::CheckTaking() {
  if (stream_ == nullptr || delegate_ != nullptr) return;
  const size_t unsent = stream_->unsent();
  const uint64_t taken = written_ - std::min<uint64_t>(written_, stream_->untaken());
  const absl::Time now = Now();
  if (taken != std::exchange(taken_before_, taken) || unsent < kMemoryStep) {
    took_at_ = now;
  } else if (now - took_at_ >= options_.stall_timeout) {
    LOG(WARNING) << "deaf_peer peer=" << peer_ << " unsent=" << unsent;
    stream_->Abort(Unavailable(peer_, " took none of ", unsent, " bytes for ",
                               absl::FormatDuration(options_.stall_timeout)));
  }
}

bool ChannelCore::HoldsTooMuch() const {
  // Who alone holds too much goes on: nobody else could make room.
  return load_->full() && load_->held() > counted_memory_ &&
         (stream_->unsent() > 0 || partial_frame_ >= kMemoryStep);
}

void ChannelCore::NoteWholeFrame() {
  partial_frame_ = 0;
  // Not twice: as the front of a frame and as a request.
  CountMemory();
}

void ChannelCore::NotePartialFrame(size_t bytes, absl::Time now) {
  if (partial_frame_ == 0) frame_began_ = now;
  partial_frame_ = bytes;
  if (bytes == 0) return;
  if (bytes >= kMemoryStep) UpdateReading();
  if (frame_timer_ == TimerId() && options_.frame_timeout < absl::InfiniteDuration()) {
    CheckFrameIn(options_.frame_timeout);
  }
}

void ChannelCore::CheckFrameIn(absl::Duration delay) {
  frame_timer_ =
      executor_.PostAfter(delay, [weak = weak_from_this(), connection = connection_] {
        const std::shared_ptr<ChannelCore> self = weak.lock();
        if (self == nullptr || self->connection_ != connection) return;
        self->frame_timer_ = TimerId();
        self->CheckFrame();
      });
}

void ChannelCore::CheckFrame() {
  if (partial_frame_ == 0 || discarding_) return;
  const absl::Time now = Now();
  // The peer cannot go on if we do not read, unless it is what fills our memory.
  if (!reading_ && !load_->full()) frame_began_ = now;
  const absl::Duration allowed =
      options_.frame_timeout +
      absl::Seconds(static_cast<double>(partial_frame_) / kLeastFrameRate);
  const absl::Duration left = frame_began_ + allowed - now;
  if (left > absl::ZeroDuration()) return CheckFrameIn(left);
  LOG(WARNING) << "slow_frame peer=" << peer_ << " bytes=" << partial_frame_
               << " seconds=" << absl::ToDoubleSeconds(now - frame_began_);
  stream_->Abort(Unavailable(peer_, " sent ", partial_frame_, " bytes of a frame in ",
                             absl::FormatDuration(now - frame_began_)));
}

void ChannelCore::WatchPeer() {
  if (options_.connect.keepalive == absl::InfiniteDuration()) return;
  watching_peer_ = true;
  peer_asked_ = false;
  CheckPeerIn(options_.connect.keepalive);
}

void ChannelCore::CheckPeerIn(absl::Duration delay) {
  executor_.PostAfter(delay, [weak = weak_from_this(), connection = connection_] {
    const std::shared_ptr<ChannelCore> self = weak.lock();
    if (self != nullptr && self->connection_ == connection) self->CheckPeer();
  });
}

void ChannelCore::CheckPeer() {
  if (calls_.sent() == 0) watching_peer_ = false;
  if (!watching_peer_ || stream_ == nullptr || closing_) return;
  const absl::Duration limit = options_.connect.keepalive;
  const absl::Duration silent = Now() - last_activity_;
  // Whom we do not read says nothing that we could hear: it lives while it takes what
  // we say.
  const uint64_t taken = written_ - std::min<uint64_t>(written_, stream_->untaken());
  const bool takes = taken > taken_at_check_ || stream_->unsent() == 0;
  taken_at_check_ = taken;
  const bool unheard = !reading_ && takes;
  if (!scoped_ || unheard || silent < limit) {
    peer_asked_ = false;
    return CheckPeerIn(!scoped_ || unheard ? limit : limit - silent);
  }
  if (!peer_asked_) {
    peer_asked_ = true;
    SendControl("Ping", ControlPing());
    return CheckPeerIn(limit);
  }
  LOG(WARNING) << "peer_silent peer=" << peer_
               << " seconds=" << absl::ToDoubleSeconds(silent);
  stream_->Abort(Unavailable(peer_, " has said nothing for ",
                             absl::FormatDuration(silent),
                             ", not even when asked whether it is there"));
}

void ChannelCore::OnPing(const ControlPing& ping) {
  if (ping.answer()) {
    // It does not read us for a while, since our calls are too many for it; whom we
    // call nothing has no such reason.
    if (calls_.sent() > 0) took_at_ = Now();
    return;
  }
  ControlPing answer;
  answer.set_answer(true);
  SendControl("Ping", answer);
}

// A peer whose questions we do not read for a while must not take us for dead.
void ChannelCore::SayStillHere() {
  if (still_here_ || !scoped_ ||
      options_.connect.keepalive == absl::InfiniteDuration()) {
    return;
  }
  still_here_ = true;
  executor_.PostAfter(options_.connect.keepalive / 2, [weak = weak_from_this(),
                                                       connection = connection_] {
    const std::shared_ptr<ChannelCore> self = weak.lock();
    if (self == nullptr || self->connection_ != connection) return;
    self->still_here_ = false;
    if (self->reading_ || self->stream_ == nullptr || self->closing_) return;
    ControlPing here;
    here.set_answer(true);
    self->SendControl("Ping", here);
    self->SayStillHere();
  });
}

}  // namespace skep
