#include "rpc/balance/health.h"

#include <algorithm>
#include <vector>

namespace skep {

bool Health::SpeaksAgainst(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

Health::Backend* Health::Find(Id id) {
  const auto it = backends_.find(id);
  return it == backends_.end() ? nullptr : &it->second;
}

absl::Time Health::ejected_until(Id id) const {
  const auto it = backends_.find(id);
  return it == backends_.end() ? absl::InfinitePast() : it->second.until;
}

int Health::errors(Id id) const {
  const auto it = backends_.find(id);
  if (it == backends_.end()) return 0;
  return it->second.errors + it->second.on_probation;
}

bool Health::HasRoom(absl::Time now) const {
  const auto out = std::count_if(backends_.begin(), backends_.end(),
                                 [now](const auto& b) { return now < b.second.until; });
  return static_cast<double>(out + 1) <=
         options_.max_ejected * static_cast<double>(backends_.size());
}

bool Health::Eject(Backend& backend, absl::Time now) {
  if (!HasRoom(now)) return false;
  if (now >= backend.until + options_.max_ejection) backend.ejections = 0;
  absl::Duration length = options_.base_ejection;
  for (int i = 0; i < backend.ejections && length < options_.max_ejection; ++i) {
    length *= 2;
  }
  ++backend.ejections;
  backend.errors = 0;
  backend.on_probation = true;
  backend.until = now + std::min(length, options_.max_ejection);
  return true;
}

bool Health::OnError(Id id, absl::Time now) {
  Backend* const backend = Find(id);
  // Calls that it had before it was ejected tell nothing new.
  if (backend == nullptr || options_.errors_in_a_row == 0 || now < backend->until) {
    return false;
  }
  ++backend->errors;
  if (!backend->on_probation && backend->errors < options_.errors_in_a_row) {
    return false;
  }
  return Eject(*backend, now);
}

bool Health::OnSuccess(Id id, absl::Time now) {
  Backend* const backend = Find(id);
  if (backend == nullptr || now < backend->until) return false;
  backend->errors = 0;
  backend->on_probation = false;
  return false;
}

bool Health::OnCheck(Id id, bool passed, absl::Time now) {
  Backend* const backend = Find(id);
  if (backend == nullptr || options_.failed_checks == 0) return false;
  if (passed) {
    backend->failed_checks = 0;
    if (backend->until != absl::InfiniteFuture()) return false;
    backend->until = now;
    return true;
  }
  ++backend->failed_checks;
  if (backend->failed_checks < options_.failed_checks ||
      backend->until == absl::InfiniteFuture()) {
    return false;
  }
  if (now >= backend->until && !HasRoom(now)) return false;
  backend->until = absl::InfiniteFuture();
  return true;
}

bool Health::OnLatencies(std::span<const Latency> latencies, absl::Time now) {
  if (options_.slow_factor <= 0) return false;
  std::vector<absl::Duration> means;
  for (const Latency& one : latencies) {
    if (one.calls >= options_.slow_least_calls) means.push_back(one.mean);
  }
  // Of two, nobody can tell which is the odd one.
  if (means.size() < 3) return false;
  const auto middle = means.begin() + static_cast<std::ptrdiff_t>(means.size() / 2);
  std::nth_element(means.begin(), middle, means.end());
  const absl::Duration limit = *middle * options_.slow_factor;
  bool changed = false;
  for (const Latency& one : latencies) {
    Backend* const backend = Find(one.id);
    if (backend == nullptr || now < backend->until) continue;
    if (one.calls < options_.slow_least_calls || one.mean <= limit) continue;
    changed |= Eject(*backend, now);
  }
  return changed;
}

}  // namespace skep
