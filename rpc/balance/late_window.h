// Late binding: whether a backend may be given another call, or is to be left alone
// while calls wait in the balancer. A pure function, which the balancer and the
// simulation of it (tools/compare) share.

#ifndef SKEP_RPC_BALANCE_LATE_WINDOW_H_
#define SKEP_RPC_BALANCE_LATE_WINDOW_H_

#include <algorithm>
#include <cstdint>

namespace skep {

// A backend of weight 1 has `window` calls at a time, each at least one. Held errors
// (phantom_pending.h) take places too, or one that fails at once would always have
// room; but not while no call is under way at any backend (`any_under_way`), whose end
// would send what waits: no backend is full of errors.
inline bool HasLateWindow(int64_t outstanding, int64_t held, bool any_under_way,
                          double window, double weight) {
  const int64_t taken = outstanding + (any_under_way ? held : 0);
  return static_cast<double>(taken) < std::max(1.0, window * weight);
}

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_LATE_WINDOW_H_
