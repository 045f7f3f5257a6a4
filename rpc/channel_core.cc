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
  std::vector<OutstandingCall> calls = calls_.TakeAll();
  InboxNode* node = inbox_.TakeAll();
  while (node != nullptr) {
    InboxNode* const next = node->mpsc_next;
    if (node->kind == InboxNode::Kind::kReply) {
      static_cast<ServedReply*>(node)->Deliver(nullptr);
    } else if (auto& call = static_cast<CallSlot*>(node)->call; call.wants_reply) {
      Add(pending_, 1);
      calls.push_back(std::move(call));
    }
    node = next;
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
  if (ended_.load(std::memory_order_acquire)) return EndReason();
  if (!ready_.load(std::memory_order_relaxed) && !options_.connect.wait_for_ready) {
    const absl::Status why = LastError();
    return Unavailable("no connection to ", peer_, why.ok() ? "" : ": ", Message(why));
  }
  // Threads that come here together may each be one frame over it.
  const size_t limit = options_.connect.max_unsent_bytes;
  const size_t unsent = calls_.unsent() + unsent_bytes_.load(std::memory_order_relaxed);
  if (unsent <= limit) return absl::OkStatus();
  return ResourceExhausted(unsent, " bytes of calls to ", peer_,
                           " wait to be sent, over the limit of ", limit);
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
  if (absl::Status admitted = Admit(); !admitted.ok()) {
    return Refuse(std::move(admitted), std::move(done));
  }
  const bool here = executor_.IsCurrent();
  // A completion's next call begins when the reply came.
  const absl::Time now = here && handling_ ? last_activity_ : Now();
  CallSlot* const slot = here ? calls_.Reserve() : calls_.ReserveElsewhere();
  const CallId id = CallTable::IdOf(*slot);
  envelope.id = id.value();
  slot->call = OutstandingCall{.method = &method,
                               .response = response,
                               .timeout = options.timeout,
                               .wants_reply = flags.wants_reply};
  if (options.timeout != absl::InfiniteDuration()) {
    slot->call.deadline = now + options.timeout;
  }
  if (flags.wants_reply) slot->call.done = std::move(done);
  if (here && ready_.load(std::memory_order_relaxed)) {
    SendAtOnce(slot, envelope, request, *room, std::move(options.attachment));
  } else {
    Encode(envelope, request, std::move(options.attachment), now, slot);
    if (here) {
      TakeCall(slot);
    } else {
      if (flags.wants_reply) submitted_.fetch_add(1, std::memory_order_relaxed);
      PushToInbox(slot);
    }
  }
  if (here) {
    ArmTimerAt(calls_.EarliestDeadline());
    if (handling_) begun_.push_back(id);
  }
  if (!flags.wants_reply) {
    executor_.Post([done = std::move(done)]() mutable { done(Controller()); });
  }
  return id;
}

void ChannelCore::SendAtOnce(CallSlot* slot, const Envelope& envelope,
                             const google::protobuf::Message& request, size_t room,
                             std::string attachment) {
  Add(counters_.sent, uint64_t{1});
  if (slot->call.wants_reply) {
    Add(pending_, 1);
    slot->call.sent = true;
    slot->call.offset = written_;
    calls_.Add(slot);
  } else {
    // It had an id all the same, so that the replies which some servers send to it are
    // known for what they are.
    calls_.Drop(slot);
  }
  WriteInPlace(envelope, request, room, std::move(attachment));
  if (!watching_peer_) WatchPeer();
}

void ChannelCore::Encode(const Envelope& envelope,
                         const google::protobuf::Message& message,
                         std::string attachment, absl::Time now, CallSlot* slot) {
  const absl::Status encoded =
      EncodeFrame(envelope, &message, std::move(attachment), &slot->frame);
  CHECK(encoded.ok()) << encoded;  // it has room
  slot->encoded = now;
  calls_.CountUnsent(slot);
}

void ChannelCore::PushToInbox(InboxNode* node) {
  // Who finds it empty wakes the executor, for all that come until it looks.
  if (!inbox_.Push(node)) return;
  executor_.Post([weak = weak_from_this()] {
    if (const std::shared_ptr<ChannelCore> self = weak.lock()) self->TakeInbox();
  });
}

void ChannelCore::TakeInbox() {
  int calls = 0;
  InboxNode* node = inbox_.TakeAll();
  if (node == nullptr) return;
  while (node != nullptr) {
    InboxNode* const next = node->mpsc_next;
    if (node->kind == InboxNode::Kind::kReply) {
      static_cast<ServedReply*>(node)->Deliver(this);
    } else {
      auto* const slot = static_cast<CallSlot*>(node);
      calls += slot->call.wants_reply;
      TakeCall(slot);
    }
    node = next;
  }
  submitted_.fetch_sub(calls, std::memory_order_relaxed);
  ArmTimer();
}

void ChannelCore::TakeCall(CallSlot* slot) {
  if (slot->call.wants_reply) Add(pending_, 1);
  calls_.Add(slot);
  if (ready_.load(std::memory_order_relaxed)) return Transmit(slot);
  const bool ended = ended_.load(std::memory_order_relaxed);
  if (!ended && options_.connect.wait_for_ready) return calls_.Wait(slot);
  // Since it was admitted, the connection has gone.
  std::vector<OutstandingCall> calls;
  calls.push_back(*calls_.Take(CallTable::IdOf(*slot)));
  Add(counters_.disconnected, uint64_t{1});
  CompleteAll(std::move(calls), ended ? EndReason() : LastError());
}

void ChannelCore::SendWaiting() {
  while (CallSlot* const slot = calls_.TakeWaiting()) Transmit(slot);
}

void ChannelCore::Transmit(CallSlot* slot) {
  OutFrame& frame = slot->frame;
  if (HasFixedBudget(frame.head)) {
    const absl::Time now = Now();
    if (now - slot->encoded > kBudgetSlack) {
      RewriteBudget(&frame, BudgetOf(slot->call.deadline - now));
    }
  }
  calls_.MarkSent(slot, written_);
  Add(counters_.sent, uint64_t{1});
  WriteFrame(frame);
  calls_.KeepMemory(slot);
  if (!slot->call.wants_reply) calls_.Take(CallTable::IdOf(*slot));
  if (!watching_peer_) WatchPeer();
}

void ChannelCore::WriteFrame(OutFrame& frame) {
  if (stream_ == nullptr || closing_) return;
  written_ += frame.size();
  char checksum[kFrameChecksumBytes];
  StoreBig32(frame.checksum, checksum);
  if (frame.attachment.empty()) {
    frame.head.append(checksum, sizeof checksum);
    stream_->Write(frame.head);
  } else {
    stream_->Write(frame.head);
    stream_->WriteOwned(std::exchange(frame.attachment, {}));
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
  if (unsent > kStreamHighWater) unsent_bytes_.store(unsent, std::memory_order_relaxed);
}

ChannelCounters ChannelCore::counters() const {
  const auto value = [](const std::atomic<uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  ChannelCounters all;
  all.sent = value(counters_.sent);
  all.replies = value(counters_.replies);
  all.deadlines = value(counters_.deadlines);
  all.cancelled = value(counters_.cancelled);
  all.disconnected = value(counters_.disconnected);
  all.late_replies = value(counters_.late_replies);
  all.duplicate_replies = value(counters_.duplicate_replies);
  all.foreign_replies = value(counters_.foreign_replies);
  all.error_frames = value(counters_.error_frames);
  return all;
}

}  // namespace skep
