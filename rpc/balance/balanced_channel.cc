#include "rpc/balance/balanced_channel.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/status.h"
#include "google/protobuf/message.h"
#include "rpc/balance/phantom_pending.h"

namespace skep {
namespace {

using ProtoMessage = google::protobuf::Message;
using google::protobuf::MethodDescriptor;

struct Backend {
  Address address;
  std::shared_ptr<Channel> channel;
  bool connected = false;
  bool draining = false;
  int pending = 0;
  uint64_t started = 0;
  PhantomPending phantoms{absl::ZeroDuration()};

  bool usable() const { return connected && !draining; }
};

// A call between Start and its completion. While it waits for a backend it owns a copy
// of its request.
struct OutstandingCall {
  std::optional<size_t> backend;
  CallId inner;  // once the backend's channel has named it
  bool cancelled = false;
  const MethodDescriptor* method = nullptr;
  std::unique_ptr<ProtoMessage> waiting_request;
  ProtoMessage* response = nullptr;
  CallOptions options;
  Channel::Done done;
  absl::Time deadline;
  TimerId timer;
};

}  // namespace

struct BalancedChannel::State : std::enable_shared_from_this<State> {
  State(Transport& transport, BalancedOptions options)
      : executor(transport.executor()),
        options(std::move(options)),
        pick(this->options.seed) {}

  CallId Start(const MethodDescriptor& method, const ProtoMessage& request,
               ProtoMessage* response, CallOptions call_options, Done done);
  bool AnyUsable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Puts a call among those that wait for a backend.
  absl::Status Wait(uint64_t id, OutstandingCall& call, const ProtoMessage& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Gives call `id` to a picked backend; false if none is usable.
  bool Dispatch(uint64_t id, const ProtoMessage& request);
  // Ends a call that no backend has. One that a backend has ends through its channel
  // only, which writes into the call's response until then.
  void CompleteWaiting(uint64_t id, absl::Status status);
  void Complete(uint64_t id, const Controller& controller);
  void SetConnected(size_t index, bool connected);
  void DispatchWaiting();
  void Cancel(uint64_t id);
  void Close(const absl::Status& reason);
  std::optional<OutstandingCall> Take(uint64_t id, bool only_waiting);

  Executor& executor;
  const BalancedOptions options;

  mutable Mutex mutex;
  std::vector<Backend> backends ABSL_GUARDED_BY(mutex);
  PickState pick ABSL_GUARDED_BY(mutex);
  std::map<uint64_t, OutstandingCall> calls ABSL_GUARDED_BY(mutex);
  std::set<uint64_t> waiting ABSL_GUARDED_BY(mutex);  // in order of arrival
  uint64_t next_id ABSL_GUARDED_BY(mutex) = 1;
  bool closed ABSL_GUARDED_BY(mutex) = false;
};

CallId BalancedChannel::State::Start(const MethodDescriptor& method,
                                     const ProtoMessage& request,
                                     ProtoMessage* response, CallOptions call_options,
                                     Done done) {
  uint64_t id;
  absl::Status refused;
  {
    MutexLock lock(mutex);
    id = next_id++;
    OutstandingCall& call = calls[id];
    call.method = &method;
    call.response = response;
    call.deadline = executor.clock().Now() + call_options.timeout;
    call.options = std::move(call_options);
    call.done = std::move(done);
    if (closed) refused = Unavailable("the channel is closed");
  }
  while (refused.ok()) {
    if (Dispatch(id, request)) return CallId(id);
    MutexLock lock(mutex);
    if (AnyUsable()) continue;  // since the look that Dispatch took
    const auto it = calls.find(id);
    if (it == calls.end()) return CallId(id);  // closed meanwhile
    refused = Wait(id, it->second, request);
    if (refused.ok()) return CallId(id);
  }
  executor.Post(
      [self = shared_from_this(), id, refused] { self->CompleteWaiting(id, refused); });
  return CallId(id);
}

bool BalancedChannel::State::AnyUsable() const {
  for (const Backend& backend : backends) {
    if (backend.usable()) return true;
  }
  return false;
}

absl::Status BalancedChannel::State::Wait(uint64_t id, OutstandingCall& call,
                                          const ProtoMessage& request) {
  if (closed) return Unavailable("the channel is closed");
  if (!options.wait_for_ready) {
    return Unavailable("none of ", backends.size(), " backends is connected");
  }
  if (waiting.size() >= options.max_waiting) {
    return ResourceExhausted(waiting.size(), " calls already wait for a backend");
  }
  call.waiting_request.reset(request.New());
  call.waiting_request->CopyFrom(request);
  waiting.insert(id);
  if (call.deadline < absl::InfiniteFuture()) {
    call.timer = executor.PostAfter(call.options.timeout, [self = shared_from_this(),
                                                           id] {
      self->CompleteWaiting(id, DeadlineExceeded("no backend was connected in time"));
    });
  }
  return absl::OkStatus();
}

bool BalancedChannel::State::Dispatch(uint64_t id, const ProtoMessage& request) {
  std::shared_ptr<Channel> channel;
  const MethodDescriptor* method;
  ProtoMessage* response;
  CallOptions call_options;
  {
    MutexLock lock(mutex);
    const auto it = calls.find(id);
    if (it == calls.end()) return true;
    OutstandingCall& call = it->second;
    std::vector<Candidate> candidates;
    candidates.reserve(backends.size());
    const absl::Time now = executor.clock().Now();
    for (Backend& backend : backends) {
      candidates.push_back({.pending = backend.pending + backend.phantoms.Count(now),
                            .usable = backend.usable()});
    }
    const std::optional<size_t> picked = Pick(options.policy, candidates, pick);
    if (!picked) return false;
    Backend& backend = backends[*picked];
    ++backend.pending;
    ++backend.started;
    call.backend = *picked;
    channel = backend.channel;
    method = call.method;
    response = call.response;
    call_options = std::move(call.options);
    if (call.deadline < absl::InfiniteFuture()) {
      call_options.timeout = call.deadline - now;
    }
    waiting.erase(id);
    executor.Cancel(call.timer);
  }
  const CallId inner =
      channel->Start(*method, request, response, std::move(call_options),
                     [self = shared_from_this(), id](const Controller& controller) {
                       self->Complete(id, controller);
                     });
  bool cancelled = false;
  {
    MutexLock lock(mutex);
    const auto it = calls.find(id);
    if (it != calls.end()) {
      it->second.inner = inner;
      cancelled = it->second.cancelled;
    }
  }
  if (cancelled) channel->Cancel(inner);
  return true;
}

std::optional<OutstandingCall> BalancedChannel::State::Take(uint64_t id,
                                                            bool only_waiting) {
  MutexLock lock(mutex);
  const auto it = calls.find(id);
  if (it == calls.end() || (only_waiting && it->second.backend)) return std::nullopt;
  auto node = calls.extract(it);
  waiting.erase(id);
  OutstandingCall call = std::move(node.mapped());
  executor.Cancel(call.timer);
  if (call.backend) --backends[*call.backend].pending;
  return call;
}

void BalancedChannel::State::Complete(uint64_t id, const Controller& controller) {
  if (std::optional<OutstandingCall> call = Take(id, /*only_waiting=*/false)) {
    if (!controller.status().ok()) {
      MutexLock lock(mutex);
      backends[*call->backend].phantoms.Ended(controller.status().code(),
                                              executor.clock().Now());
    }
    call->done(controller);
  }
}

void BalancedChannel::State::CompleteWaiting(uint64_t id, absl::Status status) {
  Controller controller;
  controller.SetStatus(MarkNeverSent(std::move(status)));
  if (std::optional<OutstandingCall> call = Take(id, /*only_waiting=*/true)) {
    call->done(controller);
  }
}

void BalancedChannel::State::SetConnected(size_t index, bool connected) {
  {
    MutexLock lock(mutex);
    backends[index].connected = connected;
  }
  if (connected) DispatchWaiting();
}

void BalancedChannel::State::DispatchWaiting() {
  std::vector<uint64_t> ready;
  {
    MutexLock lock(mutex);
    ready.assign(waiting.begin(), waiting.end());
  }
  for (const uint64_t id : ready) {
    std::unique_ptr<ProtoMessage> request;
    {
      MutexLock lock(mutex);
      const auto it = calls.find(id);
      if (it == calls.end() || it->second.waiting_request == nullptr) continue;
      request = std::move(it->second.waiting_request);
    }
    if (!Dispatch(id, *request)) {
      MutexLock lock(mutex);
      const auto it = calls.find(id);
      if (it != calls.end()) it->second.waiting_request = std::move(request);
      return;
    }
  }
}

void BalancedChannel::State::Cancel(uint64_t id) {
  std::shared_ptr<Channel> channel;
  CallId inner;
  {
    MutexLock lock(mutex);
    const auto it = calls.find(id);
    if (it == calls.end()) return;
    // A dispatch that is under way on another thread sees it.
    it->second.cancelled = true;
    if (it->second.backend) {
      if (!it->second.inner) return;
      channel = backends[*it->second.backend].channel;
      inner = it->second.inner;
    }
  }
  if (channel != nullptr) {
    channel->Cancel(inner);
  } else {
    executor.Post([self = shared_from_this(), id] {
      self->CompleteWaiting(id, Cancelled("cancelled before a backend was connected"));
    });
  }
}

void BalancedChannel::State::Close(const absl::Status& reason) {
  std::vector<std::shared_ptr<Channel>> channels;
  std::vector<uint64_t> waiting_ids;
  {
    MutexLock lock(mutex);
    closed = true;
    for (const Backend& backend : backends) channels.push_back(backend.channel);
    waiting_ids.assign(waiting.begin(), waiting.end());
  }
  for (const std::shared_ptr<Channel>& channel : channels) channel->Close(reason);
  executor.Post([self = shared_from_this(), waiting_ids, reason] {
    for (const uint64_t id : waiting_ids) self->CompleteWaiting(id, reason);
  });
}

std::shared_ptr<BalancedChannel> BalancedChannel::Create(
    Transport& transport, const std::vector<Address>& backends,
    BalancedOptions options) {
  auto state = std::make_shared<State>(transport, std::move(options));
  {
    MutexLock lock(state->mutex);
    for (size_t i = 0; i < backends.size(); ++i) {
      state->backends.emplace_back().phantoms =
          PhantomPending(state->options.error_hold);
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
        Connect(transport, backends[i], std::move(connect));
    MutexLock lock(state->mutex);
    state->backends[i].address = backends[i];
    state->backends[i].channel = std::move(channel);
  }
  return std::shared_ptr<BalancedChannel>(new BalancedChannel(std::move(state)));
}

BalancedChannel::BalancedChannel(std::shared_ptr<State> state)
    : state_(std::move(state)) {}

BalancedChannel::~BalancedChannel() {
  state_->Close(Unavailable("the balanced channel is gone"));
}

CallId BalancedChannel::Start(const MethodDescriptor& method,
                              const ProtoMessage& request, ProtoMessage* response,
                              CallOptions options, Done done) {
  return state_->Start(method, request, response, std::move(options), std::move(done));
}

void BalancedChannel::Cancel(CallId call) { state_->Cancel(call.value()); }

void BalancedChannel::Close(absl::Status reason) { state_->Close(reason); }

bool BalancedChannel::connected() const {
  MutexLock lock(state_->mutex);
  for (const Backend& backend : state_->backends) {
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
  for (const Backend& backend : state_->backends) {
    names.push_back(backend.address.ToString());
  }
  return absl::StrJoin(names, ",");
}

absl::Status BalancedChannel::SetDraining(const Address& backend, bool draining) {
  {
    MutexLock lock(state_->mutex);
    const auto known =
        std::find_if(state_->backends.begin(), state_->backends.end(),
                     [&](const Backend& one) { return one.address == backend; });
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
  std::vector<BackendState> states;
  for (const Backend& backend : state_->backends) {
    states.push_back({backend.address, backend.connected, backend.draining,
                      backend.pending, backend.started});
  }
  return states;
}

}  // namespace skep
