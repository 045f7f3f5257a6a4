// How calls end: by a reply, a cancel, their deadline.

#include <algorithm>
#include <optional>
#include <utility>

#include "base/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "rpc/bulk.h"
#include "rpc/channel_core.h"
#include "rpc/control.pb.h"

namespace skep {
namespace {

// Time that a read's completions may take before it matters to the calls they make.
constexpr absl::Duration kReadSlack = absl::Milliseconds(1);

}  // namespace

void ChannelCore::OnReply(const Envelope& reply) {
  const CallId id(reply.id);
  // Nobody answers what was not sent; and the response of a call without reply may have
  // gone while it waits.
  const OutstandingCall* const known = calls_.Find(id);
  CallSlot* const slot =
      known != nullptr && known->sent ? calls_.TakeForReply(id) : nullptr;
  if (slot == nullptr) {
    switch (calls_.Explain(id)) {
      case CallTable::Stray::kLate:
        return Add(counters_.late_replies, uint64_t{1});
      case CallTable::Stray::kDuplicate:
        return Add(counters_.duplicate_replies, uint64_t{1});
      case CallTable::Stray::kForeign:
        return Add(counters_.foreign_replies, uint64_t{1});
    }
  }
  Add(counters_.replies, uint64_t{1});
  OutstandingCall& call = slot->call;
  absl::Status status = StatusOfReply(reply, peer_);
  if (status.ok() && !ParseMessage(reply.response, call.response)) {
    status = Internal(Describe(call), ": the response of ", reply.response.size(),
                      " bytes is not a ", call.method->output_type()->full_name());
  }
  Complete(call, status, &reply);
  // What the completion held goes with it, and before the slot may serve another call.
  call.done = nullptr;
  calls_.Recycle(slot);
  if (draining_) MaybeClose();
}

void ChannelCore::Complete(OutstandingCall& call, const absl::Status& status,
                           const Envelope* reply) {
  if (!call.wants_reply) return;
  if (!call.internal) Add(pending_, -1);
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
    Complete(call, own, nullptr);
  }
}

void ChannelCore::Cancel(CallId call) {
  executor_.Post([weak = weak_from_this(), call] {
    if (const std::shared_ptr<ChannelCore> self = weak.lock()) self->CancelNow(call);
  });
}

void ChannelCore::CancelNow(CallId id) {
  // It may be there still: whoever pushed first has not posted yet.
  TakeInbox();
  const OutstandingCall* const found = calls_.Find(id);
  if (found == nullptr || !found->wants_reply) return;
  std::optional<OutstandingCall> call = calls_.Take(id);
  Add(counters_.cancelled, uint64_t{1});
  if (call->sent && scoped_) {
    ControlCancel cancel;
    cancel.set_id(id.value());
    SendControl("Cancel", cancel);
  }
  absl::Status status = Cancelled(Describe(*call), ": cancelled by its caller");
  if (!call->sent) status = MarkNeverSent(std::move(status));
  Complete(*call, status, nullptr);
  if (draining_) MaybeClose();
}

void ChannelCore::PutOffDeadlines() {
  // They count from when the read came: a completion that works for longer than a
  // call's timeout and then makes that call would find it over.
  const absl::Duration took = Now() - last_activity_;
  if (took > kReadSlack) {
    for (const CallId id : begun_) calls_.Extend(id, took);
  }
  begun_.clear();
}

void ChannelCore::ArmTimer() {
  absl::Time earliest = calls_.EarliestDeadline();
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
  // First all of them: what completes may make others.
  std::vector<OutstandingCall> expired;
  while (std::optional<OutstandingCall> call = calls_.TakeExpired(now)) {
    if (call->wants_reply) expired.push_back(*std::move(call));
  }
  Add(counters_.deadlines, uint64_t{expired.size()});
  const absl::Status last_error = LastError();
  for (OutstandingCall& call : expired) {
    const bool sent = call.sent;
    absl::Status status =
        sent ? DeadlineExceeded(Describe(call), ": no reply within ",
                                absl::FormatDuration(call.timeout))
             : DeadlineExceeded(Describe(call), ": no connection within ",
                                absl::FormatDuration(call.timeout),
                                last_error.ok() ? "" : ": ", Message(last_error));
    if (!sent) status = MarkNeverSent(std::move(status));
    Complete(call, status, nullptr);
  }
  ArmTimer();
  if (draining_) MaybeClose();
}

std::string ChannelCore::Describe(const OutstandingCall& call) const {
  return StrCat(call.method->full_name(), " at ", peer_);
}

}  // namespace skep
