#include "rpc/balance/backend_link.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "rpc/frame.h"

namespace skep {
namespace {

// Under which calls go out that want no reply: no slot has this place, so that the
// reply of a backend which answers all the same is nobody's.
constexpr uint64_t kNoReplyId = ~uint64_t{0};

}  // namespace

bool BackendLink::Usable() const {
  return connected() && !backend_.draining.load(std::memory_order_relaxed) &&
         backend_.pending.load(std::memory_order_relaxed) <
             shard_.options().max_calls_per_backend &&
         stream_->unsent() < shard_.options().high_water_bytes;
}

int64_t BackendLink::Load() {
  const int64_t pending = backend_.pending.load(std::memory_order_relaxed);
  if (phantoms_.empty()) return pending;
  return pending + phantoms_.Count(shard_.executor().clock().Now());
}

void BackendLink::Connect() {
  shard_.transport().Connect(
      backend_.address, shard_.options().connect_timeout,
      [weak = weak_from_this()](absl::StatusOr<std::unique_ptr<Stream>> stream) {
        if (const auto self = weak.lock()) self->OnConnected(std::move(stream));
      });
}

void BackendLink::OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
  if (stopped_) return;
  const bool was_starting = std::exchange(starting_, false);
  if (!stream.ok()) {
    LOG_IF(WARNING, was_starting || backoff_ >= shard_.options().max_backoff)
        << "backend_unreachable backend=" << backend_.address.ToString() << " reason=\""
        << stream.status() << '"';
    ReconnectLater();
  } else {
    LOG(INFO) << "backend_up backend=" << backend_.address.ToString();
    stream_ = *std::move(stream);
    closed_ = false;
    backend_.links.fetch_add(1, std::memory_order_relaxed);
    stream_->Start(this);
  }
  shard_.LinkChanged();
}

void BackendLink::ReconnectLater() {
  const BalancerOptions& options = shard_.options();
  backoff_ = std::clamp(backoff_ * 2, options.min_backoff, options.max_backoff);
  // Between half and all of it, so that many balancers do not come back as one.
  const absl::Duration delay = backoff_ * (0.5 + 0.5 * shard_.random().Unit());
  retry_timer_ = shard_.executor().PostAfter(delay, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && !self->stopped_) self->Connect();
  });
}

void BackendLink::Stop() {
  stopped_ = true;
  shard_.executor().Cancel(retry_timer_);
  if (connected()) {
    closed_ = true;
    backend_.links.fetch_sub(1, std::memory_order_relaxed);
    FailAll(Unavailable("the balancer is shutting down"));
  }
  stream_.reset();
}

absl::Status BackendLink::Send(const std::shared_ptr<BalancerClient>& client,
                               std::string_view frame, const Envelope& envelope) {
  if ((envelope.flags & kFlagNoReply) != 0) {
    SKEP_ASSIGN_OR_RETURN(const std::string_view out,
                          WithId(frame, envelope, kNoReplyId));
    backend_.forwarded.fetch_add(1, std::memory_order_relaxed);
    stream_->Write(out);
    return absl::OkStatus();
  }
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t place = free_.back();
  Slot& slot = slots_[place];
  ++slot.generation;
  SKEP_ASSIGN_OR_RETURN(
      const std::string_view out,
      WithId(frame, envelope, uint64_t{slot.generation} << 32 | place));
  free_.pop_back();
  slot.client_id = envelope.id;
  slot.sent = shard_.executor().clock().Now();
  slot.client = client;
  backend_.calls.Begin();
  backend_.pending.fetch_add(1, std::memory_order_relaxed);
  backend_.forwarded.fetch_add(1, std::memory_order_relaxed);
  stream_->Write(out);
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> BackendLink::WithId(std::string_view frame,
                                                     const Envelope& envelope,
                                                     uint64_t id) {
  // With a second id, the receiver would go by that one: a client could so name the
  // call of another.
  if (HasFixedLayout(frame) && !envelope.id_repeated) {
    scratch_.assign(frame);
    RewriteId(scratch_.data(), scratch_.size(), id);
    return std::string_view(scratch_);
  }
  // Fields in another order, or twice: written anew, in ours. Unknown fields are lost.
  Envelope changed = envelope;
  changed.id = id;
  OutFrame out;
  // Fails for a frame near the limit: the encoder leaves itself some room.
  SKEP_RETURN_IF_ERROR(
      EncodeFrame(changed, nullptr, std::string(envelope.attachment), &out));
  scratch_ = out.ToString();
  return std::string_view(scratch_);
}

size_t BackendLink::OnData(std::string_view bytes) {
  size_t consumed = 0;
  while (true) {
    const Frame frame = ParseFrame(bytes.substr(consumed));
    if (frame.state == Frame::State::kNeedMore) return consumed;
    if (frame.state == Frame::State::kBad ||
        !HandleReply(bytes.substr(consumed, frame.length), frame.body)) {
      // Where the next frame begins is not known: this connection is of no further use.
      stream_->Abort(
          DataLoss("backend ", backend_.address, " sent a bad frame: ", frame.fault));
      return bytes.size();
    }
    consumed += frame.length;
  }
}

bool BackendLink::HandleReply(std::string_view frame, std::string_view body) {
  Envelope envelope;
  if (!body.starts_with(kRpc0Tag) ||
      !ParseEnvelope(body.substr(kRpc0Tag.size()), &envelope)) {
    return false;
  }
  if (envelope.type != MessageType::kResponse) return true;
  const uint32_t place = static_cast<uint32_t>(envelope.id);
  const uint32_t generation = static_cast<uint32_t>(envelope.id >> 32);
  if (place >= slots_.size() || slots_[place].generation != generation ||
      slots_[place].client == nullptr) {
    LOG_EVERY_N(WARNING, 1000)
        << "balancer_stray_reply backend=" << backend_.address.ToString()
        << " id=" << envelope.id;
    return true;
  }
  Slot& slot = slots_[place];
  const std::shared_ptr<BalancerClient> client = std::move(slot.client);
  slot.client = nullptr;
  free_.push_back(place);
  backend_.pending.fetch_sub(1, std::memory_order_relaxed);
  Ended(slot, envelope.error == WireError::kNone ? absl::StatusCode::kOk
                                                 : StatusOfReply(envelope, "").code());
  // It serves: only now is the next attempt to connect a first one again.
  backoff_ = absl::ZeroDuration();
  const absl::StatusOr<std::string_view> reply =
      WithId(frame, envelope, slot.client_id);
  if (reply.ok()) {
    client->Reply(*reply);
  } else {
    client->ReplyFailed(slot.client_id, reply.status());
  }
  return true;
}

void BackendLink::Ended(const Slot& slot, absl::StatusCode code) {
  const absl::Time now = shard_.executor().clock().Now();
  backend_.calls.End(code, now - slot.sent);
  phantoms_.Ended(code, now);
}

void BackendLink::OnPeerClosed() {
  // It will answer nothing more.
  stream_->Abort(Unavailable("backend ", backend_.address, " closed the connection"));
}

void BackendLink::OnClosed(const absl::Status& reason) {
  closed_ = true;
  backend_.links.fetch_sub(1, std::memory_order_relaxed);
  LOG(WARNING) << "backend_down backend=" << backend_.address.ToString()
               << " in_flight=" << slots_.size() - free_.size() << " reason=\""
               << reason << '"';
  FailAll(Unavailable(
      "backend ", backend_.address,
      " was lost before it answered; the call may have run: ", Message(reason)));
  if (!stopped_) {
    ReconnectLater();
    shard_.LinkChanged();
  }
}

void BackendLink::FailAll(const absl::Status& reason) {
  for (uint32_t place = 0; place < slots_.size(); ++place) {
    Slot& slot = slots_[place];
    if (slot.client == nullptr) continue;
    const std::shared_ptr<BalancerClient> client = std::move(slot.client);
    slot.client = nullptr;
    free_.push_back(place);
    backend_.pending.fetch_sub(1, std::memory_order_relaxed);
    backend_.failed.fetch_add(1, std::memory_order_relaxed);
    Ended(slot, reason.code());
    client->ReplyFailed(slot.client_id, reason);
  }
}

}  // namespace skep
