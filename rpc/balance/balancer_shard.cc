#include "rpc/balance/balancer_shard.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "rpc/balance/backend_link.h"
#include "rpc/balance/balancer_client.h"
#include "rpc/frame.h"

namespace skep {
namespace {

// How long a call that nobody waits for any more counts as its backend's while that
// does not answer: one that is frozen must not look idle.
constexpr absl::Duration kOwedHold = absl::Seconds(30);
// How long a client waits, unread, for backends that have enough unsent bytes.
constexpr absl::Duration kBytesWait = absl::Seconds(1);
constexpr absl::Duration kTick = absl::Seconds(1);
// An error counts as a call for so many times as long as calls take.
constexpr double kHoldFactor = 50;
constexpr absl::Duration kLeastHold = absl::Seconds(1);
constexpr absl::Duration kLongestHold = absl::Seconds(30);
// Of the means of late, what one call, or one tick, is worth.
constexpr double kCallsPart = 1.0 / 64;
constexpr double kTicksPart = 0.5;
// Who holds no more never holds much.
constexpr size_t kFewBytes = 64 << 10;
constexpr absl::Duration kLeastRetryAfter = absl::Milliseconds(1);
constexpr absl::Duration kLongestRetryAfter = absl::Seconds(10);
// Where the envelope is in a frame.
constexpr size_t kPayloadOffset = kFrameSizeBytes + kRpc0Tag.size();

}  // namespace

BalancerShard::BalancerShard(Transport& transport, Executor& executor,
                             std::shared_ptr<BalancerShared> shared, uint64_t seed)
    : transport_(transport),
      executor_(executor),
      shared_(std::move(shared)),
      pick_(seed),
      queued_bytes_(shared_->held),
      methods_(shared_->methods) {}

BalancerShard::~BalancerShard() = default;

void BalancerShard::Start(bool leader) {
  leader_ = leader;
  UpdateBackends();
  Tick();
}

void BalancerShard::UpdateBackends() {
  if (stopped_) return;
  std::vector<std::shared_ptr<SharedBackend>> backends;
  {
    MutexLock lock(shared_->mutex);
    backends = shared_->backends;
  }
  std::vector<std::shared_ptr<BackendLink>> links;
  for (const std::shared_ptr<SharedBackend>& backend : backends) {
    const auto known =
        std::find_if(links_.begin(), links_.end(), [&](const auto& link) {
          return link != nullptr && &link->backend() == backend.get();
        });
    if (known != links_.end()) {
      links.push_back(std::exchange(*known, nullptr));
    } else {
      links.push_back(std::make_shared<BackendLink>(*this, backend));
      links.back()->Connect();
    }
  }
  links_.swap(links);
  for (std::shared_ptr<BackendLink>& left : links) {
    if (left != nullptr) leaving_.push_back(std::move(left));
  }
  DropIdleLeaving();
  LinkChanged();
}

void BalancerShard::DropIdleLeaving() {
  std::erase_if(leaving_, [](const std::shared_ptr<BackendLink>& link) {
    if (link->outstanding() > 0) return false;
    link->Stop();
    return true;
  });
}

void BalancerShard::Accept(std::unique_ptr<Stream> stream) {
  const uint64_t number = ++last_client_;
  const auto client =
      std::make_shared<BalancerClient>(std::move(stream), *this, number);
  if (draining_ || stopped_) {
    shared_->ConnectionEnded();
    return;
  }
  clients_.emplace(number, client);
  client->Start();
}

void BalancerShard::Drain() {
  draining_ = true;
  for (const auto& [number, client] : clients_) client->Drain();
}

void BalancerShard::Stop() {
  stopped_ = true;
  executor_.Cancel(timer_);
  executor_.Cancel(tick_timer_);
  for (const std::shared_ptr<BackendLink>& link : links_) link->Stop();
  for (const std::shared_ptr<BackendLink>& link : leaving_) link->Stop();
  links_.clear();
  leaving_.clear();
  waiting_.clear();
  for (const auto& [number, client] : clients_) AbandonAll(*client);
  clients_.clear();
}

BackendLink* BalancerShard::PickLink(bool windowed, absl::Time now) {
  // Held errors take places in a window, or a backend that fails at once would always
  // have room. But where nothing is under way whose end would send what is queued, they
  // do not: no backend is full of errors.
  const bool held_too =
      windowed && std::any_of(links_.begin(), links_.end(),
                              [](const auto& link) { return link->outstanding() > 0; });
  candidates_.clear();
  for (const std::shared_ptr<BackendLink>& link : links_) {
    candidates_.push_back(
        {.pending = link->Load(now),
         .weight = link->Weight(now),
         .usable = link->Usable() && (!windowed || link->HasWindow(held_too, now)),
         .ejected = link->backend().ejected_until.IsAfter(now)});
  }
  const auto picked = Pick(options().policy, candidates_, pick_);
  return picked ? links_[*picked].get() : nullptr;
}

bool BalancerShard::HasRoom(size_t bytes, size_t mine) const {
  // The last eighth is for those who hold little, so that some who never take their
  // replies cannot have everybody refused.
  const int64_t most = options().max_bytes;
  const int64_t kept = most / 8;
  const int64_t part =
      kept / std::max(1, shared_->connections.load(std::memory_order_relaxed));
  const bool much =
      static_cast<int64_t>(bytes + mine) > std::max(part, int64_t{kFewBytes});
  return shared_->held.total() + static_cast<int64_t>(bytes) <=
         (much ? most - kept : most);
}

BalancerShard::Outcome BalancerShard::Forward(BalancerClient& client,
                                              std::string_view frame,
                                              const Envelope& envelope,
                                              std::string* owned, absl::Time arrived,
                                              absl::Time now) {
  const bool wants_reply = (envelope.flags & kFlagNoReply) == 0;
  const auto refuse = [&](const absl::Status& status) {
    CountOwn(status.code(), now - arrived);
    if (wants_reply) {
      client.ReplyError(envelope.id, status, envelope.HasExtension(),
                        RetryAfter(status));
    }
    return Outcome::kTaken;
  };
  absl::Time deadline = absl::InfiniteFuture();
  std::optional<uint32_t> budget;
  if (envelope.Has(Envelope::kBudget)) {
    deadline = arrived + absl::Microseconds(envelope.budget_us);
    if (deadline <= now) {
      return refuse(DeadlineExceeded("the call's ", envelope.budget_us,
                                     " us were over before a backend had it"));
    }
    const int64_t left = absl::ToInt64Microseconds(deadline - now);
    if (left != envelope.budget_us) budget = static_cast<uint32_t>(left);
  } else {
    deadline = arrived + options().default_timeout;
  }
  if (!client.HasRoom(0)) {
    return refuse(ResourceExhausted(
        "the balancer holds ", shared_->held.total(), " bytes, of which ",
        client.held(), " for this client, and may hold ", options().max_bytes));
  }
  if (options().mode == BindMode::kLate && wants_reply) {
    return Enqueue(client, frame, envelope, owned, arrived, now);
  }
  BackendLink* const link = PickLink(/*windowed=*/false, now);
  if (link == nullptr) {
    const absl::Status why = WhyNone(now - arrived);
    if (!why.ok()) return refuse(why);
    waiting_.emplace(client.number(), &client);
    return Outcome::kWait;
  }
  if (!wants_reply) {
    link->SendOneWay(frame, envelope, budget);
    return Outcome::kTaken;
  }
  const uint32_t place = AddCall(client, envelope, arrived, deadline);
  const absl::Status sent = link->Send(place, frame, envelope, budget, owned);
  if (sent.ok()) return Outcome::kTaken;
  Detach(place);
  calls_.Free(place);
  return refuse(sent);
}

uint32_t BalancerShard::AddCall(BalancerClient& client, const Envelope& envelope,
                                absl::Time arrived, absl::Time deadline) {
  const uint32_t place = calls_.Add();
  BalancerCall& call = calls_[place];
  call.client = &client;
  call.client_id = envelope.id;
  call.extended = envelope.HasExtension();
  call.arrived = arrived;
  call.sent = arrived;
  call.method = methods_.Find(envelope.service, envelope.method);
  if (call.method == nullptr) call.unlisted = methods_.name();
  calls_.SetDeadline(place, deadline);
  client.CallBegins(place, envelope.id);
  return place;
}

absl::Status BalancerShard::WhyNone(absl::Duration waited) const {
  int connected = 0;
  int draining = 0;
  bool full_of_bytes = false;
  absl::Status trouble;
  for (const std::shared_ptr<BackendLink>& link : links_) {
    if (link->starting()) return absl::OkStatus();
    if (!link->connected()) {
      trouble.Update(link->trouble());
      continue;
    }
    ++connected;
    if (link->backend().draining.load(std::memory_order_relaxed)) {
      ++draining;
    } else {
      full_of_bytes |= link->FullOfBytes();
    }
  }
  if (full_of_bytes && waited < kBytesWait) return absl::OkStatus();
  if (connected > draining) {
    return ResourceExhausted("all ", connected - draining,
                             " backends hold as many calls or bytes as they may");
  }
  return Unavailable("no backend: of ", links_.size(), ", ", connected,
                     " are connected and ", draining, " of these are draining",
                     trouble.ok() ? "" : "; ", Message(trouble));
}

// --- The ends of calls -----------------------------------------------------------

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
          : DeadlineExceeded("backend ", call.link->backend().address,
                             " did not answer in the call's time");
  if (call.link != nullptr) {
    call.link->backend().failed.fetch_add(1, std::memory_order_relaxed);
  }
  Abandon(place, absl::StatusCode::kDeadlineExceeded, now);
  client.ReplyError(id, status, extended);
}

// --- Late binding ------------------------------------------------------------------

BalancerShard::Outcome BalancerShard::Enqueue(BalancerClient& client,
                                              std::string_view frame,
                                              const Envelope& envelope,
                                              std::string* owned, absl::Time arrived,
                                              absl::Time now) {
  const absl::Status none = WhyNone(absl::ZeroDuration());
  const auto refuse = [&](const absl::Status& status) {
    CountOwn(status.code(), now - arrived);
    client.ReplyError(envelope.id, status, envelope.HasExtension(), RetryAfter(status));
    return Outcome::kTaken;
  };
  if (absl::IsUnavailable(none)) return refuse(none);
  if (queued_ >= options().max_queued_calls ||
      queued_size_ + frame.size() > options().max_queued_bytes) {
    return refuse(ResourceExhausted("the balancer's queue is full: ", queued_,
                                    " calls of ", queued_size_, " bytes"));
  }
  const absl::Time deadline = arrived + (envelope.Has(Envelope::kBudget)
                                             ? absl::Microseconds(envelope.budget_us)
                                             : options().default_timeout);
  const uint32_t place = AddCall(client, envelope, arrived, deadline);
  ++queued_;
  queued_size_ += frame.size();
  if (owned != nullptr) {
    calls_[place].queued = std::move(*owned);
  } else {
    calls_[place].queued = frame;
  }
  queue_.Set(place, deadline);
  queued_bytes_.Set(queued_size_);
  Pump(now);
  return Outcome::kTaken;
}

void BalancerShard::Unqueue(uint32_t place) {
  queue_.Clear(place);
  --queued_;
  queued_size_ -= calls_[place].queued.size();
  queued_bytes_.Set(queued_size_);
}

void BalancerShard::Pump(absl::Time now) {
  while (!queue_.empty()) {
    const uint32_t place = queue_.EarliestSlot();
    BalancerCall& call = calls_[place];
    if (call.deadline <= now) {
      Expire(place, now);
      continue;
    }
    BackendLink* const link = PickLink(/*windowed=*/true, now);
    if (link == nullptr) return;
    Unqueue(place);
    std::string frame = std::exchange(call.queued, std::string());
    const auto refuse = [&](const absl::Status& status) {
      Count(call, status.code(), /*answered=*/false, now);
      BalancerClient* const client = Detach(place);
      client->ReplyError(call.client_id, status, call.extended);
      calls_.Free(place);
    };
    Envelope envelope;
    if (!ParseEnvelope(
            std::string_view(frame).substr(
                kPayloadOffset, frame.size() - kPayloadOffset - kFrameChecksumBytes),
            &envelope)) {
      // It was good when it came: our memory changed it.
      refuse(DataLoss("a frame of ", frame.size(), " bytes changed in the balancer"));
      continue;
    }
    std::optional<uint32_t> budget;
    if (envelope.Has(Envelope::kBudget)) {
      budget = static_cast<uint32_t>(absl::ToInt64Microseconds(call.deadline - now));
    }
    call.sent = now;
    const absl::Status sent = link->Send(place, frame, envelope, budget, &frame);
    if (!sent.ok()) refuse(sent);
  }
}

// --- Time ----------------------------------------------------------------------------

void BalancerShard::ArmTimer() {
  const absl::Time earliest = calls_.EarliestDeadline();
  if (earliest >= timer_at_ || stopped_) return;
  executor_.Cancel(timer_);
  timer_at_ = earliest;
  timer_ = executor_.PostAfter(earliest - Now(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnTimer();
  });
}

void BalancerShard::OnTimer() {
  if (stopped_) return;
  timer_at_ = absl::InfiniteFuture();
  const absl::Time now = Now();
  while (calls_.EarliestDeadline() <= now) Expire(calls_.Earliest(), now);
  DropIdleLeaving();
  if (options().mode == BindMode::kLate) Pump(now);
  ArmTimer();
}

void BalancerShard::Tick() {
  if (stopped_) return;
  tick_timer_ = executor_.PostAfter(kTick, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Tick();
  });
  const absl::Time now = Now();
  // A tick with nothing to do tells nothing of how fast it would be done.
  if (ended_ > 0 || calls_.live() > 0) {
    ended_per_tick_ +=
        (static_cast<double>(std::exchange(ended_, 0)) - ended_per_tick_) * kTicksPart;
  }
  for (const auto& [number, client] : clients_) client->Tick(now);
  for (const std::shared_ptr<BackendLink>& link : links_) link->Tick(now);
  for (const std::shared_ptr<BackendLink>& link : leaving_) link->Tick(now);
  if (leader_ && options().health.slow_factor > 0) shared_->CompareLatencies(now);
  DropIdleLeaving();
  // Some may have waited for long enough; ejections end by themselves.
  LinkChanged();
}

void BalancerShard::LinkChanged() {
  for (const auto& [number, client] : std::exchange(waiting_, {})) client->Resume();
  if (!queue_.empty()) Pump(Now());
}

}  // namespace skep
