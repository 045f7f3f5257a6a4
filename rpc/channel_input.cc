// What comes in: frames, calls of the peer, and the replies to them.

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "base/log_filter.h"
#include "base/status.h"
#include "glog/logging.h"
#include "google/protobuf/descriptor.h"
#include "rpc/channel_core.h"
#include "rpc/control.pb.h"
#include "rpc/frame.h"
#include "rpc/pb_codec.h"
#include "rpc/tls_record.h"

namespace skep {
namespace {

// No frame begins with a byte over this: sizes end at 64 MiB, 0x04000000.
constexpr uint8_t kMaxFirstByte = 0x04;
// What a stream reads at a time.
constexpr size_t kReadBytes = 64 << 10;

}  // namespace

size_t ChannelCore::OnData(std::string_view bytes) {
  if (delegate_ != nullptr) return OnDelegateData(bytes);
  if (discarding_) return bytes.size();
  if (!seen_data_ && !bytes.empty()) {
    seen_data_ = true;
    if (!options_.accepted && BeginsTlsAlert(bytes)) {
      Refused("it speaks TLS alone: give --tls DIR (`skep cert` makes one)");
      return bytes.size();
    }
    if (options_.accepted && BeginsTlsHandshake(bytes)) {
      RefuseTls();
      return bytes.size();
    }
    if (options_.other_protocol && static_cast<uint8_t>(bytes[0]) > kMaxFirstByte) {
      delegate_ = options_.other_protocol(*stream_);
      return OnDelegateData(bytes);
    }
  }
  // Once for all that came together: they were here at that time.
  const absl::Time now = Now();
  last_activity_ = now;
  handling_ = true;
  // As handlers hold it: each conversion would count a reference.
  const std::shared_ptr<Channel> self = shared_from_this();
  const ServerLoad::Batch batch(*load_);
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

size_t ChannelCore::OnDelegateData(std::string_view bytes) {
  const size_t used = delegate_->OnData(bytes);
  const size_t rest = bytes.size() - used;
  // However little it is, it may lie in a buffer made for a read.
  partial_frame_ = rest == 0 ? 0 : std::max(rest, kReadBytes);
  if (options_.accepted) CountMemory();
  return used;
}

bool ChannelCore::HandleBody(std::string_view body, absl::Time now,
                             const std::shared_ptr<Channel>& self, std::string* fault) {
  if (IsPbBody(body)) {
    PbMessage message;
    if (!ParsePb(body, &message)) {
      *fault = "the payload is not a PbMessage";
      return false;
    }
    if (message.type() == muduo::net::REQUEST) {
      serving_->HandlePb(message, self, *this);
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
                                 const std::shared_ptr<Channel>& self) {
  switch (envelope.type) {
    case MessageType::kRequest:
      OnRequest(envelope, now, self);
      break;
    case MessageType::kResponse:
      OnReply(envelope);
      break;
    default:
      // ERROR: ignored, as the family's servers do.
      Add(counters_.error_frames, uint64_t{1});
  }
}

bool ChannelCore::HandleLarge(absl::Time now, const std::shared_ptr<Channel>& self,
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
                            const std::shared_ptr<Channel>& self) {
  if (request.service == Control::descriptor()->full_name()) {
    OnControl(request);
    // Answers to these fill the connection as any others do.
    return UpdateReading();
  }
  last_accepted_id_ = request.id;
  serving_->Handle(request, now, peer_is_skep_, self, *this);
  UpdateReading();
}

void ChannelCore::FinishCall(ServedCall call, OutFrame frame) {
  // The connection that the call came by has ended: nobody waits.
  if (call.connection != connection_ || serving_ == nullptr) return;
  serving_->Finished(call);
  if (!frame.head.empty()) WriteFrame(frame);
  UpdateReading();
  MaybeClose();
}

void ChannelCore::FailCall(ServedCall call, OutFrame frame, bool extended) {
  if (extended || options_.legacy_failure == LegacyFailure::kError) {
    return FinishCall(call, std::move(frame));
  }
  if (call.connection != connection_ || serving_ == nullptr) return;
  serving_->Finished(call);
  HangUp(Unavailable(peer_, " knows no hello, and a call of it failed"));
  UpdateReading();
}

void ChannelCore::Reply(ServedCall call, const Envelope& reply,
                        const google::protobuf::Message& response, size_t room,
                        std::string attachment) {
  if (call.connection != connection_ || serving_ == nullptr) return;
  serving_->Finished(call);
  WriteInPlace(reply, response, room, std::move(attachment));
  UpdateReading();
  MaybeClose();
}

void ChannelCore::UpdateReading() {
  if (stream_ == nullptr) return;
  if (delegate_ != nullptr) {
    // When to read is its own business; what it holds counts.
    if (options_.accepted) CountMemory();
    return;
  }
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
  if (delegate_ != nullptr) {
    delegate_->OnDrained();
    return UpdateReading();
  }
  unsent_bytes_ = 0;
  UpdateReading();
}

void ChannelCore::RefuseTls() {
  // Clients try again for ever; without the port, which is another each time.
  static auto* const filter = new LogFilter;
  LOG_IF(WARNING, filter->Passes(peer_.substr(0, peer_.rfind(':')), absl::Now()))
      << "tls_unexpected peer=" << peer_ << " reason=\"" << kClientSpeaksTls << '"';
  HangUp(Unavailable(peer_, ": ", kClientSpeaksTls));
}

void ChannelCore::Fault(std::string_view what) {
  LOG(WARNING) << "bad_frame peer=" << peer_ << " fault=" << what;
  HangUp(Unavailable(peer_, " sent a bad frame: ", what));
}

}  // namespace skep
