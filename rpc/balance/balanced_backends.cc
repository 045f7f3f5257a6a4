// Backends of the balanced channel that come and go.
//
// Attempts and calls name a backend by its place in `backends`. A place is free again
// once its backend has left and its last call has ended; what may come later than that,
// news of its connection, names the serial too.

#include <utility>

#include "rpc/balance/balanced_state.h"

namespace skep {

void BalancedChannel::State::SetBackends(const std::vector<BackendSpec>& specs) {
  struct New {
    size_t index;
    uint64_t serial;
    Address address;
  };
  std::vector<New> added;
  {
    MutexLock lock(mutex);
    if (closed) return;
    std::vector<bool> kept(backends.size(), false);
    std::vector<const BackendSpec*> coming;
    for (const BackendSpec& spec : specs) {
      size_t i = 0;
      while (i < kept.size() && (kept[i] || backends[i].serial == 0 ||
                                 backends[i].address != spec.address)) {
        ++i;
      }
      if (i == kept.size()) {
        coming.push_back(&spec);
        continue;
      }
      kept[i] = true;
      Backend& backend = backends[i];
      backend.weight = spec.weight;
      // It may come back while it finishes.
      if (std::exchange(backend.leaving, false)) health.Add(backend.serial);
    }
    for (size_t i = 0; i < kept.size(); ++i) {
      if (kept[i] || backends[i].serial == 0 || backends[i].leaving) continue;
      backends[i].leaving = true;
      health.Remove(backends[i].serial);
      FreeIfLeft(i);
    }
    for (const BackendSpec* const spec : coming) {
      const size_t index = AddBackend(*spec);
      added.push_back({index, backends[index].serial, spec->address});
    }
  }
  for (const New& one : added) ConnectBackend(one.index, one.serial, one.address);
  DispatchWaiting();
}

size_t BalancedChannel::State::AddBackend(const BackendSpec& spec) {
  size_t index = 0;
  while (index < backends.size() && backends[index].serial != 0) ++index;
  if (index == backends.size()) backends.emplace_back();
  Backend& backend = backends[index];
  backend = Backend();
  backend.serial = next_serial++;
  backend.address = spec.address;
  backend.weight = spec.weight;
  backend.phantoms = PhantomPending(options.error_hold);
  health.Add(backend.serial);
  return index;
}

void BalancedChannel::State::ConnectBackend(size_t index, uint64_t serial,
                                            const Address& address) {
  ConnectOptions connect = options.connect;
  connect.wait_for_ready = false;
  connect.on_state = [weak = weak_from_this(), index, serial](bool connected) {
    if (const auto self = weak.lock()) self->SetConnected(index, serial, connected);
  };
  std::shared_ptr<Channel> channel = Connect(transport, address, std::move(connect));
  {
    MutexLock lock(mutex);
    if (!closed && backends[index].serial == serial) {
      backends[index].channel = std::move(channel);
      return;
    }
  }
  // Closed, or taken out again, meanwhile.
  channel->Close(absl::CancelledError("the backend is no longer wanted"));
}

void BalancedChannel::State::FreeIfLeft(size_t index) {
  Backend& backend = backends[index];
  if (!backend.leaving || backend.pending > 0) return;
  // Not from within one of its own completions, and not under the mutex.
  if (backend.channel != nullptr) {
    executor.Post([channel = std::move(backend.channel)] {
      channel->Close(absl::CancelledError("the backend has left"));
    });
  }
  backend = Backend();
}

}  // namespace skep
