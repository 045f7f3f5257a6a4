#include "rpc/balance/pick.h"

#include <array>
#include <utility>

#include "base/status.h"

namespace skep {
namespace {

constexpr std::array<std::pair<std::string_view, PickPolicy>, 4> kPolicies = {{
    {"least-pending", PickPolicy::kLeastPending},
    {"round-robin", PickPolicy::kRoundRobin},
    {"random", PickPolicy::kRandom},
    {"power-of-two", PickPolicy::kPowerOfTwo},
}};

// Whether `a` would carry less load than `b` with one call more: negative, zero or
// positive as in a comparison. Cross-multiplied, so that equal ratios are equal.
double CompareLoad(const Candidate& a, const Candidate& b) {
  return static_cast<double>(a.pending + 1) * b.weight -
         static_cast<double>(b.pending + 1) * a.weight;
}

size_t CountUsable(std::span<const Candidate> candidates) {
  size_t usable = 0;
  for (const Candidate& candidate : candidates) usable += candidate.usable;
  return usable;
}

// The index of the usable candidate of the given rank among the usable ones.
size_t UsableAt(std::span<const Candidate> candidates, size_t rank) {
  size_t index = 0;
  while (true) {
    if (candidates[index].usable && rank-- == 0) return index;
    ++index;
  }
}

std::optional<size_t> PickLeastPending(std::span<const Candidate> candidates,
                                       Random& random) {
  // One pass; the i-th of the equally good ones replaces the choice with probability
  // 1/i (reservoir sampling), which makes all of them equally likely.
  std::optional<size_t> best;
  uint64_t ties = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!candidates[i].usable) continue;
    const double order = best ? CompareLoad(candidates[i], candidates[*best]) : -1;
    if (order < 0) {
      best = i;
      ties = 1;
    } else if (order == 0 && random.Below(++ties) == 0) {
      best = i;
    }
  }
  return best;
}

size_t PickRoundRobin(std::span<const Candidate> candidates, size_t& next) {
  while (!candidates[next % candidates.size()].usable) ++next;
  return next++ % candidates.size();
}

size_t PickPowerOfTwo(std::span<const Candidate> candidates, size_t usable,
                      Random& random) {
  const size_t first_rank = random.Below(usable);
  const size_t first = UsableAt(candidates, first_rank);
  if (usable == 1) return first;
  // Any of the others, uniformly.
  const size_t second_rank = (first_rank + 1 + random.Below(usable - 1)) % usable;
  const size_t second = UsableAt(candidates, second_rank);
  return CompareLoad(candidates[second], candidates[first]) < 0 ? second : first;
}

}  // namespace

absl::StatusOr<PickPolicy> ParsePickPolicy(std::string_view name) {
  for (const auto& [policy_name, policy] : kPolicies) {
    if (policy_name == name) return policy;
  }
  return InvalidArgument("unknown balancing policy '", name,
                         "': use least-pending, round-robin, random or power-of-two");
}

std::string_view PickPolicyName(PickPolicy policy) {
  for (const auto& [name, named] : kPolicies) {
    if (named == policy) return name;
  }
  return "unknown";
}

std::optional<size_t> Pick(PickPolicy policy, std::span<const Candidate> candidates,
                           PickState& state) {
  if (policy == PickPolicy::kLeastPending) {
    return PickLeastPending(candidates, state.random);
  }
  const size_t usable = CountUsable(candidates);
  if (usable == 0) return std::nullopt;
  switch (policy) {
    case PickPolicy::kRoundRobin:
      return PickRoundRobin(candidates, state.next);
    case PickPolicy::kRandom:
      return UsableAt(candidates, state.random.Below(usable));
    default:
      return PickPowerOfTwo(candidates, usable, state.random);
  }
}

}  // namespace skep
