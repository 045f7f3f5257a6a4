// Which backends are left out for a while because they do not serve: outlier ejection,
// as a pure function of events and their times.
//
// A backend is ejected
// - for a time, after so many errors of its own in a row, or when its calls take much
//   longer than those of the others; the time doubles with each ejection, and is short
//   again when the backend has served well for the longest of them. The first error
//   after it is back ejects it again, until it has served one call well;
// - until a check passes, after so many failed checks in a row: a backend that accepts
//   and never answers (frozen) makes no errors.
// Never more than a part of the backends is ejected: when most look bad, it is more
// likely that they are overloaded together or that the calls are at fault, and leaving
// many out would finish the rest off. What would go over that part stays in.
//
// Not thread-safe. Times never go back.

#ifndef SKEP_RPC_BALANCE_HEALTH_H_
#define SKEP_RPC_BALANCE_HEALTH_H_

#include <cstdint>
#include <map>
#include <span>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace skep {

struct HealthOptions {
  int errors_in_a_row = 5;  // 0: errors never eject
  int failed_checks = 2;    // 0: checks never eject
  absl::Duration base_ejection = absl::Seconds(1);
  absl::Duration max_ejection = absl::Seconds(60);
  // Of all backends, at most this part may be out at a time.
  double max_ejected = 0.5;
  // A backend whose calls take so many times as long as those of the median backend is
  // ejected; 0: none is.
  double slow_factor = 0;
  // Of backends with fewer calls than this nothing is concluded from their latency.
  uint64_t slow_least_calls = 20;
};

class Health {
 public:
  using Id = uint64_t;

  explicit Health(HealthOptions options) : options_(options) {}

  void Add(Id id) { backends_.try_emplace(id); }
  void Remove(Id id) { backends_.erase(id); }

  // Whether an error of this code speaks against the backend. Fewer than
  // PhantomPending's: being full or not knowing a method is no reason to be left out.
  static bool SpeaksAgainst(absl::StatusCode code);

  // Each returns whether ejected_until changed. Ids that are not there are ignored.
  bool OnError(Id id, absl::Time now);
  bool OnSuccess(Id id, absl::Time now);
  bool OnCheck(Id id, bool passed, absl::Time now);
  struct Latency {
    Id id = 0;
    uint64_t calls = 0;  // since the last time
    absl::Duration mean;
  };
  bool OnLatencies(std::span<const Latency> latencies, absl::Time now);

  // Out before this time; InfiniteFuture: until a check passes.
  absl::Time ejected_until(Id id) const;
  bool IsEjected(Id id, absl::Time now) const { return now < ejected_until(id); }
  // Errors in a row so far, so that a caller need not tell of every success.
  int errors(Id id) const;

 private:
  struct Backend {
    int errors = 0;
    int failed_checks = 0;
    int ejections = 0;  // in a row
    bool on_probation = false;
    absl::Time until = absl::InfinitePast();
  };
  Backend* Find(Id id);
  // Whether one more may be out.
  bool HasRoom(absl::Time now) const;
  bool Eject(Backend& backend, absl::Time now);

  const HealthOptions options_;
  std::map<Id, Backend> backends_;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_HEALTH_H_
