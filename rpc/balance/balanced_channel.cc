#include "rpc/balance/balanced_channel.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/status.h"
#include "rpc/balance/balanced_state.h"

namespace skep {

std::shared_ptr<BalancedChannel> BalancedChannel::Create(
    Transport& transport, const std::vector<Address>& backends,
    BalancedOptions options) {
  std::vector<BackendSpec> specs;
  for (const Address& address : backends) specs.push_back({.address = address});
  return Create(transport, specs, std::move(options));
}

std::shared_ptr<BalancedChannel> BalancedChannel::Create(
    Transport& transport, const std::vector<BackendSpec>& backends,
    BalancedOptions options) {
  auto state = std::make_shared<State>(transport, std::move(options));
  {
    MutexLock lock(state->mutex);
    for (size_t i = 0; i < backends.size(); ++i) {
      State::Backend& backend = state->backends.emplace_back();
      backend.weight = backends[i].weight;
      backend.phantoms = PhantomPending(state->options.error_hold);
      state->health.Add(i);
    }
  }
  for (size_t i = 0; i < backends.size(); ++i) {
    ConnectOptions connect = state->options.connect;
    connect.wait_for_ready = false;
    connect.on_state = [weak = std::weak_ptr<State>(state), i](bool connected) {
      if (const std::shared_ptr<State> self = weak.lock())
        self->SetConnected(i, connected);
    };
    std::shared_ptr<Channel> channel =
        Connect(transport, backends[i].address, std::move(connect));
    MutexLock lock(state->mutex);
    state->backends[i].address = backends[i].address;
    state->backends[i].channel = std::move(channel);
  }
  return std::shared_ptr<BalancedChannel>(new BalancedChannel(std::move(state)));
}

BalancedChannel::BalancedChannel(std::shared_ptr<State> state)
    : state_(std::move(state)) {}

BalancedChannel::~BalancedChannel() {
  state_->Close(Unavailable("the balanced channel is gone"));
}

CallId BalancedChannel::Start(const google::protobuf::MethodDescriptor& method,
                              const google::protobuf::Message& request,
                              google::protobuf::Message* response, CallOptions options,
                              Done done) {
  return state_->Start(method, request, response, std::move(options), std::move(done));
}

void BalancedChannel::Cancel(CallId call) { state_->Cancel(call.value()); }

void BalancedChannel::Close(absl::Status reason) { state_->Close(reason); }

bool BalancedChannel::connected() const {
  MutexLock lock(state_->mutex);
  for (const State::Backend& backend : state_->backends) {
    if (backend.connected) return true;
  }
  return false;
}

int BalancedChannel::pending() const {
  MutexLock lock(state_->mutex);
  return static_cast<int>(state_->calls.size());
}

std::string BalancedChannel::peer() const {
  MutexLock lock(state_->mutex);
  std::vector<std::string> names;
  for (const State::Backend& backend : state_->backends) {
    names.push_back(backend.address.ToString());
  }
  return absl::StrJoin(names, ",");
}

bool BalancedChannel::OnExecutor() const {
  if (state_->executor.IsCurrent()) return true;
  MutexLock lock(state_->mutex);
  for (const State::Backend& backend : state_->backends) {
    if (backend.channel != nullptr && backend.channel->OnExecutor()) return true;
  }
  return false;
}

absl::Status BalancedChannel::SetDraining(const Address& backend, bool draining) {
  {
    MutexLock lock(state_->mutex);
    const auto known =
        std::find_if(state_->backends.begin(), state_->backends.end(),
                     [&](const State::Backend& one) { return one.address == backend; });
    if (known == state_->backends.end()) {
      return NotFound("no backend ", backend, " among ", state_->backends.size());
    }
    known->draining = draining;
  }
  if (!draining) state_->DispatchWaiting();
  return absl::OkStatus();
}

std::vector<BalancedChannel::BackendState> BalancedChannel::backends() const {
  MutexLock lock(state_->mutex);
  const absl::Time now = state_->executor.clock().Now();
  std::vector<BackendState> states;
  for (size_t i = 0; i < state_->backends.size(); ++i) {
    const State::Backend& backend = state_->backends[i];
    states.push_back({.address = backend.address,
                      .connected = backend.connected,
                      .draining = backend.draining,
                      .ejected = state_->health.IsEjected(i, now),
                      .weight = backend.weight,
                      .pending = backend.pending,
                      .started = backend.started});
  }
  return states;
}

BalancedCounters BalancedChannel::balanced_counters() const {
  MutexLock lock(state_->mutex);
  return state_->counters;
}

}  // namespace skep
