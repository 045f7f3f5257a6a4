#include "rpc/balance/balancer.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "base/strings.h"
#include "rpc/balance/balancer_shard.h"

namespace skep {
namespace {

// One shard per loop; shared with accepts that may be running as the balancer goes.
struct Shards {
  explicit Shards(BalancerOptions options)
      : shared(std::make_shared<BalancerShared>(std::move(options))) {}

  // The shard of the executor that this runs on.
  std::shared_ptr<BalancerShard> On(Transport& transport, Executor& executor) {
    std::shared_ptr<BalancerShard> shard;
    bool first;
    {
      MutexLock lock(mutex);
      first = of.empty();
      std::shared_ptr<BalancerShard>& known = of[&executor];
      if (known != nullptr) return known;
      known = std::make_shared<BalancerShard>(transport, executor, shared,
                                              shared->options.seed + of.size());
      shard = known;
    }
    shard->Start(/*leader=*/first);
    return shard;
  }

  // Runs `what` for every shard, on its executor.
  void ForEach(void (BalancerShard::*what)()) {
    MutexLock lock(mutex);
    for (const auto& [executor, shard] : of) {
      executor->Post([shard = shard, what] { (shard.get()->*what)(); });
    }
  }

  const std::shared_ptr<BalancerShared> shared;
  Mutex mutex;
  std::map<Executor*, std::shared_ptr<BalancerShard>> of ABSL_GUARDED_BY(mutex);
};

class BalancerImpl final : public Balancer {
 public:
  BalancerImpl(Transport& transport, BalancerOptions options)
      : transport_(transport), shards_(std::make_shared<Shards>(std::move(options))) {}

  ~BalancerImpl() override {
    StopListening();
    MutexLock lock(shards_->mutex);
    for (auto& [executor, shard] : shards_->of) {
      executor->Post([shard = std::move(shard)] { shard->Stop(); });
    }
  }

  absl::Status Listen(const Address& at) {
    // A first shard at once, so that the backends are known to be up or down before
    // the first client comes.
    Executor& first = transport_.executor();
    first.Post([shards = shards_, &transport = transport_, &first] {
      shards->On(transport, first);
    });
    auto accept = [shards = shards_,
                   &transport = transport_](std::unique_ptr<Stream> stream) {
      std::atomic<int>& connections = shards->shared->connections;
      if (connections.fetch_add(1) >= shards->shared->options.max_connections) {
        shards->shared->ConnectionEnded();
        return;  // closes it
      }
      Executor& executor = stream->executor();
      shards->On(transport, executor)->Accept(std::move(stream));
    };
    SKEP_ASSIGN_OR_RETURN(std::unique_ptr<Listener> listener,
                          transport_.Listen(at, std::move(accept)));
    address_ = listener->address();
    MutexLock lock(mutex_);
    listener_ = std::move(listener);
    return absl::OkStatus();
  }

  const Address& address() const override { return address_; }

  absl::Status SetBackends(const std::vector<BackendSpec>& backends) override {
    if (backends.empty()) {
      return InvalidArgument("a balancer needs at least one backend");
    }
    std::set<std::string> names;
    for (const BackendSpec& spec : backends) {
      if (!names.insert(spec.address.ToString()).second) {
        return InvalidArgument("backend ", spec.address, " is named twice");
      }
    }
    Replace(backends);
    shards_->ForEach(&BalancerShard::UpdateBackends);
    return absl::OkStatus();
  }

  absl::Status SetDraining(const Address& backend, bool draining) override {
    BalancerShared& shared = *shards_->shared;
    MutexLock lock(shared.mutex);
    for (const auto& known : shared.backends) {
      if (known->address == backend) {
        known->draining = draining;
        return absl::OkStatus();
      }
    }
    return NotFound("no backend ", backend, " among ", shared.backends.size());
  }

  void BeginDrain() override {
    StopListening();
    shards_->ForEach(&BalancerShard::Drain);
  }

  bool AwaitIdle(absl::Duration timeout) override {
    BalancerShared& shared = *shards_->shared;
    const Clock& clock = Clock::Real();
    const absl::Time end = clock.Now() + timeout;
    MutexLock lock(shared.mutex);
    while (shared.connections > 0) {
      const absl::Duration left = end - clock.Now();
      if (left <= absl::ZeroDuration()) return false;
      shared.idle.WaitFor(shared.mutex, left);
    }
    return true;
  }

  std::vector<BackendState> backends() const override {
    BalancerShared& shared = *shards_->shared;
    const absl::Time now = transport_.executor().clock().Now();
    MutexLock lock(shared.mutex);
    std::vector<BackendState> states;
    for (const auto& backend : shared.backends) {
      states.push_back({.address = backend->address,
                        .connected = backend->links > 0,
                        .draining = backend->draining,
                        .ejected = backend->ejected_until.IsAfter(now),
                        .weight = backend->weight,
                        .pending = backend->pending,
                        .forwarded = backend->forwarded,
                        .failed = backend->failed});
    }
    return states;
  }

  StatsReport Stats() const override {
    StatsReport report;
    report.title = StrCat("balancer on ", address().ToString());
    report.kind = "backend";
    report.connections = connections();
    BalancerShared& shared = *shards_->shared;
    report.slow_rule = shared.slow.rule().ToString();
    report.slow = shared.slow.Newest();
    const absl::Time now = transport_.executor().clock().Now();
    MutexLock lock(shared.mutex);
    for (const auto& backend : shared.backends) {
      report.rows.push_back(
          StatsReport::RowOf(backend->address.ToString(), backend->calls));
      report.rows.back().state = backend->draining                     ? "draining"
                                 : backend->links == 0                 ? "down"
                                 : backend->ejected_until.IsAfter(now) ? "ejected"
                                                                       : "up";
      // What Pick goes by: also calls that nobody waits for any more.
      report.rows.back().pending = backend->pending;
      report.rows.back().held_errors = backend->held_errors.Count(now);
    }
    report.rows.push_back(StatsReport::RowOf("balancer", shared.own));
    report.methods = shared.methods.Rows();
    return report;
  }

  int connections() const override { return shards_->shared->connections; }
  int64_t held_bytes() const override { return shards_->shared->held.total(); }

 private:
  // Those that stay keep what is known of them.
  void Replace(const std::vector<BackendSpec>& backends) {
    BalancerShared& shared = *shards_->shared;
    MutexLock lock(shared.mutex);
    std::vector<std::shared_ptr<SharedBackend>> next;
    for (const BackendSpec& spec : backends) {
      const auto known =
          std::find_if(shared.backends.begin(), shared.backends.end(),
                       [&](const auto& b) { return b->address == spec.address; });
      if (known != shared.backends.end()) {
        (*known)->weight = spec.weight;
        next.push_back(*known);
        continue;
      }
      next.push_back(std::make_shared<SharedBackend>(++last_id_, spec));
      shared.health.Add(last_id_);
    }
    for (const auto& backend : shared.backends) {
      if (std::find(next.begin(), next.end(), backend) == next.end()) {
        shared.health.Remove(backend->id);
      }
    }
    shared.backends.swap(next);
  }

  void StopListening() {
    std::unique_ptr<Listener> listener;
    MutexLock lock(mutex_);
    listener = std::move(listener_);
  }

  Transport& transport_;
  const std::shared_ptr<Shards> shards_;
  Address address_;
  uint64_t last_id_ = 0;  // under the shared mutex
  Mutex mutex_;
  std::unique_ptr<Listener> listener_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<BindMode> ParseBindMode(std::string_view name) {
  if (name == "early") return BindMode::kEarly;
  if (name == "late") return BindMode::kLate;
  return InvalidArgument("unknown mode '", name, "': use early or late");
}

absl::StatusOr<std::unique_ptr<Balancer>> Balancer::Listen(
    Transport& transport, const Address& at, const std::vector<Address>& backends,
    BalancerOptions options) {
  auto balancer = std::make_unique<BalancerImpl>(transport, std::move(options));
  std::vector<BackendSpec> specs;
  for (const Address& address : backends) specs.push_back({.address = address});
  SKEP_RETURN_IF_ERROR(balancer->SetBackends(specs));
  SKEP_RETURN_IF_ERROR(balancer->Listen(at));
  return balancer;
}

}  // namespace skep
