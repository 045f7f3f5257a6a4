#include "rpc/balance/balancer_shard.h"

#include <utility>

#include "base/status.h"
#include "rpc/balance/backend_link.h"
#include "rpc/balance/balancer_client.h"

namespace skep {

BalancerShard::BalancerShard(Transport& transport, Executor& executor,
                             std::shared_ptr<BalancerShared> shared, uint64_t seed)
    : transport_(transport),
      executor_(executor),
      shared_(std::move(shared)),
      pick_(seed) {}

BalancerShard::~BalancerShard() = default;

void BalancerShard::Start() {
  for (const std::unique_ptr<SharedBackend>& backend : shared_->backends) {
    links_.push_back(std::make_shared<BackendLink>(*this, *backend));
    links_.back()->Connect();
  }
}

void BalancerShard::Accept(std::unique_ptr<Stream> stream) {
  const uint64_t number = ++last_client_;
  const auto client =
      std::make_shared<BalancerClient>(std::move(stream), *this, number);
  clients_.emplace(number, client);
  client->Start();
}

void BalancerShard::Stop() {
  for (const std::shared_ptr<BackendLink>& link : links_) link->Stop();
  links_.clear();
  clients_.clear();
}

BalancerShard::Outcome BalancerShard::Forward(
    const std::shared_ptr<BalancerClient>& client, std::string_view frame,
    const Envelope& envelope) {
  candidates_.clear();
  for (const std::shared_ptr<BackendLink>& link : links_) {
    candidates_.push_back({.pending = link->Load(), .usable = link->Usable()});
  }
  const std::optional<size_t> picked = Pick(options().policy, candidates_, pick_);
  const bool wants_reply = (envelope.flags & kFlagNoReply) == 0;
  absl::Status status;
  if (picked) {
    status = links_[*picked]->Send(client, frame, envelope);
    if (status.ok()) return wants_reply ? Outcome::kForwarded : Outcome::kDone;
  } else {
    for (const std::shared_ptr<BackendLink>& link : links_) {
      if (link->starting()) return Outcome::kWait;
    }
    status = WhyNone();
  }
  if (wants_reply) client->ReplyError(envelope.id, status);
  return Outcome::kDone;
}

absl::Status BalancerShard::WhyNone() const {
  int connected = 0;
  int draining = 0;
  for (const std::shared_ptr<BackendLink>& link : links_) {
    connected += link->connected();
    draining += link->connected() && link->backend().draining.load();
  }
  if (connected > draining) {
    return ResourceExhausted("all ", connected - draining,
                             " backends hold as many calls as they may");
  }
  return Unavailable("no backend: of ", links_.size(), ", ", connected,
                     " are connected and ", draining, " of these are draining");
}

void BalancerShard::LinkChanged() {
  for (const auto& [number, client] : clients_) client->Resume();
}

}  // namespace skep
