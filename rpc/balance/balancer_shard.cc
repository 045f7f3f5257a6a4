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

// How long a client waits, unread, for backends that have enough unsent bytes.
constexpr absl::Duration kBytesWait = absl::Seconds(1);
// Of the mean of late, what one tick is worth.
constexpr double kTicksPart = 0.5;
// Who holds no more never holds much.
constexpr size_t kFewBytes = 64 << 10;
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
  const bool why = options().tell_backends && !trouble.ok();
  return Unavailable("no backend: of ", links_.size(), ", ", connected,
                     " are connected and ", draining, " of these are draining",
                     why ? "; " : "", why ? Message(trouble) : "");
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
