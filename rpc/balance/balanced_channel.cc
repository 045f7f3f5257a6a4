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
  state->SetBackends(backends);
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
    if (backend.leaving || backend.serial == 0) continue;
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

void BalancedChannel::SetBackends(const std::vector<BackendSpec>& backends) {
  state_->SetBackends(backends);
}

absl::Status BalancedChannel::SetDraining(const Address& backend, bool draining) {
  {
    MutexLock lock(state_->mutex);
    const auto known =
        std::find_if(state_->backends.begin(), state_->backends.end(),
                     [&](const State::Backend& one) {
                       return one.serial != 0 && !one.leaving && one.address == backend;
                     });
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
  for (const State::Backend& backend : state_->backends) {
    if (backend.serial == 0) continue;
    states.push_back({.address = backend.address,
                      .connected = backend.connected,
                      .draining = backend.draining || backend.leaving,
                      .ejected = state_->health.IsEjected(backend.serial, now),
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
