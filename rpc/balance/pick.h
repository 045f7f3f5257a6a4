// Which backend gets the next call: the balancing policies, as pure functions.
//
// Pick has three owners of counts: the balanced channel and the balancer (one count a
// backend, shared by all loops of a process) and the master's scheduler, whose random
// state is scheduler state. It reads what it is given and changes only the PickState.
//
// Least pending breaks ties at random: always taking the lowest index makes every
// balancer of a fleet send its next call to the same backend.
// Power of two choices: Mitzenmacher, "The Power of Two Choices in Randomized Load
// Balancing", IEEE TPDS 12(10), 2001.

#ifndef SKEP_RPC_BALANCE_PICK_H_
#define SKEP_RPC_BALANCE_PICK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/random.h"

namespace skep {

enum class PickPolicy { kLeastPending, kRoundRobin, kRandom, kPowerOfTwo };

// "least-pending", "round-robin", "random", "power-of-two"; InvalidArgument lists them.
absl::StatusOr<PickPolicy> ParsePickPolicy(std::string_view name);
std::string_view PickPolicyName(PickPolicy policy);

// One backend as the policy sees it.
struct Candidate {
  int64_t pending = 0;  // calls outstanding on it
  double weight = 1.0;  // capacity relative to the others; > 0
  bool usable = true;   // false: never picked (dead, draining, full)
};

// What a policy remembers from one pick to the next.
struct PickState {
  explicit PickState(uint64_t seed) : random(seed) {}
  Random random;
  size_t next = 0;  // round robin's position
};

// The index of the backend to use; nullopt if none is usable. Least pending and power
// of two compare (pending + 1) / weight, the load the backend would have with this
// call. O(candidates).
std::optional<size_t> Pick(PickPolicy policy, std::span<const Candidate> candidates,
                           PickState& state);

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_PICK_H_
