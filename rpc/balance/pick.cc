#include "rpc/balance/pick.h"

#include <algorithm>
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

// Whether `a` carries less load than `b`: negative, zero or positive as in a
// comparison. Cross-multiplied, so that equal ratios are equal.
double CompareLoad(const Candidate& a, const Candidate& b) {
  return static_cast<double>(a.pending) * b.weight -
         static_cast<double>(b.pending) * a.weight;
}

// The candidates that may be picked: the usable ones, of these the ejected ones only if
// there are no others.
class Choice {
 public:
  explicit Choice(std::span<const Candidate> all) : all_(all) {
    for (size_t i = 0; i < all.size() && !good_; ++i) {
      good_ = all[i].usable && !all[i].ejected;
    }
  }
  bool Has(size_t i) const { return all_[i].usable && !(good_ && all_[i].ejected); }
  size_t size() const { return all_.size(); }
  const Candidate& operator[](size_t i) const { return all_[i]; }

 private:
  const std::span<const Candidate> all_;
  bool good_ = false;
};

std::optional<size_t> PickLeastPending(const Choice& from, Random& random) {
  // One pass; each of the equally good ones replaces the choice with the probability
  // that is its part of their weight so far (reservoir sampling), and so each is chosen
  // in proportion to its weight.
  std::optional<size_t> best;
  double tied = 0;
  for (size_t i = 0; i < from.size(); ++i) {
    if (!from.Has(i)) continue;
    const double order = best ? CompareLoad(from[i], from[*best]) : -1;
    if (order < 0) {
      best = i;
      tied = from[i].weight;
    } else if (order == 0) {
      tied += from[i].weight;
      if (random.Unit() * tied < from[i].weight) best = i;
    }
  }
  return best;
}

// Start-time fair queueing: each has its turn after 1 / weight of the time that the
// others' turns take, and who was away does not make up for it. The first turns are
// anywhere in that time, so that those who balance side by side do not go from backend
// to backend in step.
std::optional<size_t> PickRoundRobin(const Choice& from, PickState& state) {
  if (state.turns.size() != from.size()) {
    state.turns.resize(from.size());
    for (size_t i = 0; i < from.size(); ++i) {
      state.turns[i] = state.turn + state.random.Unit() / from[i].weight;
    }
  }
  std::optional<size_t> next;
  for (size_t i = 0; i < from.size(); ++i) {
    if (!from.Has(i)) continue;
    state.turns[i] = std::max(state.turns[i], state.turn);
    if (!next || state.turns[i] < state.turns[*next]) next = i;
  }
  if (!next) return next;
  state.turn = state.turns[*next];
  state.turns[*next] += 1 / from[*next].weight;
  return next;
}

// In proportion to weight, but for `except`.
std::optional<size_t> PickRandom(const Choice& from, Random& random,
                                 std::optional<size_t> except = std::nullopt) {
  double total = 0;
  for (size_t i = 0; i < from.size(); ++i) {
    if (from.Has(i) && i != except) total += from[i].weight;
  }
  double left = random.Unit() * total;
  std::optional<size_t> last;
  for (size_t i = 0; i < from.size(); ++i) {
    if (!from.Has(i) || i == except) continue;
    last = i;
    left -= from[i].weight;
    if (left < 0) break;
  }
  return last;
}

std::optional<size_t> PickPowerOfTwo(const Choice& from, Random& random) {
  const std::optional<size_t> first = PickRandom(from, random);
  if (!first) return first;
  // The first wins ties: it was drawn by weight.
  const std::optional<size_t> second = PickRandom(from, random, first);
  return second && CompareLoad(from[*second], from[*first]) < 0 ? second : first;
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
  const Choice from(candidates);
  switch (policy) {
    case PickPolicy::kLeastPending:
      return PickLeastPending(from, state.random);
    case PickPolicy::kRoundRobin:
      return PickRoundRobin(from, state);
    case PickPolicy::kRandom:
      return PickRandom(from, state.random);
    default:
      return PickPowerOfTwo(from, state.random);
  }
}

}  // namespace skep
