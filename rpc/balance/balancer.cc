#include "rpc/balance/balancer.h"

#include <map>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "base/strings.h"
#include "rpc/balance/balancer_shard.h"

namespace skep {
namespace {

class BalancerImpl final : public Balancer {
 public:
  BalancerImpl(Transport& transport, const std::vector<Address>& backends,
               BalancerOptions options)
      : transport_(transport), shards_(std::make_shared<Shards>()) {
    shards_->shared->options = std::move(options);
    for (const Address& backend : backends) {
      shards_->shared->backends.push_back(std::make_unique<SharedBackend>(backend));
    }
  }

  ~BalancerImpl() override {
    listener_.reset();
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
    SKEP_ASSIGN_OR_RETURN(
        listener_, transport_.Listen(at, [shards = shards_, &transport = transport_](
                                             std::unique_ptr<Stream> stream) {
          std::atomic<int>& connections = shards->shared->connections;
          if (connections.fetch_add(1) >= shards->shared->options.max_connections) {
            connections.fetch_sub(1);
            return;  // closes it
          }
          Executor& executor = stream->executor();
          shards->On(transport, executor)->Accept(std::move(stream));
        }));
    return absl::OkStatus();
  }

  const Address& address() const override { return listener_->address(); }

  absl::Status SetDraining(const Address& backend, bool draining) override {
    for (const auto& known : shards_->shared->backends) {
      if (known->address == backend) {
        known->draining = draining;
        return absl::OkStatus();
      }
    }
    return NotFound("no backend ", backend, " among ",
                    shards_->shared->backends.size());
  }

  std::vector<BackendState> backends() const override {
    std::vector<BackendState> states;
    for (const auto& backend : shards_->shared->backends) {
      states.push_back({.address = backend->address,
                        .connected = backend->links > 0,
                        .draining = backend->draining,
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
    for (const auto& backend : shards_->shared->backends) {
      report.rows.push_back(
          StatsReport::RowOf(backend->address.ToString(), backend->calls));
      report.rows.back().state = backend->draining    ? "draining"
                                 : backend->links > 0 ? "up"
                                                      : "down";
    }
    return report;
  }

  int connections() const override { return shards_->shared->connections; }

 private:
  // One shard per loop; shared with accepts that may be running as the balancer goes.
  struct Shards {
    // The shard of the executor that this runs on.
    std::shared_ptr<BalancerShard> On(Transport& transport, Executor& executor) {
      std::shared_ptr<BalancerShard> shard;
      {
        MutexLock lock(mutex);
        std::shared_ptr<BalancerShard>& known = of[&executor];
        if (known != nullptr) return known;
        known = std::make_shared<BalancerShard>(transport, executor, shared,
                                                shared->options.seed + of.size());
        shard = known;
      }
      shard->Start();
      return shard;
    }

    const std::shared_ptr<BalancerShared> shared = std::make_shared<BalancerShared>();
    Mutex mutex;
    std::map<Executor*, std::shared_ptr<BalancerShard>> of ABSL_GUARDED_BY(mutex);
  };

  Transport& transport_;
  const std::shared_ptr<Shards> shards_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Balancer>> Balancer::Listen(
    Transport& transport, const Address& at, const std::vector<Address>& backends,
    BalancerOptions options) {
  if (backends.empty()) return InvalidArgument("a balancer needs at least one backend");
  auto balancer =
      std::make_unique<BalancerImpl>(transport, backends, std::move(options));
  SKEP_RETURN_IF_ERROR(balancer->Listen(at));
  return balancer;
}

}  // namespace skep
