// Calls of the balanced channel, from Start to their completion.

#include "rpc/balance/balanced_state.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "google/protobuf/message.h"
#include "rpc/method_options.h"

namespace skep {

BalancedChannel::State::State(Transport& over, BalancedOptions given)
    : transport(over),
      executor(over.executor()),
      options(std::move(given)),
      pick(options.seed),
      health(options.health),
      random(options.seed + 1),
      retry_budget(options.retry.budget),
      hedge_budget(options.hedge.budget),
      hedge_delay(options.hedge) {}

CallId BalancedChannel::State::Start(const Method& method, const Message& request,
                                     Message* response, CallOptions call_options,
                                     Done done) {
  const MethodTraits traits = TraitsOf(method);
  const absl::Time now = executor.clock().Now();
  uint64_t id;
  absl::Status refused;
  {
    MutexLock lock(mutex);
    id = next_id++;
    auto call = std::make_unique<Call>();
    call->method = &method;
    call->idempotent = traits.idempotent;
    call->response = response;
    call->done = std::move(done);
    call->started = now;
    call->deadline = now + call_options.timeout;
    call->attachment = std::move(call_options.attachment);
    call->hedge_after = call_options.hedge_after == absl::ZeroDuration()
                            ? hedge_delay.delay()
                            : call_options.hedge_after;
    if (!traits.idempotent || traits.noreturn || options.retry.max_attempts < 2) {
      call->hedge_after = absl::InfiniteDuration();
    }
    retry_budget.Deposit(now);
    hedge_budget.Deposit(now);
    Keep(*call, request);
    calls.emplace(id, std::move(call));
    if (closed) refused = Unavailable("the channel is closed");
  }
  while (refused.ok()) {
    if (Dispatch(id, Aim::kFirst, &request)) return CallId(id);
    MutexLock lock(mutex);
    if (AnyUsable()) continue;  // since the look that Dispatch took
    const auto it = calls.find(id);
    if (it == calls.end()) return CallId(id);  // closed meanwhile
    refused = Wait(id, *it->second, request);
    if (refused.ok()) return CallId(id);
  }
  executor.Post(
      [self = shared_from_this(), id, refused] { self->CompleteIdle(id, refused); });
  return CallId(id);
}

void BalancedChannel::State::Keep(Call& call, const Message& request) {
  const RetryOptions& retry = options.retry;
  const size_t bytes = request.ByteSizeLong() + call.attachment.size();
  if (retry.max_attempts < 2 || bytes > retry.max_call_bytes ||
      kept_bytes + bytes > retry.max_kept_bytes) {
    call.hedge_after = absl::InfiniteDuration();
    return;
  }
  call.kept = true;
  call.kept_bytes = bytes;
  kept_bytes += bytes;
  std::unique_ptr<Message> copy(request.New());
  copy->CopyFrom(request);
  call.request = std::move(copy);
}

absl::Status BalancedChannel::State::Wait(uint64_t id, Call& call,
                                          const Message& request) {
  if (closed) return Unavailable("the channel is closed");
  if (!options.wait_for_ready) {
    const auto wanted = std::count_if(
        backends.begin(), backends.end(),
        [](const Backend& backend) { return backend.serial != 0 && !backend.leaving; });
    return Unavailable(
        wanted == 1 ? "the one backend" : StrCat("none of ", wanted, " backends"),
        " is connected");
  }
  if (waiting.size() >= options.max_waiting) {
    return ResourceExhausted(waiting.size(), " calls already wait for a backend");
  }
  if (call.request == nullptr) {
    std::unique_ptr<Message> copy(request.New());
    copy->CopyFrom(request);
    call.request = std::move(copy);
  }
  waiting.insert(id);
  if (call.deadline < absl::InfiniteFuture()) {
    call.timer = executor.PostAfter(
        call.deadline - executor.clock().Now(), [self = shared_from_this(), id] {
          self->CompleteIdle(id, DeadlineExceeded("no backend was connected in time"));
        });
  }
  return absl::OkStatus();
}

void BalancedChannel::State::DispatchWaiting() {
  std::vector<uint64_t> ready;
  {
    MutexLock lock(mutex);
    ready.assign(waiting.begin(), waiting.end());
  }
  for (const uint64_t id : ready) {
    {
      // Another thread's turn may have taken it.
      MutexLock lock(mutex);
      if (!waiting.contains(id)) continue;
    }
    if (!Dispatch(id, Aim::kFirst)) return;
  }
}

void BalancedChannel::State::SetConnected(size_t index, uint64_t serial,
                                          bool connected) {
  {
    MutexLock lock(mutex);
    if (backends[index].serial != serial) return;  // it has left
    backends[index].connected = connected;
    if (connected) backends[index].up_since = executor.clock().Now();
  }
  if (connected) DispatchWaiting();
}

BalancedChannel::State::Ended BalancedChannel::State::Extract(uint64_t id) {
  auto node = calls.extract(id);
  waiting.erase(id);
  Ended ended{.call = std::move(*node.mapped())};
  Call& call = ended.call;
  kept_bytes -= call.kept_bytes;
  executor.Cancel(call.timer);
  executor.Cancel(call.hedge_timer);
  for (const Attempt& attempt : call.live) {
    // One that has no name yet is cancelled by who is about to give it one.
    if (!attempt.inner) continue;
    ended.losers.emplace_back(backends[attempt.backend].channel, attempt.inner);
  }
  return ended;
}

void BalancedChannel::State::Complete(Ended ended, const Controller& outcome) {
  for (const auto& [channel, inner] : ended.losers) channel->Cancel(inner);
  // Its type may go with whoever made the call, who may go as soon as it is done.
  ended.call.request.reset();
  ended.call.done(outcome);
}

void BalancedChannel::State::CompleteWith(Ended ended, absl::Status status,
                                          absl::Duration retry_after) {
  Controller outcome;
  if (ended.call.attempts > 1) {
    // Anew: that the last attempt was never sent does not say it of the call.
    status = absl::Status(status.code(), StrCat("after ", ended.call.attempts,
                                                " attempts: ", skep::Message(status)));
  }
  outcome.SetStatus(ended.call.may_be_sent ? std::move(status)
                                           : MarkNeverSent(std::move(status)));
  outcome.set_retry_after(retry_after);
  Complete(std::move(ended), outcome);
}

void BalancedChannel::State::CompleteIdle(uint64_t id, absl::Status status) {
  std::optional<Ended> ended;
  {
    MutexLock lock(mutex);
    const auto it = calls.find(id);
    if (it == calls.end() || !it->second->live.empty()) return;
    ended = Extract(id);
  }
  CompleteWith(*std::move(ended), std::move(status));
}

void BalancedChannel::State::Cancel(uint64_t id) {
  std::vector<std::pair<std::shared_ptr<Channel>, CallId>> attempts;
  {
    MutexLock lock(mutex);
    const auto it = calls.find(id);
    if (it == calls.end()) return;
    // A dispatch that is under way on another thread sees it.
    it->second->cancelled = true;
    for (const Attempt& attempt : it->second->live) {
      attempts.emplace_back(backends[attempt.backend].channel, attempt.inner);
    }
  }
  for (const auto& [channel, inner] : attempts) {
    if (inner) channel->Cancel(inner);
  }
  if (attempts.empty()) {
    executor.Post([self = shared_from_this(), id] {
      self->CompleteIdle(id, Cancelled("cancelled while no backend had it"));
    });
  }
}

void BalancedChannel::State::Close(const absl::Status& reason) {
  std::vector<std::shared_ptr<Channel>> channels;
  std::vector<uint64_t> idle;
  {
    MutexLock lock(mutex);
    closed = true;
    for (const Backend& backend : backends) {
      if (backend.channel != nullptr) channels.push_back(backend.channel);
    }
    for (const auto& [id, call] : calls) {
      if (call->live.empty()) idle.push_back(id);
    }
  }
  for (const std::shared_ptr<Channel>& channel : channels) channel->Close(reason);
  executor.Post([self = shared_from_this(), idle, reason] {
    for (const uint64_t id : idle) self->CompleteIdle(id, reason);
  });
}

}  // namespace skep
