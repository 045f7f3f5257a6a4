#include "rpc/balance/balancer_client.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "rpc/frame.h"

namespace skep {

size_t BalancerClient::OnData(std::string_view bytes) {
  const auto self = shared_from_this();
  if (closing_) return bytes.size();
  size_t consumed = 0;
  while (MayRead()) {
    const Frame frame = ParseFrame(bytes.substr(consumed));
    if (frame.state == Frame::State::kNeedMore) break;
    bool good = frame.state == Frame::State::kReady;
    if (good) {
      good = Handle(bytes.substr(consumed, frame.length), frame.body, &waiting_);
    } else {
      LOG(WARNING) << "balancer_bad_frame client=" << stream_->peer() << " fault=\""
                   << frame.fault << '"';
    }
    if (!good) {
      closing_ = true;
      stream_->CloseWhenDrained();
      return bytes.size();
    }
    if (!waiting_) consumed += frame.length;
  }
  UpdateReading();
  return consumed;
}

bool BalancerClient::Handle(std::string_view frame, std::string_view body, bool* wait) {
  Envelope envelope;
  if (!body.starts_with(kRpc0Tag) ||
      !ParseEnvelope(body.substr(kRpc0Tag.size()), &envelope)) {
    LOG(WARNING) << "balancer_bad_frame client=" << stream_->peer()
                 << " fault=\"not an RPC0 envelope\" bytes=" << frame.size();
    return false;
  }
  // As servers do: what is no request is ignored.
  if (envelope.type != MessageType::kRequest) return true;
  switch (shard_.Forward(shared_from_this(), frame, envelope)) {
    case BalancerShard::Outcome::kForwarded:
      ++in_progress_;
      break;
    case BalancerShard::Outcome::kWait:
      *wait = true;
      break;
    case BalancerShard::Outcome::kDone:
      break;
  }
  return true;
}

void BalancerClient::Resume() {
  if (!std::exchange(waiting_, false)) return;
  if (!closed_) UpdateReading();
}

bool BalancerClient::MayRead() const {
  const BalancerOptions& options = shard_.options();
  // Never less than what OnDrained is promised for: nothing else would resume it.
  return !waiting_ && in_progress_ < options.max_calls_per_client &&
         stream_->unsent() <= std::max(options.high_water_bytes, kStreamHighWater);
}

void BalancerClient::UpdateReading() { stream_->SetReading(MayRead()); }

void BalancerClient::Reply(std::string_view frame) {
  if (!closed_) stream_->Write(frame);
  FinishOne();
}

void BalancerClient::ReplyFailed(uint64_t id, const absl::Status& status) {
  ReplyError(id, status);
  FinishOne();
}

void BalancerClient::ReplyError(uint64_t id, const absl::Status& status) {
  if (closed_) return;
  const std::string message(Message(status));
  Envelope envelope;
  envelope.type = MessageType::kResponse;
  envelope.id = id;
  envelope.error = WireErrorOf(status);
  envelope.Set(Envelope::kError);
  envelope.status = static_cast<uint32_t>(status.code());
  envelope.Set(Envelope::kStatus);
  envelope.message = message;
  envelope.Set(Envelope::kMessage);
  OutFrame frame;
  if (EncodeFrame(envelope, nullptr, "", &frame).ok()) stream_->Write(frame.ToString());
}

void BalancerClient::FinishOne() {
  --in_progress_;
  if (closed_) return;
  if (peer_closed_) {
    CloseIfFinished();
  } else if (in_progress_ == shard_.options().max_calls_per_client - 1) {
    UpdateReading();
  }
}

void BalancerClient::OnPeerClosed() {
  peer_closed_ = true;
  CloseIfFinished();
}

void BalancerClient::CloseIfFinished() {
  if (closing_ || in_progress_ > 0) return;
  closing_ = true;
  stream_->CloseWhenDrained();
}

void BalancerClient::OnClosed(const absl::Status& /*reason*/) {
  closed_ = true;
  shard_.shared().connections.fetch_sub(1, std::memory_order_relaxed);
  shard_.Remove(number_);
}

}  // namespace skep
