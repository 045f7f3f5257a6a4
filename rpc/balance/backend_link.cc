#include "rpc/balance/backend_link.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "base/status.h"
#include "rpc/balance/balancer_client.h"
#include "rpc/balance/control_frames.h"
#include "rpc/balance/forwarded_frame.h"
#include "rpc/balance/late_window.h"
#include "rpc/frame.h"
#include "rpc/tls_record.h"

namespace skep {
namespace {

// Under which calls go out that want no reply: no call has this place, so that the
// reply of a backend which answers all the same is nobody's.
constexpr uint64_t kNoReplyId = ~uint64_t{0};
// Places of what the link itself asks.
constexpr uint32_t kHelloPlace = kFirstReservedPlace;
constexpr uint32_t kCheckPlace = kFirstReservedPlace + 1;
constexpr uint64_t kHelloId = uint64_t{1} << 32 | kHelloPlace;
// Unsent bytes up to this are not worth counting.
constexpr size_t kFewBytes = 64 << 10;

}  // namespace

BackendLink::BackendLink(BalancerShard& shard, std::shared_ptr<SharedBackend> backend)
    : shard_(shard),
      backend_(std::move(backend)),
      held_(shard.shared().held),
      promised_(shard.shared().held) {}

bool BackendLink::Usable() const {
  return connected() && !going_away_ &&
         !backend_->draining.load(std::memory_order_relaxed) &&
         backend_->pending.load(std::memory_order_relaxed) <
             shard_.options().max_calls_per_backend &&
         stream_->unsent() < shard_.options().high_water_bytes;
}

bool BackendLink::HasWindow(bool held_too, absl::Time now) const {
  return HasLateWindow(outstanding_, held_too ? backend_->held_errors.Count(now) : 0,
                       held_too, shard_.options().window,
                       backend_->weight.load(std::memory_order_relaxed));
}

// --- The connection ------------------------------------------------------------------

void BackendLink::Connect() {
  shard_.transport().Connect(
      backend_->address, shard_.options().connect_timeout,
      [weak = weak_from_this()](absl::StatusOr<std::unique_ptr<Stream>> stream) {
        if (const auto self = weak.lock()) self->OnConnected(std::move(stream));
      });
}

void BackendLink::OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
  if (stopped_) return;
  const bool was_starting = std::exchange(starting_, false);
  if (!stream.ok()) {
    trouble_ = stream.status();
    LOG_IF(WARNING, was_starting || backoff_ >= shard_.options().max_backoff)
        << "backend_unreachable backend=" << backend_->address.ToString()
        << " reason=\"" << stream.status() << '"';
    ReconnectLater();
  } else {
    LOG(INFO) << "backend_up backend=" << backend_->address.ToString();
    stream_ = *std::move(stream);
    closed_ = scoped_ = going_away_ = spoken_ = served_ = false;
    large_ = nullptr;
    checks_ = 0;
    check_open_ = answers_checks_ = false;
    if (backend_->links.fetch_add(1, std::memory_order_relaxed) == 0) {
      backend_->up_since.Set(shard_.Now());
    }
    stream_->Start(this);
    stream_->Write(HelloFrame(kHelloId, shard_.options().fleet));
    if (shard_.options().check_interval > absl::ZeroDuration()) Check();
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
  starting_ = false;
  shard_.executor().Cancel(retry_timer_);
  shard_.executor().Cancel(check_timer_);
  StopPassing();
  if (connected()) {
    closed_ = true;
    backend_->links.fetch_sub(1, std::memory_order_relaxed);
    shard_.FailAll(*this, Unavailable("the balancer is shutting down"));
  }
  held_.Set(0);
  stream_.reset();
}

void BackendLink::OnPeerClosed() {
  // It will answer nothing more.
  stream_->Abort(Unavailable("backend ", backend_->address, " closed the connection"));
}

void BackendLink::OnClosed(const absl::Status& reason) {
  closed_ = true;
  large_ = nullptr;
  StopPassing();
  held_.Set(0);
  shard_.executor().Cancel(check_timer_);
  backend_->links.fetch_sub(1, std::memory_order_relaxed);
  trouble_ = reason;
  LOG_IF(WARNING, served_ ? !going_away_ || outstanding_ > 0
                          : down_.Passes(std::string(Message(reason)), absl::Now()))
      << "backend_down backend=" << backend_->address.ToString()
      << " in_flight=" << outstanding_ << " reason=\"" << reason << '"';
  shard_.FailAll(*this,
                 Unavailable(shard_.Blamed(
                     *backend_, "was lost before it answered; the call may have run",
                     StrCat(": ", Message(reason)))));
  if (!stopped_) {
    ReconnectLater();
    shard_.LinkChanged();
  }
}

void BackendLink::OnDrained() {
  held_.Set(0);
  shard_.LinkChanged();
}

void BackendLink::OnGoAway() {
  LOG(INFO) << "backend_going_away backend=" << backend_->address.ToString()
            << " in_flight=" << outstanding_;
  going_away_ = true;
  if (outstanding_ == 0) stream_->CloseWhenDrained();
}

// --- Calls ---------------------------------------------------------------------------

absl::Status BackendLink::Send(uint32_t place, std::string_view frame,
                               const Envelope& envelope,
                               std::optional<uint32_t> budget_us, std::string* owned) {
  CallSlab& calls = shard_.calls();
  const bool large = frame.size() > kFewBytes;
  SKEP_RETURN_IF_ERROR(
      WriteForwarded(*stream_, frame, envelope, calls.IdOf(place), budget_us, owned));
  calls[place].link = this;
  ++outstanding_;
  backend_->calls.Begin();
  backend_->pending.fetch_add(1, std::memory_order_relaxed);
  backend_->forwarded.fetch_add(1, std::memory_order_relaxed);
  if (large) CountHeld();
  return absl::OkStatus();
}

void BackendLink::SendOneWay(std::string_view frame, const Envelope& envelope,
                             std::optional<uint32_t> budget_us) {
  const absl::Status written =
      WriteForwarded(*stream_, frame, envelope, kNoReplyId, budget_us);
  if (!written.ok()) {
    LOG(WARNING) << "balancer_one_way_lost backend=" << backend_->address.ToString()
                 << " reason=\"" << written << '"';
    return;
  }
  backend_->forwarded.fetch_add(1, std::memory_order_relaxed);
}

void BackendLink::SendCancel(uint64_t id) {
  if (connected() && scoped_) stream_->Write(CancelFrame(id));
}

void BackendLink::Released() {
  --outstanding_;
  backend_->pending.fetch_sub(1, std::memory_order_relaxed);
  if (going_away_ && outstanding_ == 0 && connected()) stream_->CloseWhenDrained();
}

size_t BackendLink::OnData(std::string_view bytes) {
  if (!bytes.empty() && !std::exchange(spoken_, true) && BeginsTlsAlert(bytes)) {
    stream_->Abort(
        Unavailable("backend ", backend_->address,
                    " speaks TLS alone: give --backend-tls DIR, a folder of ",
                    "its fleet (`skep cert` makes one)"));
    return bytes.size();
  }
  const absl::Time now = shard_.Now();
  size_t consumed = 0;
  bool frames = false;
  while (true) {
    if (large_ != nullptr) {
      consumed += large_->Take(bytes.substr(consumed));
      if (!large_->complete()) break;
      if (!HandleLarge(now)) return bytes.size();
      frames = true;
      continue;
    }
    if (passing_) {
      consumed += Pass(bytes.substr(consumed), now);
      if (passing_) break;
      frames = true;
      continue;
    }
    const std::string_view rest = bytes.substr(consumed);
    const Frame frame = ParseFrame(rest);
    if (frame.state == Frame::State::kNeedMore) {
      const ReplyCut::Verdict cut = BeginPassing(rest, now);
      if (cut == ReplyCut::Verdict::kYes) continue;
      if (cut == ReplyCut::Verdict::kTooEarly) break;
      large_ = WholeFrame::Begin(rest);
      if (large_ == nullptr) break;
      continue;
    }
    if (frame.state == Frame::State::kBad ||
        !HandleFrame(rest.substr(0, frame.length), frame.body, nullptr, now)) {
      BadFrame(frame.fault);
      return bytes.size();
    }
    consumed += frame.length;
    frames = true;
  }
  if (!bytes.empty()) Heard(frames, now);
  return consumed;
}

void BackendLink::OnFilled(size_t count) {
  const absl::Time now = shard_.Now();
  large_->Filled(count);
  const bool complete = large_->complete();
  if (complete && !HandleLarge(now)) return;
  Heard(complete, now);
}

bool BackendLink::HandleLarge(absl::Time now) {
  const std::unique_ptr<WholeFrame> large = std::move(large_);
  const Frame frame = ParseFrame(large->bytes());
  if (frame.state == Frame::State::kReady &&
      HandleFrame(large->bytes(), frame.body, &large->bytes(), now)) {
    return true;
  }
  return BadFrame(frame.fault);
}

bool BackendLink::BadFrame(std::string_view fault) {
  // Where the next frame begins is not known: this connection is of no further use.
  stream_->Abort(DataLoss("backend ", backend_->address, " sent a bad frame: ", fault));
  return false;
}

// A part of a large frame is a sign of life, too.
void BackendLink::Heard(bool frames, absl::Time now) {
  if (frames) {
    // It serves: only now is the next attempt to connect a first one again.
    backoff_ = absl::ZeroDuration();
    if (!std::exchange(served_, true)) trouble_ = absl::OkStatus();
    if (shard_.options().mode == BindMode::kLate) shard_.Pump(now);
  }
  if (heard_) return;
  heard_ = true;
  if (shard_.options().check_method.empty()) {
    shard_.shared().OnCheck(*backend_, true, now);
  }
}

bool BackendLink::HandleFrame(std::string_view frame, std::string_view body,
                              std::string* owned, absl::Time now) {
  Envelope envelope;
  if (!body.starts_with(kRpc0Tag) ||
      !ParseEnvelope(body.substr(kRpc0Tag.size()), &envelope)) {
    return false;
  }
  if (envelope.type == MessageType::kRequest) {
    if (scoped_ && envelope.service == kControlService && envelope.method == "GoAway") {
      OnGoAway();
    }
    return true;
  }
  if (envelope.type != MessageType::kResponse) return true;
  const auto place = static_cast<uint32_t>(envelope.id);
  if (place == kHelloPlace) {
    OnHelloReply(envelope);
  } else if (place == kCheckPlace) {
    if (!check_open_ || envelope.id >> 32 != checks_) return true;
    check_open_ = false;
    answers_checks_ = true;
    const bool own_method = !shard_.options().check_method.empty();
    check_bad_ = own_method && envelope.error != WireError::kNone &&
                 Health::SpeaksAgainst(StatusOfReply(envelope, "").code());
    if (own_method && !check_bad_) shard_.shared().OnCheck(*backend_, true, now);
  } else {
    OnReply(frame, envelope, owned, now);
  }
  return true;
}

void BackendLink::OnReply(std::string_view frame, const Envelope& envelope,
                          std::string* owned, absl::Time now) {
  const uint32_t place = shard_.calls().Find(envelope.id);
  if (place == kNoPlace || shard_.calls()[place].link != this) {
    LOG_EVERY_N(WARNING, 1000)
        << "balancer_stray_reply backend=" << backend_->address.ToString()
        << " id=" << envelope.id;
    return;
  }
  const BalancerShard::Ended ended = shard_.End(
      place,
      envelope.error == WireError::kNone ? absl::StatusCode::kOk
                                         : StatusOfReply(envelope, "").code(),
      now);
  if (ended.client != nullptr) {
    ended.client->Reply(frame, envelope, owned, ended.client_id, ended.extended);
  }
}

// --- Hello and checks ----------------------------------------------------------------

void BackendLink::OnHelloReply(const Envelope& reply) {
  const absl::Status status = StatusOfReply(reply, "");
  if (absl::IsFailedPrecondition(status)) {
    // It knows what hello is and does not want us.
    LOG(WARNING) << "hello_refused backend=" << backend_->address.ToString()
                 << " reason=\"" << status << '"';
    stream_->Abort(Unavailable(Message(status)));
    return;
  }
  // Any other error is another make's way of not knowing hello.
  if (!status.ok()) return;
  const std::optional<Hello> hello = ParseHello(reply.response);
  scoped_ = hello && hello->id == kHelloId;
}

bool BackendLink::CheckFailed() const {
  if (!shard_.options().check_method.empty()) return check_open_ || check_bad_;
  if (!check_open_ || heard_) return false;
  // Servers of some makes do not answer what they do not serve; of these, only calls
  // that are not answered tell anything.
  return answers_checks_ || owed_at_check_;
}

void BackendLink::Check() {
  if (stopped_ || !connected()) return;
  // What it said while we did not listen is still to be read.
  const bool pardoned = std::exchange(pardoned_, passing_ && passing_->paused);
  if (checks_ > 0 && !pardoned && CheckFailed()) {
    shard_.shared().OnCheck(*backend_, false, shard_.Now());
  }
  ++checks_;
  check_open_ = true;
  check_bad_ = heard_ = false;
  owed_at_check_ = outstanding_ > 0;
  const uint64_t id = uint64_t{checks_} << 32 | kCheckPlace;
  const std::string& method = shard_.options().check_method;
  // A backend that takes nothing is not sent more.
  if (stream_->unsent() < kFewBytes) {
    if (method.empty()) {
      stream_->Write(HelloFrame(id, shard_.options().fleet));
    } else {
      const size_t dot = method.rfind('.');
      stream_->Write(EmptyRequestFrame(id, std::string_view(method).substr(0, dot),
                                       std::string_view(method).substr(dot + 1)));
    }
  }
  // Not all at the same time.
  const absl::Duration delay =
      shard_.options().check_interval * (0.9 + 0.2 * shard_.random().Unit());
  check_timer_ = shard_.executor().PostAfter(delay, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Check();
  });
}

}  // namespace skep
