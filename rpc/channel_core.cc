#include "rpc/channel_core.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/checksum.h"
#include "base/coding.h"
#include "base/status.h"
#include "glog/logging.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "rpc/bulk.h"
#include "rpc/frame.h"
#include "rpc/method_options.h"

namespace skep {
namespace {

// Time that a read's completions may take before it matters to the calls they make.
constexpr absl::Duration kReadSlack = absl::Milliseconds(1);
// A budget that waited less than this is sent as it was encoded.
constexpr absl::Duration kBudgetSlack = absl::Milliseconds(1);

// The budget on the wire: 0 means none is told, because there is none or because it is
// more than 32 bits of microseconds hold (71 minutes).
uint32_t BudgetOf(absl::Duration left) {
  const int64_t us = absl::ToInt64Microseconds(left);
  if (us > std::numeric_limits<uint32_t>::max()) return 0;
  return static_cast<uint32_t>(std::max<int64_t>(us, 1));
}

struct MethodFlags {
  uint32_t wire = 0;
  bool wants_reply = true;
};

MethodFlags FlagsOf(const google::protobuf::MethodDescriptor& method) {
  const MethodTraits traits = TraitsOf(method);
  MethodFlags flags;
  if (traits.idempotent) flags.wire |= kFlagIdempotent;
  if (traits.noreturn) {
    flags.wire |= kFlagNoReply;
    flags.wants_reply = false;
  }
  return flags;
}

// All but the id.
Envelope RequestTo(const google::protobuf::MethodDescriptor& method, uint32_t flags,
                   absl::Duration timeout) {
  Envelope envelope;
  envelope.type = MessageType::kRequest;
  envelope.service = method.service()->full_name();
  envelope.Set(Envelope::kService);
  envelope.method = method.name();
  envelope.Set(Envelope::kMethod);
  if (const uint32_t budget = BudgetOf(timeout); budget != 0) {
    envelope.budget_us = budget;
    envelope.Set(Envelope::kBudget);
  }
  if (flags != 0) {
    envelope.flags = flags;
    envelope.Set(Envelope::kFlags);
  }
  return envelope;
}

}  // namespace

ChannelCore::ChannelCore(Executor& executor, std::string peer,
                         ChannelCoreOptions options)
    : executor_(executor),
      peer_(std::move(peer)),
      options_(std::move(options)),
      load_(options_.load != nullptr
                ? options_.load
                : std::make_shared<ServerLoad>(ServerOptions().max_memory_bytes)),
      random_(options_.connect.seed != 0 ? options_.connect.seed : SystemRandom64()) {}

ChannelCore::~ChannelCore() {
  // Only a transport that went first leaves calls here; they still complete.
  std::vector<OutstandingCall> calls;
  {
    MutexLock lock(mutex_);
    calls = calls_.TakeAll();
  }
  CompleteAll(std::move(calls), Cancelled("the channel to ", peer_, " is gone"));
}

CallId ChannelCore::Refuse(absl::Status status, Done done) {
  executor_.Post(
      [status = MarkNeverSent(std::move(status)), done = std::move(done)]() mutable {
        Controller outcome;
        outcome.SetStatus(std::move(status));
        done(outcome);
      });
  return CallId();
}

absl::Status ChannelCore::Admit() {
  if (ended_) return end_reason_;
  if (!ready_ && !options_.connect.wait_for_ready) {
    return Unavailable("no connection to ", peer_, last_error_.ok() ? "" : ": ",
                       Message(last_error_));
  }
  const size_t limit = options_.connect.max_unsent_bytes;
  if (outbox_bytes_ + unsent_bytes_ > limit && outbox_unwanted_ > 0) PruneOutbox();
  if (outbox_bytes_ + unsent_bytes_ > limit) {
    return ResourceExhausted(outbox_bytes_ + unsent_bytes_, " bytes of calls to ",
                             peer_, " wait to be sent, over the limit of ", limit);
  }
  return absl::OkStatus();
}

CallId ChannelCore::Start(const google::protobuf::MethodDescriptor& method,
                          const google::protobuf::Message& request,
                          google::protobuf::Message* response, CallOptions options,
                          Done done) {
  if (!request.IsInitialized()) {
    return Refuse(InvalidArgument(method.full_name(), ": the request lacks ",
                                  request.InitializationErrorString()),
                  std::move(done));
  }
  const MethodFlags flags = FlagsOf(method);
  Envelope envelope = RequestTo(method, flags.wire, options.timeout);
  const absl::StatusOr<size_t> room =
      FrameRoom(envelope, &request, options.attachment.size());
  if (!room.ok()) {
    return Refuse(Annotate(room.status(), method.full_name()), std::move(done));
  }
  const bool here = executor_.IsCurrent();
  // A completion's next call begins when the reply came.
  const absl::Time now = here && handling_ ? last_activity_ : Now();
  OutstandingCall call;
  call.method = &method;
  call.response = response;
  call.timeout = options.timeout;
  if (options.timeout != absl::InfiniteDuration()) {
    call.deadline = now + options.timeout;
  }
  const absl::Time deadline = call.deadline;
  bool at_once = false;
  CallId id;
  absl::Time earliest;
  absl::Status admitted;
  {
    MutexLock lock(mutex_);
    admitted = Admit();
    if (admitted.ok()) {
      at_once = here && ready_;
      if (at_once) ++counters_.sent;
      call.sent = at_once;
      call.offset = at_once ? written_ : 0;
      if (flags.wants_reply) {
        call.done = std::move(done);
        pending_.fetch_add(1, std::memory_order_relaxed);
      }
      id = calls_.Add(std::move(call));
      // A call without reply has an id of its own all the same, so that the replies
      // which some servers send to it are known for what they are.
      if (!flags.wants_reply) calls_.Take(id);
      earliest = calls_.EarliestDeadline();
    }
  }
  // Not under the lock: what a completion holds may be ours to free.
  if (!admitted.ok()) return Refuse(std::move(admitted), std::move(done));
  envelope.id = id.value();
  if (at_once) {
    WriteInPlace(envelope, request, *room, std::move(options.attachment));
  } else {
    Queue(envelope, request, std::move(options.attachment),
          Request{id, OutFrame(), deadline, now, flags.wants_reply});
  }
  if (here) ArmTimerAt(earliest);
  if (here && handling_) begun_.push_back(id);
  if (at_once && !watching_peer_) WatchPeer();
  if (!flags.wants_reply) {
    executor_.Post([done = std::move(done)]() mutable { done(Controller()); });
  }
  return id;
}

void ChannelCore::Queue(const Envelope& envelope,
                        const google::protobuf::Message& message,
                        std::string attachment, Request request) {
  const absl::Status encoded =
      EncodeFrame(envelope, &message, std::move(attachment), &request.frame);
  CHECK(encoded.ok()) << encoded;  // it has room
  MutexLock lock(mutex_);
  outbox_bytes_ += request.frame.size();
  outbox_.push_back(std::move(request));
  // On the executor it waits for a connection, whose coming sends it.
  if (!executor_.IsCurrent()) PostFlush();
}

void ChannelCore::PostFlush() {
  if (flush_posted_) return;
  flush_posted_ = true;
  executor_.Post([weak = weak_from_this()] {
    if (const std::shared_ptr<ChannelCore> self = weak.lock()) self->Flush();
  });
}

void ChannelCore::Flush() {
  std::vector<Request> requests;
  std::vector<QueuedReply> replies;
  {
    MutexLock lock(mutex_);
    flush_posted_ = false;
    replies.swap(replies_);
    if (ready_) {
      PruneOutbox();
      requests.swap(outbox_);
      outbox_bytes_ = 0;
      uint64_t offset = written_;
      for (const Request& request : requests) {
        calls_.MarkSent(request.id, offset);
        offset += request.frame.size();
      }
      counters_.sent += requests.size();
    }
  }
  // First, since they have been told their place.
  for (Request& request : requests) Transmit(std::move(request));
  if (!requests.empty() && !watching_peer_) WatchPeer();
  for (QueuedReply& reply : replies) FinishCall(reply.call, std::move(reply.frame));
  ArmTimer();
}

void ChannelCore::Transmit(Request request) {
  if (HasFixedBudget(request.frame.head)) {
    const absl::Time now = Now();
    if (now - request.encoded > kBudgetSlack) {
      RewriteBudget(&request.frame, BudgetOf(request.deadline - now));
    }
  }
  WriteFrame(std::move(request.frame));
}

void ChannelCore::WriteFrame(OutFrame frame) {
  if (stream_ == nullptr || closing_) return;
  written_ += frame.size();
  char checksum[4];
  StoreBig32(frame.checksum, checksum);
  if (frame.attachment.empty()) {
    frame.head.append(checksum, sizeof checksum);
    stream_->Write(frame.head);
  } else {
    stream_->Write(frame.head);
    stream_->WriteOwned(std::move(frame.attachment));
    stream_->Write(std::string_view(checksum, sizeof checksum));
  }
  NoteUnsent();
}

void ChannelCore::WriteInPlace(const Envelope& envelope,
                               const google::protobuf::Message& body, size_t room,
                               std::string attachment) {
  if (stream_ == nullptr || closing_) return;
  char* const frame = stream_->BeginWrite(room + kFrameChecksumBytes);
  char* const end = EncodeHead(envelope, &body, attachment, frame);
  written_ += static_cast<size_t>(end - frame) + kFrameChecksumBytes;
  const char* const checked = frame + kFrameSizeBytes;
  const uint32_t checksum = Adler32({checked, static_cast<size_t>(end - checked)});
  if (TravelsApart(attachment.size())) {
    written_ += attachment.size();
    stream_->EndWrite(static_cast<size_t>(end - frame));
    char tail[kFrameChecksumBytes];
    StoreBig32(Adler32(checksum, attachment), tail);
    stream_->WriteOwned(std::move(attachment));
    stream_->Write(std::string_view(tail, sizeof tail));
  } else {
    StoreBig32(checksum, end);
    stream_->EndWrite(static_cast<size_t>(end - frame) + kFrameChecksumBytes);
  }
  NoteUnsent();
}

void ChannelCore::NoteUnsent() {
  const size_t unsent = stream_->unsent();
  if (unsent > kStreamHighWater) {
    MutexLock lock(mutex_);
    unsent_bytes_ = unsent;
  }
}

void ChannelCore::OnReply(const Envelope& reply) {
  const CallId id(reply.id);
  std::optional<OutstandingCall> call;
  {
    MutexLock lock(mutex_);
    call = calls_.TakeForReply(id);
    if (!call.has_value()) {
      switch (calls_.Explain(id)) {
        case CallTable::Stray::kLate:
          ++counters_.late_replies;
          break;
        case CallTable::Stray::kDuplicate:
          ++counters_.duplicate_replies;
          break;
        case CallTable::Stray::kForeign:
          ++counters_.foreign_replies;
          break;
      }
      return;
    }
    ++counters_.replies;
  }
  absl::Status status = StatusOfReply(reply, peer_);
  if (status.ok() && !ParseMessage(reply.response, call->response)) {
    status = Internal(Describe(*call), ": the response of ", reply.response.size(),
                      " bytes is not a ", call->method->output_type()->full_name());
  }
  Complete(*std::move(call), status, &reply);
  if (draining_) MaybeClose();
}

void ChannelCore::Complete(OutstandingCall&& call, const absl::Status& status,
                           const Envelope* reply) {
  if (!call.internal) pending_.fetch_sub(1, std::memory_order_relaxed);
  Controller outcome;
  outcome.SetStatus(status);
  if (reply != nullptr) {
    if (status.ok()) outcome.mutable_response_attachment() = TakeAttachment(*reply);
    outcome.set_retry_after(absl::Microseconds(reply->retry_after_us));
  }
  call.done(outcome);
  GiveBulk(outcome.TakeResponseAttachment());
}

void ChannelCore::CompleteAll(std::vector<OutstandingCall> calls,
                              const absl::Status& status) {
  for (OutstandingCall& call : calls) {
    absl::Status own = Annotate(status, Describe(call));
    if (!call.sent) own = MarkNeverSent(std::move(own));
    Complete(std::move(call), own, nullptr);
  }
}

void ChannelCore::Cancel(CallId call) {
  executor_.Post([weak = weak_from_this(), call] {
    if (const std::shared_ptr<ChannelCore> self = weak.lock()) self->CancelNow(call);
  });
}

void ChannelCore::PutOffDeadlines() {
  // They count from when the read came: a completion that works for longer than a
  // call's timeout and then makes that call would find it over.
  const absl::Duration took = Now() - last_activity_;
  if (took > kReadSlack) {
    MutexLock lock(mutex_);
    for (const CallId id : begun_) calls_.Extend(id, took);
  }
  begun_.clear();
}

void ChannelCore::ArmTimer() {
  absl::Time earliest;
  {
    MutexLock lock(mutex_);
    earliest = calls_.EarliestDeadline();
  }
  if (serving_ != nullptr) earliest = std::min(earliest, serving_->EarliestDeadline());
  ArmTimerAt(earliest);
}

void ChannelCore::ArmTimerAt(absl::Time earliest) {
  // A timer that comes too early finds nothing to do and arms the next: cheaper than
  // one for every call, most of which end long before their deadline.
  if (earliest >= timer_at_) return;
  executor_.Cancel(timer_);
  timer_at_ = earliest;
  timer_ = executor_.PostAfter(earliest - Now(), [weak = weak_from_this()] {
    if (const std::shared_ptr<ChannelCore> self = weak.lock()) self->OnTimer();
  });
}

void ChannelCore::OnTimer() {
  timer_ = TimerId();
  timer_at_ = absl::InfiniteFuture();
  const absl::Time now = Now();
  if (serving_ != nullptr) serving_->StopExpired(now);
  std::vector<OutstandingCall> expired;
  absl::Status last_error;
  {
    MutexLock lock(mutex_);
    CallId id;
    while (std::optional<OutstandingCall> call = calls_.TakeExpired(now, &id)) {
      if (!call->sent) NoteUnwanted();
      expired.push_back(*std::move(call));
    }
    counters_.deadlines += expired.size();
    last_error = last_error_;
  }
  for (OutstandingCall& call : expired) {
    const bool sent = call.sent;
    absl::Status status =
        sent ? DeadlineExceeded(Describe(call), ": no reply within ",
                                absl::FormatDuration(call.timeout))
             : DeadlineExceeded(Describe(call), ": no connection within ",
                                absl::FormatDuration(call.timeout),
                                last_error.ok() ? "" : ": ", Message(last_error));
    if (!sent) status = MarkNeverSent(std::move(status));
    Complete(std::move(call), status, nullptr);
  }
  ArmTimer();
  if (draining_) MaybeClose();
}

void ChannelCore::NoteUnwanted() {
  // Not one by one: forgetting n of them would look at n squared.
  if (++outbox_unwanted_ * 2 > outbox_.size()) PruneOutbox();
}

// Forgets requests whose calls have ended, so that they are neither sent nor counted.
void ChannelCore::PruneOutbox() {
  const absl::Time now = Now();
  size_t kept = 0;
  for (Request& request : outbox_) {
    const bool wanted = request.wants_reply ? calls_.Find(request.id) != nullptr
                                            : request.deadline > now;
    if (!wanted) {
      outbox_bytes_ -= request.frame.size();
    } else if (&outbox_[kept++] != &request) {
      outbox_[kept - 1] = std::move(request);
    }
  }
  outbox_.erase(outbox_.begin() + kept, outbox_.end());
  outbox_unwanted_ = 0;
}

std::string ChannelCore::Describe(const OutstandingCall& call) const {
  return StrCat(call.method->full_name(), " at ", peer_);
}

bool ChannelCore::connected() const {
  MutexLock lock(mutex_);
  return ready_;
}

ChannelCounters ChannelCore::counters() const {
  MutexLock lock(mutex_);
  return counters_;
}

}  // namespace skep
