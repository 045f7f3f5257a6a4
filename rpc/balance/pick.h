// Which backend gets the next call: the balancing policies, as pure functions.
//
// Pick has three owners of counts: the balanced channel and the balancer (one count a
// backend, shared by all loops of a process) and the master's scheduler, whose random
// state is scheduler state. It reads what it is given and changes only the PickState.
//
// Least pending breaks ties at random, in proportion to weight: always taking the
// lowest index makes every balancer of a fleet send its next call to the same backend.
// Round robin is weighted by start-time fair queueing: Goyal, Vin, Cheng, "Start-time
// Fair Queuing", SIGCOMM 1996; the order of the turns is drawn, for the same reason.
// Power of two choices: Mitzenmacher, "The Power of Two Choices in Randomized Load
// Balancing", IEEE TPDS 12(10), 2001.

#ifndef SKEP_RPC_BALANCE_PICK_H_
#define SKEP_RPC_BALANCE_PICK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/random.h"

namespace skep {

enum class PickPolicy { kLeastPending, kRoundRobin, kRandom, kPowerOfTwo };

// "least-pending", "round-robin", "random", "power-of-two"; InvalidArgument lists them.
absl::StatusOr<PickPolicy> ParsePickPolicy(std::string_view name);
std::string_view PickPolicyName(PickPolicy policy);

// One backend as the policy sees it.
struct Candidate {
  int64_t pending = 0;   // calls outstanding on it
  double weight = 1.0;   // capacity relative to the others; > 0
  bool usable = true;    // false: never picked (dead, draining, full)
  bool ejected = false;  // true: picked only if nothing else is usable
};

// What a policy remembers from one pick to the next.
struct PickState {
  explicit PickState(uint64_t seed) : random(seed) {}
  Random random;
  // Round robin's: when each has its next turn, and the time.
  std::vector<double> turns;
  double turn = 0;
};

// The index of the backend to use; nullopt if none is usable. Least pending and power
// of two compare pending / weight. Where that tells nothing, and in the other policies,
// each backend is picked as often as its weight says. O(candidates).
std::optional<size_t> Pick(PickPolicy policy, std::span<const Candidate> candidates,
                           PickState& state);

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_PICK_H_
