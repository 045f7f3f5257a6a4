// The balancer: a proxy that spreads RPC0 calls over backends.
//
// Each request goes to the backend that the policy picks, over a connection that all
// clients of a loop share: its id is replaced by one of the balancer's own, in place,
// the checksum patched, and put back in the reply. A request is taken in whole and
// checked before a byte of it touches a backend, so that a bad client costs the others
// nothing.
//
// No request is dropped silently. One that cannot be forwarded, and one whose backend
// dies before it has answered, gets an error reply at once (Unavailable; for legacy
// clients TIMEOUT), one over a bound ResourceExhausted. A backend that died is tried
// again with backoff and takes part again once it is connected. The balancer itself
// never repeats a call.
//
// One shard per loop of the transport; the counts of outstanding calls are shared by
// all.

#ifndef SKEP_RPC_BALANCE_BALANCER_H_
#define SKEP_RPC_BALANCE_BALANCER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/address.h"
#include "rpc/balance/pick.h"
#include "rpc/metrics.h"
#include "rpc/transport.h"

namespace skep {

struct BalancerOptions {
  PickPolicy policy = PickPolicy::kLeastPending;
  // Client connections over this are closed as they arrive.
  int max_connections = 10'000;
  // Calls that one client may have in progress before it is no longer read.
  int max_calls_per_client = 10'000;
  // Calls outstanding on one backend before it gets no more.
  int64_t max_calls_per_backend = 100'000;
  // Unsent bytes a connection may hold: a client over it is no longer read, a backend
  // over it gets no more calls.
  size_t high_water_bytes = 4 << 20;
  // How long an error of a backend counts as a call outstanding on it
  // (phantom_pending.h): much longer than calls take. Zero: not at all.
  absl::Duration error_hold = absl::Seconds(1);
  absl::Duration connect_timeout = absl::Seconds(2);
  absl::Duration min_backoff = absl::Milliseconds(50);
  absl::Duration max_backoff = absl::Seconds(2);
  uint64_t seed = 1;
};

// Thread-safe.
class Balancer {
 public:
  // `transport` is borrowed and outlives the balancer. InvalidArgument without
  // backends.
  static absl::StatusOr<std::unique_ptr<Balancer>> Listen(
      Transport& transport, const Address& at, const std::vector<Address>& backends,
      BalancerOptions options = {});
  // Closes every connection.
  virtual ~Balancer() = default;

  // With the port really taken.
  virtual const Address& address() const = 0;

  // A draining backend gets no new calls; what it has is finished and answered.
  // NotFound if there is no such backend.
  virtual absl::Status SetDraining(const Address& backend, bool draining) = 0;

  struct BackendState {
    Address address;
    bool connected = false;
    bool draining = false;
    int64_t pending = 0;
    uint64_t forwarded = 0;  // calls given to it
    uint64_t failed = 0;     // of these, answered by us because it died
  };
  virtual std::vector<BackendState> backends() const = 0;
  // A row for each backend, and the connections.
  virtual StatsReport Stats() const = 0;
  virtual int connections() const = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCER_H_
