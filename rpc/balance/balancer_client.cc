#include "rpc/balance/balancer_client.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "base/coding.h"
#include "base/log_filter.h"
#include "base/status.h"
#include "rpc/balance/backend_link.h"
#include "rpc/balance/control_frames.h"
#include "rpc/balance/forwarded_frame.h"
#include "rpc/bulk.h"
#include "rpc/frame.h"
#include "rpc/tls_record.h"

namespace skep {
namespace {

// A peer that stops in the middle of a large frame is given up after this.
constexpr absl::Duration kStalledFor = absl::Seconds(30);
// Unsent bytes up to this are not worth counting.
constexpr size_t kFewBytes = 64 << 10;

}  // namespace

BalancerClient::BalancerClient(std::unique_ptr<Stream> stream, BalancerShard& shard,
                               uint64_t number)
    : stream_(std::move(stream)),
      shard_(shard),
      number_(number),
      held_in_(shard.shared().held),
      held_out_(shard.shared().held),
      took_at_(shard.Now()) {}

// --- Requests ----------------------------------------------------------------------

size_t BalancerClient::OnData(std::string_view bytes) {
  const auto self = shared_from_this();
  if (closing_) return bytes.size();
  const absl::Time now = shard_.Now();
  if (!bytes.empty()) {
    last_bytes_ = now;
    if (!std::exchange(spoken_, true) && BeginsTlsHandshake(bytes)) {
      RefuseTls();
      return bytes.size();
    }
  }
  size_t consumed = std::min(skip_, bytes.size());
  skip_ -= consumed;
  while (MayRead()) {
    const std::string_view rest = bytes.substr(consumed);
    if (large_ != nullptr) {
      consumed += large_->Take(rest);
      if (!large_->complete()) break;
      large_arrived_ = now;
      HandleLarge(now);
      continue;
    }
    const Frame frame = ParseFrame(rest);
    if (frame.state == Frame::State::kNeedMore) {
      if (!AwaitRest(rest, &consumed)) Close();
      if (large_ == nullptr) break;
    } else if (frame.state == Frame::State::kBad) {
      Fault(frame.fault);
    } else if (!Handle(rest.substr(0, frame.length), frame.body, nullptr,
                       ArrivalOf(consumed + frame.length, now), now)) {
      Close();
    } else if (!waiting_) {
      consumed += frame.length;
    }
  }
  shard_.AfterRead();
  if (closing_) consumed = bytes.size();
  Carry(consumed, bytes.size() - consumed, now);
  UpdateReading();
  return consumed;
}

void BalancerClient::OnFilled(size_t count) {
  const auto self = shared_from_this();
  if (closing_) return;
  const absl::Time now = shard_.Now();
  last_bytes_ = now;
  large_->Filled(count);
  if (large_->complete()) {
    large_arrived_ = now;
    HandleLarge(now);
    shard_.AfterRead();
    UpdateReading();
  } else if (!HasRoom(0)) {
    const std::string_view front = large_->bytes();
    if (!Refuse(front, large_->filled())) Close();
  }
  Carry(0, 0, now);
}

void BalancerClient::HandleLarge(absl::Time now) {
  const Frame frame = ParseFrame(large_->bytes());
  if (frame.state != Frame::State::kReady) {
    Fault(frame.fault);
  } else if (!Handle(large_->bytes(), frame.body, &large_->bytes(), large_arrived_,
                     now)) {
    Close();
  }
  if (!waiting_) large_ = nullptr;
}

void BalancerClient::Carry(size_t consumed, size_t left, absl::Time now) {
  if (consumed < carried_) {
    // Some of it is still what came before.
    carried_ -= consumed;
  } else {
    carried_ = left;
    carried_at_ = now;
  }
  held_in_.Set(left + (large_ == nullptr ? 0 : large_->filled()));
}

bool BalancerClient::AwaitRest(std::string_view front, size_t* consumed) {
  if (front.size() < kMinFrameSize + kFrameSizeBytes) return true;
  const size_t size = LoadBig32(front.data()) + kFrameSizeBytes;
  // Unless its id can be seen nobody can be told.
  if (size < kLeastBulkBytes || front.size() < kIdOffset + 8) return true;
  if (!HasRoom(size - std::min(size, carried_))) {
    *consumed += front.size();
    return Refuse(front, front.size());
  }
  large_ = WholeFrame::Begin(front);
  return true;
}

bool BalancerClient::Refuse(std::string_view front, size_t all) {
  const size_t size = LoadBig32(front.data()) + kFrameSizeBytes;
  LOG(WARNING) << "balancer_no_room client=" << stream_->peer() << " bytes=" << size
               << " held=" << shard_.shared().held.total();
  if (!HasFixedLayout(front) ||
      front[kTypeOffset] != static_cast<char>(MessageType::kRequest)) {
    return false;
  }
  shard_.CountOwn(absl::StatusCode::kResourceExhausted, absl::ZeroDuration());
  ReplyError(LoadLittle<uint64_t>(front.data() + kIdOffset),
             ResourceExhausted("the balancer has no room for a request of ", size,
                               " bytes: it holds ", shard_.shared().held.total(),
                               " of ", shard_.options().max_bytes),
             HasFixedBudget(front));
  skip_ = size - all;
  large_ = nullptr;
  return true;
}

bool BalancerClient::Handle(std::string_view frame, std::string_view body,
                            std::string* owned, absl::Time arrived, absl::Time now) {
  Envelope envelope;
  if (!body.starts_with(kRpc0Tag) ||
      !ParseEnvelope(body.substr(kRpc0Tag.size()), &envelope)) {
    LOG(WARNING) << "balancer_bad_frame client=" << stream_->peer()
                 << " fault=\"not an RPC0 envelope\" bytes=" << frame.size();
    return false;
  }
  // As servers do: what is no request is ignored.
  if (envelope.type != MessageType::kRequest) return true;
  if (envelope.service == kControlService) {
    OnControl(envelope);
    return true;
  }
  last_accepted_id_ = envelope.id;
  waiting_ = shard_.Forward(*this, frame, envelope, owned, arrived, now) ==
             BalancerShard::Outcome::kWait;
  return true;
}

void BalancerClient::OnControl(const Envelope& request) {
  if (request.method == "Hello") return OnHello(request);
  if (request.method == "Cancel") {
    const std::optional<uint64_t> id = ParseCancel(request.request);
    if (!scoped_ || !id) return;
    const auto it = by_id_.find(*id);
    if (it != by_id_.end()) shard_.Cancel(*this, it->second);
    return;
  }
  // There is nothing of ours that a go-away would end, nor a ping keep.
  if (request.method == "GoAway" || request.method == "Ping") return;
  if ((request.flags & kFlagNoReply) == 0) {
    ReplyError(request.id,
               Unimplemented(kControlService, " has no method ", request.method),
               request.HasExtension());
  }
}

void BalancerClient::OnHello(const Envelope& request) {
  const std::optional<Hello> hello = ParseHello(request.request);
  if (!hello) {
    return ReplyError(request.id, InvalidArgument("not a ControlHello"),
                      request.HasExtension());
  }
  const std::string& fleet = shard_.options().fleet;
  if (!fleet.empty() && hello->fleet && *hello->fleet != fleet) {
    LOG(WARNING) << "hello_refused client=" << stream_->peer()
                 << " its_fleet=" << absl::CHexEscape(hello->fleet->substr(0, 80))
                 << " our_fleet=" << fleet;
    ReplyError(request.id,
               FailedPrecondition("this is fleet \"", fleet, "\", not \"",
                                  *hello->fleet, "\""),
               true);
    // The calls that came with it are not for us, unless they are others' calls.
    if (hello->id == request.id) Close();
    return;
  }
  is_skep_ = true;
  scoped_ = hello->id == request.id;
  Send(HelloReplyFrame(request.id, fleet));
}

void BalancerClient::CallBegins(uint32_t place, uint64_t client_id) {
  ++in_progress_;
  shard_.calls().Link(place, &first_call_);
  if (scoped_) by_id_[client_id] = place;
}

void BalancerClient::CallEnds(uint32_t place, uint64_t client_id) {
  --in_progress_;
  shard_.calls().Unlink(place, &first_call_);
  // Also if the peer has since taken back that nothing is between it and us: what stays
  // here would name the place's next call, which may be another client's.
  const auto it = by_id_.find(client_id);
  if (it != by_id_.end() && it->second == place) by_id_.erase(it);
}

// --- Replies -----------------------------------------------------------------------

void BalancerClient::Reply(std::string_view frame, const Envelope& envelope,
                           std::string* owned, uint64_t id, bool extended) {
  if (closed_) return;
  if (envelope.error != WireError::kNone && ClosedByFailure(extended)) return;
  const size_t unsent = Unsent();
  const size_t then = unsent + frame.size();
  // A client that takes its replies is not told of the others' bytes.
  if (then > kFewBytes && unsent > 0 &&
      (then > shard_.options().max_client_bytes || !HasRoom(frame.size()))) {
    shard_.CountOwn(absl::StatusCode::kResourceExhausted, absl::ZeroDuration());
    return ReplyError(
        id,
        ResourceExhausted("the reply of ", frame.size(), " bytes is dropped: ", unsent,
                          " bytes of earlier ones are not taken"),
        extended);
  }
  if (passing_ == kNoPlace) {
    const absl::Status written =
        WriteForwarded(*stream_, frame, envelope, id, std::nullopt, owned);
    if (then > kFewBytes) NoteQueued(unsent);
    if (!written.ok()) return ReplyError(id, written, extended);
  } else {
    absl::StatusOr<std::string> whole = ForwardedFrame(frame, envelope, id, owned);
    if (!whole.ok()) return ReplyError(id, whole.status(), extended);
    Send(*std::move(whole));
  }
  if (then > kFewBytes) CountHeld();
  Settle();
}

void BalancerClient::ReplyError(uint64_t id, const absl::Status& status, bool extended,
                                absl::Duration again) {
  if (closed_ || ClosedByFailure(extended)) return;
  const bool passes = status.code() == absl::StatusCode::kResourceExhausted ||
                      status.code() == absl::StatusCode::kUnavailable;
  Send(EncodeErrorReply(id, WireErrorOf(status), status,
                        passes ? again : absl::ZeroDuration(), extended || is_skep_)
           .ToString());
  Settle();
}

void BalancerClient::Send(std::string frame) {
  if (closing_) return;
  if (passing_ != kNoPlace) {
    behind_bytes_ += frame.size();
    behind_.push_back(std::move(frame));
    return;
  }
  const size_t unsent = stream_->unsent();
  if (frame.size() >= kLeastBulkBytes) {
    stream_->WriteOwned(std::move(frame));
  } else {
    stream_->Write(frame);
  }
  NoteQueued(unsent);
}

// --- Replies that are cut through ----------------------------------------------------

bool BalancerClient::BeginPassing(uint32_t place) {
  if (closing_ || closed_ || passing_ != kNoPlace || Unsent() > HighWater()) {
    return false;
  }
  passing_ = place;
  return true;
}

bool BalancerClient::Passed() {
  const size_t unsent = stream_->unsent();
  if (unsent > kFewBytes) CountHeld();
  return unsent > HighWater();
}

void BalancerClient::EndPassing() {
  passing_ = kNoPlace;
  behind_bytes_ = 0;
  for (std::string& frame : std::exchange(behind_, {})) Send(std::move(frame));
  CountHeld();
  Settle();
}

bool BalancerClient::HasRoomFor(size_t bytes) const {
  return Unsent() + bytes <= shard_.options().max_client_bytes && HasRoom(bytes);
}

void BalancerClient::Break(absl::Status reason) {
  if (closed_) return;
  closing_ = true;
  waiting_ = false;
  behind_.clear();
  behind_bytes_ = 0;
  stream_->Abort(std::move(reason));
}

bool BalancerClient::Takes() {
  const size_t unsent = stream_->unsent();
  const int64_t there = static_cast<int64_t>(unsent_then_) + queued_;
  // What is cut through is written, and watched over, by the link. What the kernel has
  // becomes no more while bytes wait here.
  const size_t in_kernel = unsent <= kFewBytes ? 0 : stream_->untaken() - unsent;
  const bool takes = unsent <= kFewBytes || passing_ != kNoPlace ||
                     static_cast<int64_t>(unsent) < there ||
                     in_kernel < in_kernel_then_;
  unsent_then_ = unsent;
  in_kernel_then_ = in_kernel;
  queued_ = 0;
  return takes;
}

void BalancerClient::Tick(absl::Time now) {
  CountHeld();
  if (closed_) return;
  if (Takes()) {
    took_at_ = now;
  } else if (now - took_at_ >= shard_.options().stall_timeout) {
    LOG(WARNING) << "balancer_deaf_client client=" << stream_->peer()
                 << " unsent=" << unsent_then_;
    stream_->Abort(
        DeadlineExceeded("took none of ", unsent_then_, " bytes of replies for ",
                         absl::FormatDuration(shard_.options().stall_timeout)));
    return;
  }
  const bool partial = large_ != nullptr ? !large_->complete() : carried_ > kFewBytes;
  if (!partial || !MayRead() || now - last_bytes_ < kStalledFor) return;
  LOG(WARNING) << "balancer_stalled_client client=" << stream_->peer();
  stream_->Abort(DeadlineExceeded("stopped in the middle of a frame"));
}

void BalancerClient::CountHeld() {
  const size_t unsent = closed_ ? 0 : Unsent();
  held_out_.Set(unsent > kFewBytes ? unsent : 0);
}

// After an answer: whether it was the last.
void BalancerClient::Settle() {
  if ((peer_closed_ || draining_) && in_progress_ == 0) return Close();
  if (!reading_) UpdateReading();
}

// --- The connection ------------------------------------------------------------------

void BalancerClient::Resume() {
  if (!std::exchange(waiting_, false) || closed_) return;
  if (large_ != nullptr && large_->complete()) {
    // The stream has no bytes to offer again.
    HandleLarge(shard_.Now());
    held_in_.Set(large_ == nullptr ? 0 : large_->filled());
    shard_.AfterRead();
  }
  UpdateReading();
}

bool BalancerClient::MayRead() const {
  const BalancerOptions& options = shard_.options();
  return !closing_ && !waiting_ && !draining_ &&
         in_progress_ < options.max_calls_per_client && Unsent() <= HighWater();
}

void BalancerClient::UpdateReading() {
  // When all is said, what comes is passed over until the end.
  const bool read = closing_ || MayRead();
  if (read == reading_) return;
  reading_ = read;
  stream_->SetReading(read);
}

void BalancerClient::Drain() {
  if (closing_ || closed_) return;
  if (scoped_) {
    Send(GoAwayFrame(last_accepted_id_));
    return;
  }
  draining_ = true;
  UpdateReading();
  Settle();
}

void BalancerClient::OnDrained() {
  CountHeld();
  took_at_ = shard_.Now();
  if (passing_ != kNoPlace) shard_.calls()[passing_].link->PassOn();
  UpdateReading();
}

void BalancerClient::OnPeerClosed() {
  peer_closed_ = true;
  // Others may still wait for their replies. One of ours closes its half only when it
  // wants none.
  if (is_skep_) shard_.AbandonAll(*this);
  if (in_progress_ == 0) Close();
}

void BalancerClient::Fault(std::string_view what) {
  LOG(WARNING) << "balancer_bad_frame client=" << stream_->peer() << " fault=\"" << what
               << '"';
  Close();
}

void BalancerClient::RefuseTls() {
  // Clients try again for ever; without the port, which is another each time.
  static auto* const filter = new LogFilter;
  const std::string& who = stream_->peer();
  LOG_IF(WARNING, filter->Passes(who.substr(0, who.rfind(':')), absl::Now()))
      << "tls_unexpected client=" << who << " reason=\"" << kClientSpeaksTls << '"';
  Close();
}

bool BalancerClient::ClosedByFailure(bool extended) {
  if (extended || is_skep_ || !shard_.options().close_on_legacy_failure) return false;
  Close();
  return true;
}

void BalancerClient::Close() {
  if (closing_) return;
  closing_ = true;
  waiting_ = false;
  stream_->CloseWhenDrained();
  UpdateReading();
}

void BalancerClient::OnClosed(const absl::Status& /*reason*/) {
  const auto self = shared_from_this();
  closed_ = true;
  large_ = nullptr;
  behind_.clear();
  behind_bytes_ = 0;
  held_in_.Set(0);
  held_out_.Set(0);
  shard_.ClientClosed(*this);
}

}  // namespace skep
