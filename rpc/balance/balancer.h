// The balancer: a proxy that spreads RPC0 calls over backends.
//
// Each request goes to the backend that the policy picks, over a connection that all
// clients of a loop share: its id is replaced by one of the balancer's own, in place,
// the checksum patched, and put back in the reply. A request is taken in whole and
// checked before a byte of it touches a backend, so that a bad client costs the others
// nothing.
//
// No request is dropped silently, and none is held for ever. One that cannot be
// forwarded, and one whose backend dies before it has answered, gets an error reply at
// once (Unavailable; for legacy clients TIMEOUT), one over a bound ResourceExhausted
// with a retry-after, one whose time is up DeadlineExceeded. The balancer itself never
// repeats a call.
//
// To its clients and to its backends it is a skep peer: it answers hello and says it,
// hands cancels on (a client that goes away cancels its calls), says and hears go-away.
// Peers of other makes notice nothing of it.
//
// One shard per loop of the transport; the counts of outstanding calls, held errors and
// health are shared by all.

#ifndef SKEP_RPC_BALANCE_BALANCER_H_
#define SKEP_RPC_BALANCE_BALANCER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/address.h"
#include "rpc/balance/backend_spec.h"
#include "rpc/balance/health.h"
#include "rpc/balance/pick.h"
#include "rpc/metrics.h"
#include "rpc/transport.h"

namespace skep {

// When a call's backend is chosen.
enum class BindMode {
  // As it arrives; it waits, if it must, at the backend.
  kEarly,
  // When a backend has room in its window; until then it waits in a queue of its
  // shard, the one with the nearest deadline first.
  kLate,
};
// "early", "late"; InvalidArgument lists them.
absl::StatusOr<BindMode> ParseBindMode(std::string_view name);

struct BalancerOptions {
  PickPolicy policy = PickPolicy::kLeastPending;
  BindMode mode = BindMode::kEarly;

  // For calls that bring no budget. Long, since nothing is known of them: it only keeps
  // a backend that never answers from holding places for ever.
  absl::Duration default_timeout = absl::Minutes(5);

  // Client connections over this are closed as they arrive.
  int max_connections = 10'000;
  // Calls that one client may have in progress before it is no longer read.
  int max_calls_per_client = 10'000;
  // Calls outstanding on one backend before it gets no more.
  int64_t max_calls_per_backend = 100'000;
  // Unsent bytes a connection may hold: a client over it is no longer read, a backend
  // over it gets no more calls.
  size_t high_water_bytes = 4 << 20;
  // Replies from this size on are cut through: passed on as they come instead of taken
  // in whole. A client's other replies wait for the end of such a one, and its
  // connection breaks if the backend dies in the middle.
  size_t cut_through = 256 << 10;
  static constexpr size_t kNeverCutThrough = ~size_t{0};
  // Replies that one client does not take; what goes beyond is answered with
  // ResourceExhausted instead.
  size_t max_client_bytes = 128 << 20;
  // All bytes held: requests that are arriving or queued, and what has not been taken.
  // Beyond them calls are refused; those of clients that hold much themselves from
  // seven eighths on: more than 64 KiB, and than their part of the last eighth.
  int64_t max_bytes = 1 << 30;
  // A client that has more than 64 KiB to take and takes none of it for so long is
  // hung up on.
  absl::Duration stall_timeout = absl::Seconds(30);

  // Late mode, of each shard: calls outstanding on a backend of weight 1, and the
  // queue's bounds.
  int window = 4;
  size_t max_queued_calls = 10'000;
  size_t max_queued_bytes = 64 << 20;

  // How long an error of a backend counts as a call outstanding on it
  // (phantom_pending.h): much longer than calls take. Zero: not at all; unset: 50 times
  // as long as calls that succeed take lately, at least 1 s and at most 30 s.
  std::optional<absl::Duration> error_hold;
  // How long a backend that comes (back) takes to get its whole share.
  absl::Duration slow_start = absl::ZeroDuration();

  // Each backend is asked at this interval whether it answers; an answer that has not
  // come when the next is due is a failed check. Zero: never.
  absl::Duration check_interval = absl::Seconds(1);
  // What it is asked: "" says hello, which every server answers that reads what it is
  // sent, if only with an error; "pkg.Service.Method" calls that, with an empty
  // request, and an error that is the backend's own fails too.
  std::string check_method;
  HealthOptions health;

  // Which calls Stats keeps as slow.
  SlowCallRule slow;

  // Told to peers and demanded of those that name one; "": none.
  std::string fleet;
  // A client that has not said hello, and used none of skep's fields, gets the end of
  // its connection for a call that fails, instead of an error reply: LegacyFailure in
  // rpc/server.h says why.
  bool close_on_legacy_failure = false;
  // Errors name the backend that is to blame, and what is wrong with it. Where it is is
  // the operator's knowledge else: in the log and on the pages, and not for clients.
  bool tell_backends = false;
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

  // From now on these are the backends: connections to new ones are made; those that
  // are no longer among them get no new calls and finish what they have. Weights are
  // taken over. InvalidArgument, and nothing changes, if there are none or one twice.
  virtual absl::Status SetBackends(const std::vector<BackendSpec>& backends) = 0;

  // A draining backend gets no new calls; what it has is finished and answered.
  // NotFound if there is no such backend.
  virtual absl::Status SetDraining(const Address& backend, bool draining) = 0;

  // Stops listening, tells skep clients to go away and closes the connections of
  // others once they have been answered what was read of them.
  virtual void BeginDrain() = 0;
  // Waits until no client is connected; false when `timeout` passes first. Not on a
  // loop of the transport.
  virtual bool AwaitIdle(absl::Duration timeout) = 0;

  struct BackendState {
    Address address;
    bool connected = false;
    bool draining = false;
    bool ejected = false;
    double weight = 1;
    int64_t pending = 0;
    uint64_t forwarded = 0;  // calls given to it
    uint64_t failed = 0;  // of these, answered by us: it died, or their time was over
  };
  virtual std::vector<BackendState> backends() const = 0;
  // A row for each backend; one, "balancer", for the calls that no backend was given
  // and the replies that no client took, by how they ended; all calls by method.
  virtual StatsReport Stats() const = 0;
  virtual int connections() const = 0;
  // Of max_bytes.
  virtual int64_t held_bytes() const = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCER_H_
