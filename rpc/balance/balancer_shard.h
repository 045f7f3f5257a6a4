// The part of the balancer that lives on one loop: its clients, and its connection to
// each backend. Internal to balancer.cc; everything here runs on the shard's executor.

#ifndef SKEP_RPC_BALANCE_BALANCER_SHARD_H_
#define SKEP_RPC_BALANCE_BALANCER_SHARD_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "rpc/balance/balancer.h"
#include "rpc/rpc0_codec.h"

namespace skep {

// What all shards know of one backend.
struct SharedBackend {
  explicit SharedBackend(Address address) : address(std::move(address)) {}
  const Address address;
  std::atomic<int64_t> pending = 0;
  std::atomic<int> links = 0;  // shards that are connected
  std::atomic<bool> draining = false;
  std::atomic<uint64_t> forwarded = 0;
  std::atomic<uint64_t> failed = 0;
  CallCounts calls;  // those that are answered
};

// What all shards share; shared_ptr because shards end on their own loops.
struct BalancerShared {
  BalancerOptions options;
  std::vector<std::unique_ptr<SharedBackend>> backends;
  std::atomic<int> connections = 0;
};

class BalancerClient;
class BackendLink;

class BalancerShard : public std::enable_shared_from_this<BalancerShard> {
 public:
  BalancerShard(Transport& transport, Executor& executor,
                std::shared_ptr<BalancerShared> shared, uint64_t seed);
  ~BalancerShard();

  // Connects to the backends.
  void Start();
  // Serves a new client.
  void Accept(std::unique_ptr<Stream> stream);
  // Closes everything.
  void Stop();

  // --- For clients and links ----------------------------------------------------
  enum class Outcome {
    kForwarded,
    kDone,  // answered with an error, or it wants no answer
    kWait,  // no backend yet, but the first connections are being made
  };
  // A whole, checked request frame.
  Outcome Forward(const std::shared_ptr<BalancerClient>& client, std::string_view frame,
                  const Envelope& envelope);
  void LinkChanged();
  void Remove(uint64_t client) { clients_.erase(client); }

  Transport& transport() { return transport_; }
  Executor& executor() { return executor_; }
  const BalancerOptions& options() const { return shared_->options; }
  BalancerShared& shared() { return *shared_; }
  Random& random() { return pick_.random; }

 private:
  absl::Status WhyNone() const;

  Transport& transport_;
  Executor& executor_;
  const std::shared_ptr<BalancerShared> shared_;
  PickState pick_;
  std::vector<std::shared_ptr<BackendLink>> links_;
  // In the order of their coming, so that a simulated run replays.
  std::map<uint64_t, std::shared_ptr<BalancerClient>> clients_;
  uint64_t last_client_ = 0;
  std::vector<Candidate> candidates_;  // Pick's input, kept for its memory
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCER_SHARD_H_
