// How calls end: answered, failed, abandoned, expired; and what is counted of that.

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "rpc/balance/backend_link.h"
#include "rpc/balance/balancer_client.h"
#include "rpc/balance/balancer_shard.h"

namespace skep {
namespace {

// How long a call that nobody waits for any more counts as its backend's while that
// does not answer: one that is frozen must not look idle.
constexpr absl::Duration kOwedHold = absl::Seconds(30);
// An error counts as a call for so many times as long as calls take.
constexpr double kHoldFactor = 50;
constexpr absl::Duration kLeastHold = absl::Seconds(1);
constexpr absl::Duration kLongestHold = absl::Seconds(30);
// Of the mean of late, what one call is worth.
constexpr double kCallsPart = 1.0 / 64;
constexpr absl::Duration kLeastRetryAfter = absl::Milliseconds(1);
constexpr absl::Duration kLongestRetryAfter = absl::Seconds(10);

}  // namespace

BalancerClient* BalancerShard::Detach(uint32_t place) {
  BalancerCall& call = calls_[place];
  BalancerClient* const client = std::exchange(call.client, nullptr);
  if (client != nullptr) client->CallEnds(place, call.client_id);
  return client;
}

BalancerShard::Ended BalancerShard::End(uint32_t place, absl::StatusCode code,
                                        absl::Time now, bool answered) {
  BalancerCall& call = calls_[place];
  SharedBackend& backend = call.link->backend();
  const bool passing = call.client != nullptr && call.client->Passing(place);
  if (call.client != nullptr) Count(call, code, answered, now);
  const Ended ended = {.client = Detach(place),
                       .client_id = call.client_id,
                       .extended = call.extended,
                       .passing = passing};
  ++ended_;
  if (code == absl::StatusCode::kOk) {
    const auto took = static_cast<double>(absl::ToInt64Nanoseconds(now - call.sent));
    mean_nanoseconds_ =
        mean_nanoseconds_ == 0
            ? took
            : mean_nanoseconds_ + (took - mean_nanoseconds_) * kCallsPart;
  } else {
    backend.held_errors.Ended(code, now, ErrorHold());
  }
  shared_->OnEnded(backend, code, now);
  call.link->Released();
  calls_.Free(place);
  return ended;
}

void BalancerShard::Count(BalancerCall& call, absl::StatusCode code, bool answered,
                          absl::Time now) {
  const absl::Duration took = now - call.arrived;
  const bool queued = call.link == nullptr;
  CallCounts& counts = queued ? shared_->own : call.link->backend().calls;
  if (queued) counts.Begin();
  counts.End(code, took);
  MethodTable::Method* method = call.method;
  if (method == nullptr) {
    const bool served = answered && code != absl::StatusCode::kUnimplemented;
    method = served ? &shared_->methods.List(call.unlisted) : &shared_->methods.other();
  }
  method->counts.End(code, took);
  if (!shared_->slow.Wants(took, counts.p99(), now)) return;
  shared_->slow.Add(
      {.ended = now,
       .method = call.method == nullptr ? call.unlisted : call.method->name,
       .backend = queued ? "" : call.link->backend().address.ToString(),
       .peer = call.client->peer(),
       .code = code,
       .queued = queued ? took : call.sent - call.arrived,
       .handler = queued ? absl::ZeroDuration() : now - call.sent});
}

absl::Duration BalancerShard::ErrorHold() const {
  if (options().error_hold) return *options().error_hold;
  return std::clamp(absl::Nanoseconds(mean_nanoseconds_ * kHoldFactor), kLeastHold,
                    kLongestHold);
}

absl::Duration BalancerShard::RetryAfter(const absl::Status& refusal) const {
  const auto calls = static_cast<double>(calls_.live());
  // That calls end does not bring backends back, nor take bytes from a client.
  if (!absl::IsResourceExhausted(refusal) || calls == 0 ||
      shared_->held.total() > options().max_bytes - options().max_bytes / 8) {
    return BalancerClient::kRetryAfter;
  }
  const double ended = std::max(ended_per_tick_, static_cast<double>(ended_));
  if (ended <= 0) return BalancerClient::kRetryAfter;  // nothing is known yet
  return std::clamp(kTick * (calls / ended), kLeastRetryAfter, kLongestRetryAfter);
}

void BalancerShard::Abandon(uint32_t place, absl::StatusCode code, absl::Time now) {
  BalancerCall& call = calls_[place];
  Count(call, code, /*answered=*/false, now);
  const bool passing = call.client->Passing(place);
  BalancerClient* const client = Detach(place);
  if (call.link == nullptr) {
    Unqueue(place);
    calls_.Free(place);
    return;
  }
  call.link->SendCancel(calls_.IdOf(place));
  if (passing) {
    // It closes: it has a part of the reply, and gets nothing behind that.
    client->Break(Cancelled("the rest of a reply is not wanted"));
    call.link->PassOn();
  }
  calls_.SetDeadline(place, now + kOwedHold);
}

void BalancerShard::Cancel(BalancerClient& client, uint32_t place) {
  // Its answer is on its way.
  if (client.Passing(place)) return;
  const BalancerCall& call = calls_[place];
  const uint64_t id = call.client_id;
  const bool extended = call.extended;
  Abandon(place, absl::StatusCode::kCancelled, Now());
  client.ReplyError(id, Cancelled("cancelled by its caller"), extended);
  ArmTimer();
}

void BalancerShard::AbandonAll(BalancerClient& client) {
  const absl::Time now = Now();
  while (client.first_call() != kNoPlace) {
    Abandon(client.first_call(), absl::StatusCode::kCancelled, now);
  }
  ArmTimer();
}

void BalancerShard::ClientClosed(BalancerClient& client) {
  waiting_.erase(client.number());
  AbandonAll(client);
  shared_->ConnectionEnded();
  clients_.erase(client.number());
}

std::string BalancerShard::Blamed(const SharedBackend& backend, std::string_view what,
                                  std::string_view more) const {
  return options().tell_backends ? StrCat("backend ", backend.address, " ", what, more)
                                 : StrCat("the backend ", what);
}

void BalancerShard::FailAll(BackendLink& link, const absl::Status& reason) {
  const absl::Time now = Now();
  for (uint32_t place = 0; place < calls_.end() && link.outstanding() > 0; ++place) {
    if (!calls_[place].live || calls_[place].link != &link) continue;
    const Ended ended = End(place, reason.code(), now, /*answered=*/false);
    if (ended.client == nullptr) continue;
    link.backend().failed.fetch_add(1, std::memory_order_relaxed);
    if (ended.passing) {
      // It has a part of the reply, and can be told of no other.
      ended.client->Break(reason);
    } else {
      ended.client->ReplyError(ended.client_id, reason, ended.extended);
    }
  }
}

void BalancerShard::Expire(uint32_t place, absl::Time now) {
  BalancerCall& call = calls_[place];
  if (call.client == nullptr) {
    // Its backend owed the answer for long enough.
    call.link->Released();
    calls_.Free(place);
    return;
  }
  BalancerClient& client = *call.client;
  const uint64_t id = call.client_id;
  const bool extended = call.extended;
  const absl::Status status =
      call.link == nullptr
          ? DeadlineExceeded("the call's time was over before a backend had room")
          : DeadlineExceeded(
                Blamed(call.link->backend(), "did not answer in the call's time"));
  if (call.link != nullptr) {
    call.link->backend().failed.fetch_add(1, std::memory_order_relaxed);
  }
  Abandon(place, absl::StatusCode::kDeadlineExceeded, now);
  client.ReplyError(id, status, extended);
}

}  // namespace skep
