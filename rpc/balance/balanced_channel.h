// One channel over several backends: each call goes to the backend that the policy
// picks.
//
// It keeps a connection to every backend and reconnects with backoff; a backend without
// a connection gets no calls until it is back. A call that fails on one backend is made
// on another if that is safe and may help (retry_policy.h), within a budget; one that
// takes long may be made on a second backend beside the first (hedge_policy.h).
// Whatever its attempts do, a call completes once. Counts of outstanding calls are
// shared by all threads that call.

#ifndef SKEP_RPC_BALANCE_BALANCED_CHANNEL_H_
#define SKEP_RPC_BALANCE_BALANCED_CHANNEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "rpc/balance/backend_spec.h"
#include "rpc/balance/health.h"
#include "rpc/balance/hedge_policy.h"
#include "rpc/balance/pick.h"
#include "rpc/balance/retry_policy.h"
#include "rpc/channel.h"
#include "rpc/server.h"

namespace skep {

struct BalancedOptions {
  PickPolicy policy = PickPolicy::kLeastPending;
  // For each backend's connection; on_state and wait_for_ready are the balanced
  // channel's own business and ignored.
  ConnectOptions connect;
  // How long an error of a backend counts as a call outstanding on it
  // (phantom_pending.h): much longer than calls take. So does a call that was given up
  // before the backend answered it: at its deadline, cancelled, or lost to a hedge.
  // Zero: not at all.
  absl::Duration error_hold = absl::Seconds(1);
  // How long a backend that comes (back) takes to get its whole share (slow_start.h).
  absl::Duration slow_start = absl::ZeroDuration();
  // When errors leave a backend out for a while (health.h). A call that is not answered
  // in its time counts as one if other backends have answered meanwhile. Nothing checks
  // backends or compares their latencies here.
  HealthOptions health;
  // Whether a call made while no backend is connected waits for one until its deadline,
  // else it fails with Unavailable at once.
  bool wait_for_ready = true;
  // Calls that may wait so; more fail with ResourceExhausted.
  size_t max_waiting = 10'000;
  RetryOptions retry;
  HedgeOptions hedge;
  // Of ties and of the random policies.
  uint64_t seed = 1;
};

// What became of calls beyond their first attempts.
struct BalancedCounters {
  uint64_t retries = 0;          // attempts after a failed one
  uint64_t hedges = 0;           // attempts beside a slow one
  uint64_t hedges_won = 0;       // of these, whose reply came first
  uint64_t retries_refused = 0;  // the budget was spent
  uint64_t hedges_refused = 0;
};

// Thread-safe. Completions run on an executor of the transport's.
class BalancedChannel final : public Channel {
 public:
  // `transport` is borrowed.
  static std::shared_ptr<BalancedChannel> Create(Transport& transport,
                                                 const std::vector<Address>& backends,
                                                 BalancedOptions options = {});
  static std::shared_ptr<BalancedChannel> Create(
      Transport& transport, const std::vector<BackendSpec>& backends,
      BalancedOptions options = {});
  // Completes what is outstanding with Unavailable.
  ~BalancedChannel() override;

  CallId Start(const google::protobuf::MethodDescriptor& method,
               const google::protobuf::Message& request,
               google::protobuf::Message* response, CallOptions options,
               Done done) override;
  void Cancel(CallId call) override;
  void Close(absl::Status reason) override;
  // Whether any backend is connected.
  bool connected() const override;
  // On all backends, and waiting.
  int pending() const override;
  std::string peer() const override;
  bool OnExecutor() const override;

  // From now on these are the backends. Those that were there before, by address, keep
  // their connection and all that is known of them (and take the weight given here);
  // others connect; those that are missing get no new calls, finish what they have and
  // are then disconnected. Does nothing to a channel that is closed.
  void SetBackends(const std::vector<BackendSpec>& backends);

  // Takes a backend out of (or back into) the choice; what it has is finished. NotFound
  // if there is no such backend.
  absl::Status SetDraining(const Address& backend, bool draining);

  struct BackendState {
    Address address;
    bool connected = false;
    bool draining = false;
    bool ejected = false;
    double weight = 1;
    int pending = 0;
    uint64_t started = 0;  // calls given to it so far
  };
  // Those that leave are among them, draining, until their last call has ended.
  std::vector<BackendState> backends() const;
  BalancedCounters balanced_counters() const;

 private:
  struct State;
  explicit BalancedChannel(std::shared_ptr<State> state);

  // shared with the completions of calls, which may outlive the channel.
  const std::shared_ptr<State> state_;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCED_CHANNEL_H_
