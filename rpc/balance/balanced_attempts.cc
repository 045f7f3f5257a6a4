// Attempts of the balanced channel's calls: the first, retries, hedges.

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "glog/logging.h"
#include "google/protobuf/message.h"
#include "rpc/balance/balanced_state.h"
#include "rpc/balance/slow_start.h"

namespace skep {

bool BalancedChannel::State::AnyUsable(const Call* untried_by) const {
  for (size_t i = 0; i < backends.size(); ++i) {
    if (!backends[i].usable()) continue;
    if (untried_by == nullptr) return true;
    const std::vector<size_t>& tried = untried_by->tried;
    if (std::find(tried.begin(), tried.end(), i) == tried.end()) return true;
  }
  return false;
}

std::optional<size_t> BalancedChannel::State::PickFor(const Call& call, Aim aim,
                                                      absl::Time now) {
  std::vector<Candidate> candidates;
  candidates.reserve(backends.size());
  for (size_t i = 0; i < backends.size(); ++i) {
    Backend& backend = backends[i];
    candidates.push_back({.pending = backend.pending + backend.phantoms.Count(now),
                          .weight = WeightNow(backend.weight, now - backend.up_since,
                                              options.slow_start),
                          .usable = backend.usable(),
                          .ejected = health.IsEjected(backend.serial, now)});
  }
  // Those that it was on come last, and a second one beside them is no hedge.
  if (AnyUsable(&call)) {
    for (const size_t tried : call.tried) candidates[tried].usable = false;
  } else if (aim == Aim::kHedge) {
    return std::nullopt;
  }
  return Pick(options.policy, candidates, pick);
}

bool BalancedChannel::State::Dispatch(uint64_t id, Aim aim, const Message* request) {
  std::shared_ptr<Channel> channel;
  std::shared_ptr<const Message> kept;
  const Method* method;
  Message* response;
  // What an attempt that may lose writes into. shared: the completion is copied
  // nowhere, but holds it beside the pointer that is given to the channel.
  std::shared_ptr<Message> own;
  CallOptions call_options;
  Attempt attempt;
  {
    MutexLock lock(mutex);
    const auto it = calls.find(id);
    if (it == calls.end() || it->second->cancelled) return true;
    Call& call = *it->second;
    const absl::Time now = executor.clock().Now();
    const std::optional<size_t> picked = PickFor(call, aim, now);
    if (!picked) return false;
    Backend& backend = backends[*picked];
    ++backend.pending;
    ++backend.started;
    attempt = {++call.attempts, *picked, CallId(), aim == Aim::kHedge};
    call.live.push_back(attempt);
    call.tried.push_back(*picked);
    channel = backend.channel;
    kept = call.request;
    method = call.method;
    response = call.response;
    if (call.hedged()) {
      own.reset(response->New());
      response = own.get();
    }
    if (call.kept) {
      call_options.attachment = call.attachment;
    } else {
      call_options.attachment = std::move(call.attachment);
    }
    call_options.timeout = call.deadline - now;
    waiting.erase(id);
    executor.Cancel(std::exchange(call.timer, TimerId()));
    if (call.hedged() && aim != Aim::kHedge && call.hedge_timer == TimerId()) {
      call.hedge_timer = executor.PostAfter(
          call.hedge_after, [self = shared_from_this(), id] { self->Hedge(id); });
    }
  }
  const CallId inner = channel->Start(
      *method, request != nullptr ? *request : *kept, response, std::move(call_options),
      [self = shared_from_this(), id, attempt, own](const Controller& outcome) {
        self->OnAttempt(id, attempt, outcome, own.get());
      });
  kept.reset();
  bool unwanted = true;
  {
    MutexLock lock(mutex);
    const auto it = calls.find(id);
    if (it != calls.end()) {
      for (Attempt& live : it->second->live) {
        if (live.number == attempt.number) live.inner = inner;
      }
      unwanted = it->second->cancelled;
    }
  }
  // Does nothing to a call that has completed.
  if (unwanted) channel->Cancel(inner);
  return true;
}

void BalancedChannel::State::OnAttempt(uint64_t id, const Attempt& attempt,
                                       const Controller& outcome, Message* response) {
  std::optional<Ended> ended;
  {
    MutexLock lock(mutex);
    const absl::Time now = executor.clock().Now();
    Backend& backend = backends[attempt.backend];
    --backend.pending;
    const absl::Status& status = outcome.status();
    Judge(attempt.backend, status, now);
    FreeIfLeft(attempt.backend);
    const auto it = calls.find(id);
    if (it == calls.end()) return;  // it lost
    Call& call = *it->second;
    std::erase_if(call.live,
                  [&](const Attempt& a) { return a.number == attempt.number; });
    call.may_be_sent |= status.ok() || !NeverSent(status);
    if (status.ok()) {
      counters.hedges_won += attempt.hedge;
      hedge_delay.Record(now - call.started, now);
    } else if (GoesOn(id, call, outcome)) {
      return;
    }
    ended = Extract(id);
  }
  if (!outcome.status().ok()) {
    return CompleteWith(*std::move(ended), outcome.status(), outcome.retry_after());
  }
  if (response != nullptr) {
    response->GetReflection()->Swap(ended->call.response, response);
  }
  Complete(*std::move(ended), outcome);
}

void BalancedChannel::State::Judge(size_t index, const absl::Status& status,
                                   absl::Time now) {
  Backend& backend = backends[index];
  if (status.ok()) {
    backend.answered = now;
    if (health.errors(backend.serial) > 0) health.OnSuccess(backend.serial, now);
    return;
  }
  const bool late = absl::IsDeadlineExceeded(status);
  if (!late && !absl::IsCancelled(status) && !NeverSent(status) &&
      !Health::SpeaksAgainst(status.code())) {
    backend.answered = now;  // that it cannot, or will not, is an answer
  }
  if (late || absl::IsCancelled(status)) {
    // Given up here, or lost to a hedge: whether the backend still has it is not known.
    backend.phantoms.Hold(now);
  } else {
    backend.phantoms.Ended(status.code(), now);
  }
  // Of what never reached it nothing is concluded but that.
  const bool against = late
                           ? SilentAlone(index)
                           : Health::SpeaksAgainst(status.code()) && !NeverSent(status);
  if (!against) return;
  if (late) backend.blamed = now;
  if (!health.OnError(backend.serial, now)) return;
  backend.up_since = health.ejected_until(backend.serial);
  LOG(WARNING) << "backend_ejected backend=" << backend.address.ToString()
               << " for=" << backend.up_since - now << " reason=\""
               << (late ? "silent while others answer" : "errors") << "\"";
}

bool BalancedChannel::State::SilentAlone(size_t index) const {
  const absl::Time since = std::max(backends[index].answered, backends[index].blamed);
  for (size_t i = 0; i < backends.size(); ++i) {
    if (i != index && backends[i].answered > since) return true;
  }
  return false;
}

bool BalancedChannel::State::GoesOn(uint64_t id, Call& call,
                                    const Controller& outcome) {
  if (call.cancelled || closed || !call.kept) return false;
  const absl::Time now = executor.clock().Now();
  const absl::StatusCode code = outcome.status().code();
  // Its other attempt may still succeed.
  if (!call.live.empty()) return IsRetryable(options.retry, code);
  const bool never_sent = NeverSent(outcome.status());
  const std::optional<absl::Duration> delay =
      RetryDelay(options.retry,
                 {.code = code,
                  .never_sent = never_sent,
                  .idempotent = call.idempotent,
                  .attempts = call.attempts,
                  .elsewhere = AnyUsable(&call),
                  .retry_after = outcome.retry_after(),
                  .left = call.deadline - now},
                 random);
  if (!delay) return false;
  if (!never_sent && !retry_budget.TryWithdraw(now)) {
    ++counters.retries_refused;
    return false;
  }
  ++counters.retries;
  call.timer =
      executor.PostAfter(*delay, [self = shared_from_this(), id] { self->Retry(id); });
  return true;
}

void BalancedChannel::State::Retry(uint64_t id) {
  while (!Dispatch(id, Aim::kRetry)) {
    absl::Status refused;
    {
      MutexLock lock(mutex);
      if (AnyUsable()) continue;
      const auto it = calls.find(id);
      if (it == calls.end()) return;
      Call& call = *it->second;
      refused = Wait(id, call, *call.request);
      if (refused.ok()) return;
    }
    return CompleteIdle(id, refused);
  }
}

void BalancedChannel::State::Hedge(uint64_t id) {
  {
    MutexLock lock(mutex);
    const auto it = calls.find(id);
    if (it == calls.end()) return;
    Call& call = *it->second;
    // Not beside a backoff, and not where there is no other backend.
    if (call.cancelled || call.live.size() != 1 ||
        call.attempts >= options.retry.max_attempts || !AnyUsable(&call)) {
      return;
    }
    if (!hedge_budget.TryWithdraw(executor.clock().Now())) {
      ++counters.hedges_refused;
      return;
    }
    ++counters.hedges;
  }
  Dispatch(id, Aim::kHedge);
}

}  // namespace skep
